"""What changing a large memory costs: correct, undo, look back, reflect, forget; run by `memspan bench changing`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from memspan.bench.machine import head, line
from memspan.bench.speech import conversations, questions
from memspan.bench.speed import percentiles
from memspan.bench.tables import table
from memspan.text.memory import Memory

SCHEMA = "memspan.bench.changing/1"
BATCH = 1000
SAMPLED = 2000
Result = dict[str, Any]  # Any: what json.dumps takes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangingPlan:
    """What to measure. records: sizes [turns];  folder: where the files lie, for the disk matters

    asked: how many recalls of each kind;  times: how many of each change
    """

    records: Sequence[int]
    folder: Path | None = None
    asked: int = 200
    times: int = 20
    seed: int = 7


def measure(plan: ChangingPlan, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Every size. say: hears what is going on"""
    sizes = []
    for size in plan.records:
        say(f"{size:,} turns")
        with TemporaryDirectory(prefix="memspan-changing-", dir=plan.folder) as folder:
            sizes.append({"records": size, **_measured(plan, size, Path(folder) / "m.mem")})
    return {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": plan.seed,
        "sizes": sizes,
    }


def _measured(plan: ChangingPlan, size: int, path: Path) -> Result:
    units = conversations(plan.seed)
    first = list(islice(units, min(size, SAMPLED)))
    asked = questions(first, plan.asked + 1, plan.seed + 1)
    with Memory(path, scope="bench") as memory:
        memory.remember(unit.turn() for unit in first)
        wrote = len(first)
        while batch := list(islice(units, min(BATCH, size - wrote))):
            memory.remember(unit.turn() for unit in batch)
            wrote += len(batch)
        memory.recall(asked[0])
        found = _recalls(memory, asked[1:])
        ids = [unit.id for unit in first]
        found |= _changes(memory, ids, plan.times)
        found["file_mb"] = round(memory.stats().bytes / 1e6, 1)
        found |= _reflects(memory, size)
        return found | _forgets(memory, ids, plan.times)


def _recalls(memory: Memory, asked: Sequence[str]) -> Result:
    """Now, as of an event time, as known at a moment; each question in turn, so that all meet the same machine."""
    turns = [turn.at for turn in islice(memory.turns(), SAMPLED) if turn.at is not None]
    middle, now = sorted(turns)[len(turns) // 2], datetime.now(UTC)
    kinds: dict[str, list[float]] = {"recall_ms": [], "recall_as_of_ms": [], "recall_known_at_ms": []}
    moments: tuple[dict[str, Any], ...] = ({}, {"as_of": middle}, {"known_at": now})  # Any: what recall takes
    for question in asked:
        for times, more in zip(kinds.values(), moments, strict=True):
            times.append(_timed(lambda: memory.recall(question, **more)))  # noqa: B023
    found = {name: value for kind, times in kinds.items() for name, value in percentiles(kind, times).items()}
    for kind in ("as_of", "known_at"):
        found[f"{kind}_over_recall"] = round(found[f"recall_{kind}_ms_p50"] / found["recall_ms_p50"], 2)
    return found


def _changes(memory: Memory, ids: Sequence[str], times: int) -> Result:
    """A correction, and taking it back."""
    correct, undo = [], []
    for wanted in ids[:times]:
        correct.append(_timed(lambda: memory.correct(wanted, "It was not quite so.", reason="misheard")))  # noqa: B023
        undo.append(_timed(memory.undo))
    return percentiles("correct_ms", correct) | percentiles("undo_ms", undo)


def _reflects(memory: Memory, size: int) -> Result:
    """All of it, then with nothing new, then with one more turn."""
    first, again = _timed(memory.reflect), _timed(memory.reflect)
    memory.remember("One more thing was said.", speaker="Ann", session="one more")
    return {
        "reflect_turns_per_s": round(size / first),
        "reflect_again_ms": round(1e3 * again, 2),
        "reflect_one_more_s": round(_timed(memory.reflect), 2),
    }


def _forgets(memory: Memory, ids: Sequence[str], times: int) -> Result:
    """Single turns, whole sessions, then the receipts; each one is "erased" when the call returns."""
    one = [_timed(lambda: memory.forget(wanted)) for wanted in ids[-times:]]  # noqa: B023
    sessions = memory.sessions()[-times:]
    whole = [_timed(lambda: memory.forget(session=session)) for session in sessions]  # noqa: B023
    receipts = memory.receipts()
    if {receipt.status for receipt in receipts} != {"erased"}:
        raise RuntimeError("something is still pending; nobody else may have the file open")
    turns = [receipt.rows["turn"] for receipt in receipts[-len(sessions) :]]
    return {
        **percentiles("forget_turn_ms", one),
        **percentiles("forget_session_ms", whole),
        "turns_per_session": sum(turns) / len(turns),
    }


def _timed(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def markdown(result: Result) -> str:
    """The result as a table, a column for each size."""
    sizes = result["sizes"]
    names = [name for name in sizes[0] if name != "records"]
    rows = [[name, *(str(size[name]) for size in sizes)] for name in names]
    parts = [
        "# memspan bench changing",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        f"Made-up text, seed {result['seed']}. Every change is on the medium when its call returns; a forget has also "
        "folded and synced the log and washed the file's pages, and has taken what reflect() had derived.",
        table(["figure", *(f"{size['records']:,} turns" for size in sizes)], rows),
    ]
    return "\n\n".join(parts) + "\n"
