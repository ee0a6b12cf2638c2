"""MemDaily (Chinese): short runs of daily messages; evidence is messages.

Source: Zhang et al. 2024, "MemSim", arXiv:2409.20163.
A unit is a message; a trajectory is a case, a session and a cluster. The category is the kind of question.
32 of the 2,100 trajectories at hand ask "[ERRORQ]", where the authors' generator failed; they are left out.
"""

import re
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, moment
from memspan.bench.files import records

FAILED = "[ERRORQ]"
_WHEN = re.compile(r"(\d{4})年(\d+)月(\d+)日\D*(\d+):(\d+)")


def when(text: object) -> float | None:
    """Seconds of a message's time, or None where it cannot be read.

    >>> when("2024年04月01日 周一 08:30")
    1711960200.0
    """
    seen = _WHEN.search(str(text))
    return moment(*map(int, seen.groups())) if seen else None


def _case(number: int, row: Fields) -> Case:
    told = row["message_list"]
    units = [Unit(f"u{n}", clean(one["message"]), session="s0", at=when(one["time"])) for n, one in enumerate(told)]
    places = {one["mid"]: f"u{n}" for n, one in enumerate(told)}
    questions = [
        Question(
            id=f"q{one['qid']}",
            text=clean(one["question"]),
            gold=frozenset(places[key] for key in one["target_step_id"] if key in places),
            visible=len(units),
            category=str(row.get("file", ""))[:2],
            at=when(one.get("time")),
            answers=(clean(one["answer"]),),
            choices=tuple(map(clean, (one.get("choices") or {}).values())),
        )
        for one in row["question_list"]
        if one["question"] != FAILED
    ]
    return Case(str(row.get("key", number)), units, questions)


def read(found: Found) -> Iterator[Case]:
    """One case a trajectory."""
    rows = (row for path in found["trajectories"] for row in records(path))
    cases = (_case(number, row) for number, row in enumerate(rows))
    return (case for case in cases if case.questions)


SETS = (
    DataSet(
        name="memdaily",
        family="",
        metric="R@5",
        parts={"trajectories": lambda seen: seen.has("message_list", "question_list", "target_step_id")},
        read=read,
    ),
)
