"""A benchmark of somebody's own memory, without labels: does it find what was said, in time, and the newest first?

Run by `memspan bench mine`. The file is only read; a way of recalling that lacks vectors works on a copy that is
deleted afterwards. No text of the memory is in the result unless examples are asked for.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.bench.cloze import Cloze, Corpus, in_its_words
from memspan.bench.compare import compare, holm
from memspan.bench.machine import head, line
from memspan.bench.resampling import intervals, mean_interval
from memspan.bench.speed import percentiles
from memspan.bench.tables import number, points, table
from memspan.core.errors import UsageError
from memspan.text.memory import Memory, StaleVectors

SCHEMA = "memspan.bench.mine/1"
DEPTH = 20
BUDGET = 1000
FEWEST_TURNS = 20
FEWEST = 10
METRICS = ("R@1", "R@5", "R@10", "MRR", "T1000")
Result = dict[str, Any]  # Any: what json.dumps takes
Recalled = tuple[Sequence[str], Set[str]]
"""Ids ranked, best first; ids in a context of 1,000 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of recalling. label: its name in the tables;  path, scope: which memory

    memory: more arguments of Memory, like setting="full";  recall: more arguments of Memory.recall
    """

    label: str
    path: Path
    scope: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    recall: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinePlan:
    """What to ask, and how. ways: the first is the memory that questions are made from, and what others are compared to

    questions: at most so many;  show: put so many examples, texts and all, into the result
    """

    ways: Sequence[Way]
    questions: int = 200
    show: int = 0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every way. clozes: with one right turn each;  pairs: (question, id that no longer holds, id of
    what holds instead)"""

    clozes: Sequence[Cloze]
    pairs: Sequence[tuple[str, str, str]]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """(clozes,)"""
        return np.array([cloze.cluster for cloze in self.clozes])


def measure(plan: MinePlan, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Every way, and what the others differ from the first by. say: hears what is going on

    Raises UsageError where there is too little to ask for, or what Memory raises.
    """
    with ExitStack() as stack:
        memories = [stack.enter_context(_opened(way, say)) for way in plan.ways]
        _check_apart(plan.ways, memories)
        asked = _asked(plan, memories)
        say(f"asking {len(asked.clozes)} questions of {len(memories)} ways")
        rows, told = [], []
        for way, memory in zip(plan.ways, memories, strict=True):
            values, facts = _run(way, memory, asked, plan.seed)
            rows.append(values)
            told.append(facts)
        kinds = np.array([cloze.kind for cloze in asked.clozes])
        examples = _examples(memories[0], asked, plan.show)
    return {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": plan.seed,
        "questions": {"all": len(kinds)} | {str(kind): int((kinds == kind).sum()) for kind in np.unique(kinds)},
        "clusters": len(set(asked.clusters.tolist())),
        "ways": told,
        "compared": _compared(told, rows, asked, plan.seed),
        "examples": examples,
    }


@contextmanager
def _opened(way: Way, say: Callable[[str], None]) -> Iterator[Memory]:
    """The memory to read; a copy that is gone afterwards where it must be embedded first."""
    with ExitStack() as stack:
        memory = stack.enter_context(_quiet(way.path, way, read_only=True))
        if not memory.stats().without_vector:
            yield memory
            return
        folder = stack.enter_context(TemporaryDirectory(prefix="memspan-mine-"))
        say(f"embedding a copy for {way.label}")
        copy = memory.branch(Path(folder) / "copy.mem")
        other = stack.enter_context(_quiet(copy, way, read_only=False))
        other.reembed()
        yield other


def _quiet(path: Path, way: Way, *, read_only: bool) -> Memory:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StaleVectors)  # that is why it is looked for
        return Memory(path, scope=way.scope, read_only=read_only, **way.memory)


def _check_apart(ways: Sequence[Way], memories: Sequence[Memory]) -> None:
    """Raises UsageError where two ways are one."""
    seen: dict[tuple[Path, str, str], str] = {}
    for way, memory in zip(ways, memories, strict=True):
        here = (way.path.resolve(), memory.setting.name, repr(sorted(way.recall.items())))
        if here in seen:
            raise UsageError(
                f"{seen[here]} and {way.label} are the same: {way.path} with setting {memory.setting.name}; "
                "name another file or another setting"
            )
        seen[here] = way.label


def _asked(plan: MinePlan, memories: Sequence[Memory]) -> Asked:
    """Questions on turns that every memory has and that hold in all of them."""
    turns = list(memories[0].turns())
    where = f"scope {plan.ways[0].scope!r} of {plan.ways[0].path}"
    if not turns:
        raise UsageError(f"nothing to ask for: {where} holds no turn; name another with --scope or --memory")
    if len(turns) < FEWEST_TURNS:
        raise UsageError(f"{where} holds {len(turns)} turns; {FEWEST_TURNS} at least make a benchmark")
    gone, heirs = _fates(memories[0])
    out = set(gone)
    for other in memories[1:]:
        out |= {turn.id for turn in turns} - {turn.id for turn in other.turns()} | _fates(other)[0]
    clozes = Corpus(turns).clozes(plan.questions, out=out, seed=plan.seed)
    if len(clozes) < FEWEST:
        raise UsageError(
            f"{len(clozes)} questions could be made of {len(turns)} turns of {where}, {len(out)} of which are out of "
            f"the way or not in every memory; {FEWEST} at least are needed"
        )
    known = {turn.id: turn.text for turn in turns}
    pairs = [
        (in_its_words(known[old]), old, heir)
        for old, heir in heirs.items()
        if old in known and heir in known and heir not in out
    ]
    random.Random(plan.seed).shuffle(pairs)  # noqa: S311  it keeps no secret
    return Asked(clozes, pairs[: plan.questions])


def _fates(memory: Memory) -> tuple[set[str], dict[str, str]]:
    """Ids of turns that recall does not show as they are, and what holds instead of those that were replaced."""
    gone: set[str] = set()
    heirs: dict[str, str] = {}
    for event in memory.changes():
        if event.what in ("superseded", "corrected", "archived", "quarantined", "dated"):
            gone.add(event.id)
            if event.heir:
                heirs[event.id] = event.heir
        elif event.what == "restored":
            gone.discard(event.id)
            heirs.pop(event.id, None)
    return gone, {old: _last(old, heirs) for old in heirs}


def _last(old: str, heirs: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while old in heirs and old not in seen:
        seen.add(old)
        old = heirs[old]
    return old


def figures(asked: Asked, recalled: Sequence[Recalled]) -> NDArray[np.float64]:
    """R@1, R@5, R@10, MRR, T1000 of each question, (clozes, 5). recalled: parallel to the clozes"""
    rows = []
    for cloze, (ranked, packed) in zip(asked.clozes, recalled, strict=True):
        rank = next((place for place, one in enumerate(ranked, 1) if one == cloze.gold), 0)
        found = [float(0 < rank <= k) for k in (1, 5, 10)]
        rows.append([*found, 1 / rank if rank else 0.0, float(cloze.gold in packed)])
    return np.array(rows)


def is_stale(ranked: Sequence[str], old: str, heir: str) -> bool:
    """Whether what no longer holds stands above what does, or stands there without it.

    >>> is_stale(["old", "new"], "old", "new"), is_stale(["new", "old"], "old", "new"), is_stale([], "old", "new")
    (True, False, False)
    """
    return old in ranked and (heir not in ranked or ranked.index(old) < ranked.index(heir))


def _run(way: Way, memory: Memory, asked: Asked, seed: int) -> tuple[NDArray[np.float64], Result]:
    """The figures of each question, and what stands in the result."""
    recalled, times = [], []
    for text in [asked.clozes[0].text, *(cloze.text for cloze in asked.clozes)]:  # the first twice: it loads the index
        start = perf_counter()
        packed = memory.recall(text, tokens=BUDGET, **way.recall)
        times.append(perf_counter() - start)
        ranked = [hit.id for hit in memory.recall(text, tokens=None, limit=DEPTH, **way.recall)]
        recalled.append((ranked, {hit.id for hit in (*packed.hits, *packed.standing)}))
    values = figures(asked, recalled[1:])
    stale = np.array(
        [
            is_stale([hit.id for hit in memory.recall(text, tokens=None, limit=DEPTH, **way.recall)], old, heir)
            for text, old, heir in asked.pairs
        ]
    )
    stats = memory.stats()
    kinds = np.array([cloze.kind for cloze in asked.clozes])
    return values, {
        "way": way.label,
        "setting": stats.setting,
        "turns": stats.turns,
        "bytes": stats.bytes,
        "metrics": _means(values, asked.clusters, seed),
        "by_kind": {
            str(kind): _means(values[kinds == kind], asked.clusters[kinds == kind], seed) for kind in np.unique(kinds)
        },
        "stale": _stale(stale, seed),
        **percentiles("recall_ms", times[1:]),
    }


def _means(values: NDArray[np.float64], clusters: NDArray[np.int64], seed: int) -> Result:
    found = intervals(values, clusters, seed=seed)
    columns = zip(METRICS, found.mean.tolist(), found.low.tolist(), found.high.tolist(), strict=True)
    alone = found.clusters == 1
    return {
        name: {"mean": mean, "low": None if alone else low, "high": None if alone else high}
        for name, mean, low, high in columns
    }


def _stale(stale: NDArray[np.bool_], seed: int) -> Result | None:
    """Share of pairs, each by itself; None where nothing was replaced."""
    if not len(stale):
        return None
    mean, low, high = mean_interval(stale, np.arange(len(stale)), seed=seed)
    return {"pairs": len(stale), "mean": mean, "low": low, "high": high}


def _compared(told: Sequence[Result], rows: Sequence[NDArray[np.float64]], asked: Asked, seed: int) -> list[Result]:
    """Every other way less the first, in the metrics that say most; p-values adjusted for all of these."""
    planned = [(place, metric) for place in range(1, len(told)) for metric in ("MRR", "T1000")]
    columns = ((rows[place], METRICS.index(metric)) for place, metric in planned)
    found = [compare(ours[:, at], rows[0][:, at], asked.clusters, seed=seed) for ours, at in columns]
    adjusted = holm([one.p for one in found])
    return [
        {"way": told[place]["way"], "less": told[0]["way"], "metric": metric, **asdict(one), "p_holm": p}
        | {"same_setting": told[place]["setting"] == told[0]["setting"]}
        for (place, metric), one, p in zip(planned, found, adjusted, strict=True)
    ]


def _examples(memory: Memory, asked: Asked, most: int) -> list[Result]:
    """Texts of the memory, for its owner to judge the questions by."""
    return [
        {"question": cloze.text, "answer": cloze.answer, "kind": cloze.kind, "turn": memory.get(cloze.gold).text}
        for cloze in asked.clozes[:most]
    ]


def markdown(result: Result) -> str:
    """The tables, for a reader."""
    kinds = {kind: count for kind, count in result["questions"].items() if kind != "all"}
    shares = ", ".join(f"{count} in {kind}" for kind, count in kinds.items())
    parts = [
        f"{result['questions']['all']} questions made of the memory's own turns ({shares}), "
        f"{result['clusters']} stretches of talk.",
        "They tell whether a memory still finds what it found before a change; words favour search by words, so that",
        "which setting is better is for labelled data to say.",
        "",
        table(["way", *METRICS], [_row(way["way"], way["metrics"]) for way in result["ways"]]),
        "",
        table(["questions in", "way", *METRICS], [
            [kind, *_row(way["way"], way["by_kind"][kind])] for kind in kinds for way in result["ways"]
        ]),
        "",
        table(
            ["way", "setting", "turns", "bytes", "recall ms p50", "p95", "stale above its heir"],
            [_costs(way) for way in result["ways"]],
        ),
        "",
        *_differences(result["compared"]),
        *_shown(result["examples"]),
        line(result["machine"], result["versions"]),
    ]  # fmt: skip
    return "\n".join([*parts, ""])


def _row(name: str, metrics: Result) -> list[str]:
    return [name, *(number(metrics[metric]) for metric in METRICS)]


def _costs(way: Result) -> list[str]:
    stale = "nothing was replaced" if way["stale"] is None else f"{number(way['stale'])} of {way['stale']['pairs']}"
    times = [f"{way[name]:.2f}" for name in ("recall_ms_p50", "recall_ms_p95")]
    return [way["way"], way["setting"], f"{way['turns']:,}", f"{way['bytes']:,}", *times, stale]


def _differences(compared: Sequence[Result]) -> Iterator[str]:
    if compared:
        rows = [
            [
                f"{one['way']} less {one['less']}",
                one["metric"],
                points(one | {"mean": one["difference"]}),
                f"{one['p']:.4f}",
                f"{one['p_holm']:.4f}",
                "-" if one["mdd"] is None else f"{100 * one['mdd']:.1f}",
            ]
            for one in compared
        ]
        yield table(["difference", "metric", "points", "p", "p, Holm", "detectable"], rows)
        if not all(one["same_setting"] for one in compared):
            yield "Between settings, a difference shows how far each goes by words, not which is better."
        yield ""


def _shown(examples: Sequence[Result]) -> Iterator[str]:
    for one in examples:
        yield f"- asked ({one['kind']}): {one['question']}"
        yield f"  left out: {one['answer']}; turn: {one['turn']}"
    if examples:
        yield ""
