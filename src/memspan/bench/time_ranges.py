"""The range of time that a question means, read by rules, against ranges that a language model wrote.

Data: the questions of Time-Dialog with their `question_time_range` (docs/benchmarks.md). A label's end is the last
second that counts, ours the first that no longer does, so a second is added to it. "unknown", and the day on which the
labels were made, are no ends: the questions were labelled without a time of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import inf
from pathlib import Path
from time import perf_counter

from memspan.bench.cases import Fields
from memspan.bench.files import fingerprint, having, records
from memspan.bench.machine import head, line
from memspan.bench.report import Result
from memspan.bench.tables import table
from memspan.text.extract.dates import meant

SCHEMA = "memspan.bench.ranges/1"
SLACK_SECONDS = 1.0
"""Labels end "before 10:00" at 9:59:59 or at 10:00:00, as it happens."""

_LABELLED = "2025-07-17"
_FIELDS = ("question", "question_time_range", "start", "end")
_HALVES = ("first half", "second half", "all")

Range = tuple[float, float]
Reader = Callable[[str], Range | None]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and the range it was given, half-open; an end that was not given is infinite."""

    question: str
    gold: Range
    half: str


def score(ours: Range | None, gold: Range) -> tuple[bool, float]:
    """Whether both ends are right to the second, and overlap over union.

    >>> score((0.0, 10.0), (5.0, 10.0))
    (False, 0.5)
    """
    if ours is None:
        return False, 0.0
    exact = all(ours[n] == gold[n] or abs(ours[n] - gold[n]) <= SLACK_SECONDS for n in (0, 1))
    shared = min(ours[1], gold[1]) - max(ours[0], gold[0])
    union = max(ours[1], gold[1]) - min(ours[0], gold[0])
    return exact, max(0.0, shared) / union if union < inf else 0.0


def labelled(data: Path) -> Iterator[Labelled]:
    """The questions under a folder. Raises UsageError where there are none."""
    for path in having(data, "time-ranges", _FIELDS):
        for row in records(path):
            if (gold := _gold(row["question_time_range"])) is not None:
                odd = int(sha256(str(row["id"]).encode()).hexdigest(), 16) % 2
                yield Labelled(row["question"], gold, _HALVES[odd])


def _gold(label: Fields) -> Range | None:
    """None where the label is of another shape."""
    start, end = label["start"], label["end"]
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    first, last = _seconds(start), _seconds(end)
    return (-inf if first is None else first, inf if last is None else last + 1.0)


def _seconds(moment: str) -> float | None:
    if moment.startswith(_LABELLED):
        return None
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def measure(data: Path, command: Sequence[str], reader: Reader = meant) -> Result:
    """Score a reader of questions, and time it. command: what the user typed, kept in the result"""
    questions = list(labelled(data))
    start = perf_counter()
    read = [(one, reader(one.question)) for one in questions]
    took = perf_counter() - start
    parts = {half: [pair for pair in read if half in (pair[0].half, "all")] for half in _HALVES}
    return {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "us_per_question": round(took / len(questions) * 1e6, 1),
        "results": {half: _part(pairs) for half, pairs in parts.items()},
        "files": [{"file": path.name, "sha256": fingerprint(path)} for path in having(data, "time-ranges", _FIELDS)],
    }


def _part(pairs: Sequence[tuple[Labelled, Range | None]]) -> Result:
    closed = [score(ours, one.gold) for one, ours in pairs if one.gold[0] > -inf and one.gold[1] < inf]
    half = [score(ours, one.gold)[0] for one, ours in pairs if (one.gold[0] > -inf) != (one.gold[1] < inf)]
    none = [ours is None for one, ours in pairs if one.gold == (-inf, inf)]
    return {
        "closed": len(closed),
        "exact": _mean([float(exact) for exact, _ in closed]),
        "iou": _mean([iou for _, iou in closed]),
        "half_open": len(half),
        "half_open_exact": _mean([float(exact) for exact in half]),
        "without": len(none),
        "without_right": _mean([float(right) for right in none]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def markdown(result: Result) -> str:
    """The result as a table."""
    rows = [
        [half, *("-" if part[name] is None else str(part[name]) for name in _COLUMNS)]
        for half, part in result["results"].items()
    ]
    parts = [
        "# memspan bench ranges",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        table(["questions", *_COLUMNS.values()], rows),
        f"{result['us_per_question']} us a question. Rules were written with the first half in view (sha256 of the id"
        " is even). Exact: both ends within a second. IoU: overlap over union. Half-open labels name one end only."
        " Without: the label names no time, and right is to read none.",
        table(["file", "sha256"], [[one["file"], one["sha256"]] for one in result["files"]]),
    ]
    return "\n\n".join(parts) + "\n"


_COLUMNS = {
    "closed": "with both ends",
    "exact": "exact",
    "iou": "mean IoU",
    "half_open": "half-open",
    "half_open_exact": "exact of these",
    "without": "without",
    "without_right": "right of these",
}
