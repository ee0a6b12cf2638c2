"""letta-core: facts kept for an agent, and one more that contradicts the answer to a question.

Source: letta-ai/letta-evals, core-memory-update-agent; docs/benchmarks.md names the fields it is known by.
The evidence is the facts that answered the question before. Right: the new fact comes before every one of them.
The control: questions of the same group that stand on other facts, which the new one should leave alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memspan.bench.cases import Fields
from memspan.bench.datasets._text import clean
from memspan.bench.files import having, records

FIELDS = ("facts", "contradicting_fact", "supporting_fact_indices", "question", "group")


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A group of facts, a new fact, the question it is about, and others.

    evidence: places of the facts that answered `question` before
    others: questions that it does not touch, with the places of their evidence
    """

    id: str
    facts: Sequence[str]
    new: str
    question: str
    evidence: frozenset[int]
    others: Sequence[tuple[str, frozenset[int]]]


def files(data: Path) -> list[Path]:
    """Where the set lies under a folder. Raises UsageError where it does not."""
    return having(data, "letta-core", FIELDS)


def contradicted(paths: Sequence[Path]) -> Iterator[Contradicted]:
    """The cases, in the order of the files."""
    rows = [row for path in paths for row in records(path)]
    groups: dict[str, list[Fields]] = defaultdict(list)
    for row in rows:
        groups[row["group"]].append(row)
    for number, row in enumerate(rows):
        evidence = frozenset(row["supporting_fact_indices"])
        others = [
            (clean(other["question"]), frozenset(other["supporting_fact_indices"]))
            for other in groups[row["group"]]
            if other["facts"] == row["facts"] and evidence.isdisjoint(other["supporting_fact_indices"])
        ]
        facts = [clean(fact) for fact in row["facts"]]
        yield Contradicted(
            f"{row['group']}-{number}",
            facts,
            clean(row["contradicting_fact"]),
            clean(row["question"]),
            evidence,
            others,
        )
