"""From rows to a table: accuracies with intervals, costs, and what a sound method should show.

Sequences are drawn, not questions: the questions of one sequence fail together. All systems answer the same questions,
so differences are taken question by question before anything is drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.bench.kv.exams import Exam, asked_of
from memspan.bench.kv.kept import Key
from memspan.bench.kv.settings import CONTROL, System
from memspan.bench.resampling import intervals

SEED, RESAMPLES = 7, 2000
TOLERANCE = 0.05
"""A smaller budget may answer so much more often: what is dropped also distracts a model that is not perfect."""
RISES, FLOOR = "rises with the budget", "not below random"
Result = dict[str, Any]  # Any: what json.dumps takes
Floats = NDArray[np.float64]
Place = tuple[str, float]
"""A system and a budget."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One task. values: by system and budget, the share each sequence got right, (sequences,)

    rows: what was measured, by the same;  failed: why there is nothing;  questions: of a sequence
    """

    task: str
    values: Mapping[Place, Floats]
    rows: Mapping[Place, Sequence[Result]]
    failed: Mapping[Place, str]
    questions: int


def scored(
    systems: Sequence[System],
    tasks: Sequence[str],
    asked: Sequence[Exam],
    known: Mapping[Key, Result],
) -> Result:
    """`rows`: a system at a budget in a task;  `checks`: what a sound method should show;  `failed`: what broke."""
    sheets = [_sheet(task, systems, asked, known) for task in tasks]
    return {
        "rows": [row for sheet in sheets for row in _rows(sheet)],
        "checks": [row for sheet in sheets for row in _checks(sheet, systems)],
        "failed": [
            {"system": system, "budget": budget, "task": sheet.task, "why": why}
            for sheet in sheets
            for (system, budget), why in sheet.failed.items()
        ],
    }


def _sheet(task: str, systems: Sequence[System], asked: Sequence[Exam], known: Mapping[Key, Result]) -> Sheet:
    named = {one.name: one for one in systems}
    turns = next((exam.turns[task] for exam in asked if task in exam.turns), (0,))
    values: dict[Place, Floats] = {}
    rows: dict[Place, list[Result]] = {}
    failed: dict[Place, str] = {}
    order = {name: number for number, name in enumerate(named)}
    places = {(key[0], key[1]) for key in known if key[0] in named}
    for place in sorted(places, key=lambda one: (order[one[0]], -one[1])):
        exams = [(one.name, one.seed) for one in asked_of(named[place[0]], place[1], asked) if task in one.turns]
        if task == "fidelity":
            exams = [] if named[place[0]].press else [("fidelity", 0)]
        found = [known.get((*place, *exam), {"failed": "not measured"}) for exam in exams]
        if why := next((one["failed"] for one in found if "failed" in one), ""):
            failed[place] = why
        elif found:
            rows[place] = found
            values[place] = np.concatenate([_shares(one, turns) for one in found])
    return Sheet(task, values, rows, failed, len(turns))


def _shares(row: Result, turns: Sequence[int]) -> Floats:
    """What each sequence got right, (sequences,); of the small language model, where it agreed."""
    if "agreement" in row:
        return np.array(row["agreement"])
    right: Floats = np.array(row["right"], dtype=float)[:, list(turns)].mean(axis=1)
    return right


def _drawn(columns: Sequence[Floats], *, rates: bool) -> list[Result]:
    """Mean and 95 % interval of each column; those of one length are drawn together."""
    found: dict[int, Result] = {}
    for length in {len(column) for column in columns}:
        places = [place for place, column in enumerate(columns) if len(column) == length]
        table = np.stack([columns[place] for place in places], axis=1)
        some = intervals(table, np.arange(length), seed=SEED, resamples=RESAMPLES, rates=rates)
        for place, mean, low, high in zip(places, some.mean, some.low, some.high, strict=True):
            found[place] = {"mean": float(mean), "low": _number(low), "high": _number(high)}
    return [found[place] for place in range(len(columns))]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def _rows(sheet: Sheet) -> Iterator[Result]:
    places = list(sheet.values)
    accuracies = _drawn([sheet.values[place] for place in places], rates=sheet.task != "fidelity")
    kl = [_column(sheet.rows[place], "kl") for place in places]
    found = _drawn([one for one in kl if one is not None], rates=False)
    divergences: Sequence[Result | None] = found or [None] * len(places)
    for place, accuracy, divergence in zip(places, accuracies, divergences, strict=True):
        count = len(sheet.values[place])
        yield {
            "task": sheet.task,
            "system": place[0],
            "budget": place[1],
            "accuracy": accuracy,
            "kl": divergence,
            "sequences": count,
            "questions": count * sheet.questions,
            **_costs(sheet.rows[place], count),
        }


def _column(rows: Sequence[Result], name: str) -> Floats | None:
    return np.concatenate([np.array(one[name]) for one in rows]) if all(name in one for one in rows) else None


def _costs(rows: Sequence[Result], sequences: int) -> Result:
    """Bytes of a sequence, seconds of a batch: medians over batches."""
    batch = sequences / len(rows)

    def middle(name: str) -> float | None:
        found = [one[name] for one in rows if one.get(name) is not None]
        return median(found) if found else None

    def split(name: str) -> Result | None:
        found = [one[name] for one in rows if one.get(name)]
        return (
            {
                part: round(median(one[at] for one in found) * 1000, 3)
                for at, part in enumerate(("score", "attend", "move"))
            }
            if found
            else None
        )

    step, prefill = middle("step_s"), middle("prefill_s")
    return {
        **{name: _per(middle(name), batch) for name in ("resident_bytes", "away_bytes", "peak_bytes", "decoded_bytes")},
        "prefill_s": None if prefill is None else round(prefill, 4),
        "step_ms": None if step is None else round(step * 1000, 3),
        "tokens_per_s": round(batch / step) if step else None,
        "prefill_ms": split("prefill_split"),
        "decode_ms": split("decode_split"),
    }


def _per(value: float | None, batch: float) -> int | None:
    return None if value is None else round(value / batch)


def _checks(sheet: Sheet, systems: Sequence[System]) -> Iterator[Result]:
    """For each method of ours, the least favourable comparison of its kind."""
    for system in (one for one in systems if one.method):
        here = sorted((place for place in sheet.values if place[0] == system.name), key=lambda place: -place[1])
        steps = list(pairwise(here))
        yield from _check(sheet, RISES, steps, -TOLERANCE)
        lots = [(place, (CONTROL, place[1])) for place in here if place[1] < 1]
        if system.name != CONTROL:
            yield from _check(sheet, FLOOR, [pair for pair in lots if pair[1] in sheet.values], 0.0)


def _apart(first: Floats, second: Floats) -> Floats:
    """Sequence by sequence, of those that both saw: batches come in one order."""
    both = min(len(first), len(second))
    return first[:both] - second[:both]


def _check(sheet: Sheet, what: str, pairs: Sequence[tuple[Place, Place]], least: float) -> Iterator[Result]:
    """Passed where no interval of a difference lies below `least`."""
    found = _drawn([_apart(sheet.values[first], sheet.values[second]) for first, second in pairs], rates=False)
    if not found:
        return

    def reach(one: tuple[tuple[Place, Place], Result]) -> float:
        return float(one[1]["mean"] if one[1]["high"] is None else one[1]["high"])

    (first, second), worst = min(zip(pairs, found, strict=True), key=reach)
    yield {
        "check": what,
        "task": sheet.task,
        "system": first[0],
        "first": list(first),
        "second": list(second),
        "difference": worst,
        "least": least,
        "passed": reach(((first, second), worst)) >= least,
    }
