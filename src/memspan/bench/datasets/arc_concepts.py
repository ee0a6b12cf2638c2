"""ARC concepts: which of the noted concepts does a puzzle need? Evidence is concepts.

Source: Ho et al. 2025, "ArcMemo: Abstract Reasoning Composition with Lifelong LLM Memory", arXiv:2509.04439.
A unit is a concept: its name, what it is and its cues, as the first puzzle that describes it does; each is a session
of its own. A question is what a model wrote on seeing a puzzle, two models a puzzle; a puzzle is a cluster.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Unit
from memspan.bench.datasets._text import clean, joined
from memspan.bench.files import records

NOTHING = "N/A"


def concept(name: str, row: Fields) -> str:
    """A concept as one text.

    >>> concept("holes", {"Description": "empty spaces", "Cues": ["rings", "dots"]})
    'holes: empty spaces rings dots'
    >>> concept("holes", {})
    'holes'
    """
    cues = row.get("Cues")
    said = [row.get("Description"), *(cues if isinstance(cues, list) else [cues])]
    text = joined(one for one in said if one != NOTHING)
    return clean(f"{name}: {text}" if text else name)


def read(found: Found) -> Iterator[Case]:
    """One case a file."""
    for path in found["puzzles"]:
        rows = records(path)
        noted: dict[str, Fields] = {}
        for row in rows:
            for name, note in row["concepts"].items():
                noted[name] = noted.get(name) or note or {}
        places = {name: f"u{n}" for n, name in enumerate(noted)}
        units = [Unit(f"u{n}", concept(name, note), session=f"s{n}") for n, (name, note) in enumerate(noted.items())]
        questions = [
            Question(
                id=f"q{n}-{writer}",
                text=clean(seen["description"]),
                gold=frozenset(places[name] for name in row["concepts"]),
                visible=len(units),
                cluster=f"q{n}",
            )
            for n, row in enumerate(rows)
            for writer, seen in enumerate(row["descriptions"].values())
        ]
        yield Case(path.parent.name, units, questions)


# In no macro mean: 26 puzzles.
SETS = (
    DataSet(
        name="arc-concepts",
        family="",
        metric="R@10",
        parts={"puzzles": lambda seen: seen.has("puzzle", "descriptions", "concepts")},
        read=read,
    ),
)
