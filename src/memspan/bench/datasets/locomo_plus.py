"""LoCoMo-Plus, pooled: short talks, and later lines that only make sense with one of them; evidence is talks.

Source: Li et al. 2026, "Locomo-Plus: Beyond-Factual Cognitive Memory Evaluation Framework for LLM Agents",
arXiv:2602.10715.
Ours differs: the authors hide each talk (cue) in a LoCoMo conversation; here all of a file are one memory.
A unit is a cue, both its lines, a session of its own; the question is the trigger. Each is a cluster of its own.
The authors kept the pairs that BM25 and two embedders rank low, so plain retrieval is near nothing by construction.
"""

from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records


def read(found: Found) -> Iterator[Case]:
    """One case a file."""
    for path in found["pairs"]:
        rows = records(path)
        units = [Unit(f"u{n}", clean(row["cue_dialogue"]), session=f"s{n}") for n, row in enumerate(rows)]
        questions = [
            Question(
                id=f"q{n}",
                text=clean(row["trigger_query"]),
                gold=frozenset([f"u{n}"]),
                visible=len(units),
                category=row["relation_type"],
                cluster=f"q{n}",
            )
            for n, row in enumerate(rows)
        ]
        yield Case(path.parent.name, units, questions)


# In no macro mean: filtered against retrievers, so it shows a ceiling and is no fair part of an average.
SETS = (
    DataSet(
        name="locomo-plus",
        family="",
        metric="hit@10",
        parts={"pairs": lambda seen: seen.has("cue_dialogue", "trigger_query", "relation_type")},
        read=read,
    ),
)
