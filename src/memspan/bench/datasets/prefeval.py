"""PrefEval, pooled: the preferences of many people in one memory; evidence is the one a question needs.

Source: Zhao et al. 2025, "Do LLMs Recognize Your Preferences?", arXiv:2502.09597.
Ours differs: the authors put one preference before each question; here all of a file are pooled.
A unit is a preference, a session of its own. Each question is a cluster of its own.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records


def read(found: Found) -> Iterator[Case]:
    """One case a file."""
    for path in found["preferences"]:
        rows = records(path)
        units = [Unit(f"u{n}", clean(row["preference"]), session=f"s{n}") for n, row in enumerate(rows)]
        questions = [
            Question(
                id=f"q{n}",
                text=clean(row["question"]),
                gold=frozenset([f"u{n}"]),
                visible=len(units),
                category=str(row.get("topic", "")),
                cluster=f"q{n}",
            )
            for n, row in enumerate(rows)
        ]
        yield Case(path.parent.name, units, questions)


SETS = (
    DataSet(
        name="prefeval",
        family="prefeval",
        metric="hit@10",
        parts={"preferences": lambda seen: seen.has("preference", "question", "implicit_choice")},
        read=read,
    ),
)
