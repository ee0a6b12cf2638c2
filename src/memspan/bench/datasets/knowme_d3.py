"""KnowMe-Bench, data set 3: one life as a stream of 8,423 time-stamped records; evidence is records.

Source: "KnowMe-Bench", arXiv:2601.04745.
A unit is a record, its fields joined: place, deeds, words, thoughts. The time stamp is its time, not its text
(BM25: .682 without, .699 with). The whole stream is one session. Each question is a cluster of its own, for there
is one life only. Right answers are given for questions about facts; those about causes and minds need a judge.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, joined, stamp
from memspan.bench.files import records

FACTS = ("Information Extraction", "Temporal Reasoning")
TEXTS = ("location", "action", "Environment", "dialogue", "Background", "Mind", "inner thought")


def _unit(n: int, row: Fields) -> Unit:
    return Unit(f"u{n}", joined(row.get(name) for name in TEXTS), session="s0", at=stamp(row["timestamp"]))


def _question(n: int, row: Fields, places: dict[int, str], visible: int) -> Question:
    return Question(
        id=f"q{n}",
        text=clean(row["question"]),
        gold=frozenset(places[key] for key in row.get("evidence") or [] if key in places),
        visible=visible,
        category=row["task"],
        answerable=row["task"] != "Adversarial Abstention",
        cluster=f"q{n}",
        answers=(clean(str(row["answer"])),) if row["task"] in FACTS else (),
    )


def read(found: Found) -> Iterator[Case]:
    """One case for each file of questions; the stream is the one beside it, else the first found."""
    for path in found["questions"]:
        stream = next((one for one in found["stream"] if one.parent == path.parent), found["stream"][0])
        rows = records(stream)
        units = [_unit(n, row) for n, row in enumerate(rows)]
        places = {row["id"]: f"u{n}" for n, row in enumerate(rows)}
        questions = [_question(n, row, places, len(units)) for n, row in enumerate(records(path))]
        yield Case(path.parent.name, units, questions)


SETS = (
    DataSet(
        name="knowme-d3",
        family="knowme-d3",
        metric="R@10",
        parts={
            "stream": lambda seen: seen.has("timestamp", "location", "Environment", "dialogue", "Background"),
            "questions": lambda seen: seen.has("task", "question", "answer", "key") and not seen.has("timestamp"),
        },
        read=read,
    ),
)
