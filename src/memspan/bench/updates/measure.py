"""Whether the last word comes first: systems over streams and contradicted facts, and what held before as of then."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from memspan.bench import systems
from memspan.bench.cases import Ask
from memspan.bench.files import fingerprint
from memspan.bench.machine import head, line
from memspan.bench.report import Result
from memspan.bench.tables import table
from memspan.bench.updates.letta_core import Contradicted, contradicted, files
from memspan.bench.updates.streams import START, STEP_S, Asked, Stream, fact_stream, key_stream
from memspan.core.records import Turn
from memspan.text.memory import Memory

SCHEMA = "memspan.bench.updates/1"
BASELINE = "bm25"
DEPTH = 20
_DAY_S = 86400.0

Find = Callable[[str, float | None], Sequence[str]]
"""Ids for a question, best first; as of a time [s], None = now."""
Say = Callable[[str], None]


def streams(seed: int) -> list[Stream]:
    """The generated streams."""
    return [key_stream(10, 200, seed), key_stream(46, 200, seed), fact_stream(6_000, seed), fact_stream(64_000, seed)]


def measure(data: Path | None, seed: int, command: Sequence[str], say: Say) -> Result:
    """Score the default system beside BM25. data: where letta-core lies, None = only what is generated"""
    start = perf_counter()
    paths = files(data) if data else []
    result: Result = {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "streams": [],
        "letta": {},
        "files": [{"file": path.name, "sha256": fingerprint(path)} for path in paths],
    }
    for stream in streams(seed):
        say(f"{stream.name}: {len(stream.told):,} turns")
        result["streams"] += [_on_memory(stream), _on_baseline(stream)]
    if paths:
        say("letta-core")
        cases = list(contradicted(paths))
        result["letta"] = {"default": _letta(cases, _letta_memory), BASELINE: _letta(cases, _letta_baseline)}
    return result | {"seconds": round(perf_counter() - start, 1)}


def _on_memory(stream: Stream) -> Result:
    with TemporaryDirectory(prefix="memspan-bench-") as folder, _memory(folder, "bench", _end(stream)) as memory:
        began = perf_counter()
        memory.remember([Turn(told.text, id=told.id, at=told.at) for told in stream.told])
        wrote = perf_counter() - began
        return _score(stream, "default", _asking(memory)) | {"write_turns_per_s": round(len(stream.told) / wrote)}


def _on_baseline(stream: Stream) -> Result:
    """The baseline knows no past, so it is asked for the present only."""
    with TemporaryDirectory(prefix="memspan-bench-") as folder:
        system = systems.load(BASELINE)(Path(folder))
        system.remember([Turn(told.text, id=told.id, at=told.at) for told in stream.told])
        now = Stream(stream.name, stream.told, [one for one in stream.asked if one.as_of is None])
        return _score(now, BASELINE, lambda question, as_of: system.recall(Ask(question), DEPTH))


def _end(stream: Stream) -> float:
    return START + STEP_S * len(stream.told)


def _memory(folder: str, scope: str, now: float) -> Memory:
    return Memory(Path(folder) / "bench.mem", scope=scope, setting="lite", clock=lambda: now)


def _asking(memory: Memory) -> Find:
    def ask(question: str, as_of: float | None) -> list[str]:
        return [hit.id for hit in memory.recall(question, tokens=None, limit=DEPTH, as_of=as_of)]

    return ask


def _score(stream: Stream, system: str, ask: Find) -> Result:
    """Shares of questions: the right value first; a stale one before it; the right one first as of an earlier time."""
    began = perf_counter()
    ranked = [(one, ask(one.question, one.as_of)) for one in stream.asked]
    took = perf_counter() - began
    now = [pair for pair in ranked if pair[0].as_of is None]
    then = [pair for pair in ranked if pair[0].as_of is not None]
    return {
        "stream": stream.name,
        "system": system,
        "turns": len(stream.told),
        "tokens": stream.tokens,
        "questions": len(now),
        "latest_first": _share([_first(one, ids) for one, ids in now]),
        "stale_before": _share([_stale(one, ids) for one, ids in now]),
        "past_questions": len(then),
        "past_first": _share([_first(one, ids) for one, ids in then]),
        "ms_per_question": round(1000 * took / len(ranked), 2),
    }


def _first(one: Asked, ids: Sequence[str]) -> bool:
    return bool(ids) and ids[0] in one.right


def _stale(one: Asked, ids: Sequence[str]) -> bool:
    """Whether a value that does not hold stands before the one that does, or the latter is not there."""
    seen = next((id for id in ids if id in one.right or id in one.stale), None)
    return seen is None or seen in one.stale


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


Tell = Callable[[str, Contradicted], tuple[Find, Find]]
"""Takes in the facts of a case in a folder: how to ask before and after the new one."""


def _letta(cases: Sequence[Contradicted], tell: Tell) -> Result:
    rows: list[Mapping[str, bool]] = []
    control: list[tuple[bool, bool]] = []
    with TemporaryDirectory(prefix="memspan-bench-") as folder:
        for case in cases:
            before, after = tell(folder, case)
            ids, past = list(after(case.question, None)), list(before(case.question, None))
            old = [ids.index(f"f{place}") for place in case.evidence if f"f{place}" in ids]
            newer = "new" in ids and ids.index("new") < min(old, default=len(ids))
            rows.append({"newer": newer, "single": len(case.evidence) == 1, "hidden": "new" not in past})
            control += [(_holds(before, *other), _holds(after, *other)) for other in case.others]
    return {
        "questions": len(rows),
        "new_before_every_old": _share([row["newer"] for row in rows]),
        "single_evidence": sum(row["single"] for row in rows),
        "new_before_the_old": _share([row["newer"] for row in rows if row["single"]]),
        "past_without_new": _share([row["hidden"] for row in rows]),
        "untouched_questions": len(control),
        "right_first_before": _share([first for first, _ in control]),
        "right_first_after": _share([second for _, second in control]),
    }


def _holds(ask: Find, question: str, evidence: frozenset[int]) -> bool:
    ids = ask(question, None)
    return bool(ids) and ids[0] in {f"f{place}" for place in evidence}


def _turns(case: Contradicted) -> tuple[list[Turn], Turn]:
    facts = [Turn(fact, id=f"f{place}", at=START) for place, fact in enumerate(case.facts)]
    return facts, Turn(case.new, id="new", at=START + _DAY_S)


def _letta_memory(folder: str, case: Contradicted) -> tuple[Find, Find]:
    memory = _memory(folder, case.id, START + 2 * _DAY_S)
    facts, new = _turns(case)
    memory.remember(facts)
    memory.remember(new)

    def before(question: str, as_of: float | None) -> list[str]:
        return [hit.id for hit in memory.recall(question, tokens=None, limit=DEPTH, as_of=START + _DAY_S / 2)]

    return before, _asking(memory)


def _letta_baseline(folder: str, case: Contradicted) -> tuple[Find, Find]:
    facts, new = _turns(case)
    old, now = (systems.load(BASELINE)(Path(folder)) for _ in range(2))
    old.remember(facts)
    now.remember([*facts, new])
    return (
        lambda question, as_of: old.recall(Ask(question), DEPTH),
        lambda question, as_of: now.recall(Ask(question), DEPTH),
    )


_STREAM = {
    "turns": "turns",
    "questions": "questions",
    "latest_first": "latest first",
    "stale_before": "stale before it",
    "past_questions": "past questions",
    "past_first": "right first, as of then",
    "ms_per_question": "ms",
}
_LETTA = {
    "new_before_every_old": "new before every old",
    "new_before_the_old": "of one evidence",
    "past_without_new": "as of before: not there",
    "right_first_before": "untouched, before",
    "right_first_after": "untouched, after",
}


def markdown(result: Result) -> str:
    """The result as tables."""
    rows = [[one["stream"], one["system"], *(_shown(one[name]) for name in _STREAM)] for one in result["streams"]]
    parts = [
        "# memspan bench updates",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}. Seed {result['seed']}.",
        "Generated (`-syn`): not the scores of the benchmarks they are named after.",
        table(["stream", "system", *_STREAM.values()], rows),
    ]
    if result["letta"]:
        told = [[system, *(_shown(one[name]) for name in _LETTA)] for system, one in result["letta"].items()]
        one = result["letta"]["default"]
        parts += [
            f"letta-core, update set: {one['questions']} questions ({one['single_evidence']} of one evidence), and"
            f" {one['untouched_questions']:,} times a question that the new fact does not touch.",
            table(["system", *_LETTA.values()], told),
            table(["file", "sha256"], [[one["file"], one["sha256"]] for one in result["files"]]),
        ]
    return "\n\n".join(parts) + "\n"


def _shown(value: float | None) -> str:
    return "-" if value is None else str(value)
