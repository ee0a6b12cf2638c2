"""letta-core: ten facts kept for an agent, questions on them, and one more fact that contradicts an answer.

Source: letta-ai/letta-evals, letta-leaderboard/core-memory-read-agent and core-memory-update-agent.
A unit is a fact, each a session of its own; told at one time, the contradicting one a day later.
letta-core-read: one case for each ten facts; evidence is the facts that answer a question, which only the update file
names. letta-core-update: one case a question, its ten facts and the contradicting one as the last; evidence is that
one, and the old facts are `stale`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import clean
from memspan.bench.files import records

_TOLD = 1_704_103_200.0  # 2024-01-01; the file has no time
_DAY_S = 86_400.0


def _units(facts: Sequence[str]) -> list[Unit]:
    return [Unit(f"u{n}", clean(fact), session=f"s{n}", at=_TOLD) for n, fact in enumerate(facts)]


def _old(row: Fields) -> frozenset[str]:
    return frozenset(f"u{n}" for n in row["supporting_fact_indices"])


def read(found: Found) -> Iterator[Case]:
    """One case for each ten facts, nothing contradicted yet."""
    evidence = {(row["group"], row["question"]): _old(row) for path in found["updates"] for row in records(path)}
    groups: dict[tuple[str, ...], list[Fields]] = defaultdict(list)
    for path in found["questions"]:
        for row in records(path):
            groups[row["group"], *row["facts"]].append(row)
    for number, ((group, *facts), rows) in enumerate(groups.items()):
        questions = [
            Question(
                id=f"q{n}",
                text=clean(row["question"]),
                gold=evidence.get((group, row["question"]), frozenset()),
                visible=len(facts),
                answers=(clean(str(row["answer"])),),
            )
            for n, row in enumerate(rows)
        ]
        yield Case(f"g{number}", _units(facts), questions, group=group)


def read_updates(found: Found) -> Iterator[Case]:
    """One case a question; the cases of one group are one cluster."""
    rows = (row for path in found["updates"] for row in records(path))
    for number, row in enumerate(rows):
        units = _units(row["facts"])
        units.append(Unit(f"u{len(units)}", clean(row["contradicting_fact"]), session="later", at=_TOLD + _DAY_S))
        question = Question(
            id="q0",
            text=clean(row["question"]),
            gold=frozenset([units[-1].id]),
            visible=len(units),
            answers=(clean(str(row["contradicting_answer"])),),
            stale=_old(row),
        )
        yield Case(f"q{number}", units, [question], group=row["group"])


def _updates(seen: Sniff) -> bool:
    return seen.has("group", "question", "facts", "contradicting_fact", "supporting_fact_indices")


# In no macro mean: ten facts are no haystack; they show what comes first, and which of two that disagree.
SETS = (
    DataSet(
        name="letta-core-read",
        family="",
        metric="MRR",
        parts={
            "questions": lambda seen: (
                seen.has("group", "question", "facts", "names") and not seen.has("contradicting_fact")
            ),
            "updates": _updates,
        },
        read=read,
    ),
    DataSet(name="letta-core-update", family="", metric="MRR", parts={"updates": _updates}, read=read_updates),
)
