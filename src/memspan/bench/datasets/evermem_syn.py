"""evermem-syn: few facts among ever more of their kind, with and without near misses that collide with the question.

Source: the access ladder of EverMemBench-S; its data and code are not published, so the rules below are ours.
Facts of five slots are written by machine from words of ours. A question gives all slots but one. Its near misses
differ in one given slot, say something else in the asked one, and stand among the first 20 for BM25 or the static
embedder (within the facts, all near misses and 1,000 others); that none answers is checked slot by slot.
Categories: `adversarial` has the near misses among the units, `benign` the same questions with other facts in their
place. Their difference is the gap. Every rung holds the facts of the rung below. No unit has a time: dates stand in
the text. This is a stand-in and gives no score of the benchmark.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache
from itertools import islice

from memspan.bench.cases import Case, DataSet, Found, Question
from memspan.bench.datasets._facts import (
    Fact,
    Needle,
    Stated,
    ask,
    background,
    near_misses,
    needles,
    says,
    stated_golds,
)
from memspan.bench.datasets._ladders import draws, material, numbered, wordings


def read(size: int) -> Callable[[Found], Iterator[Case]]:
    """Reads the two cases of a rung. size: units a case"""

    def cases(found: Found) -> Iterator[Case]:
        others = list(islice(background(needles()), size))
        for category in ("adversarial", "benign"):
            yield _case(size, category, others)

    return cases


def _case(size: int, category: str, others: list[Stated]) -> Case:
    asked = needles()
    stated = [one for needle in asked for one in stated_golds(needle)]
    if category == "adversarial":
        stated += [one for needle in asked for one in near_misses(needle)]
    stated += others[: size - len(stated)]
    draws("evermem order", size).shuffle(stated)
    place = {one.fact: f"u{number}" for number, one in enumerate(stated)}
    questions = [_question(number, needle, category, place) for number, needle in enumerate(asked)]
    units = numbered(one.text for one in stated)
    return Case(f"evermem-{size}-{category}", units, questions, size, "evermem")


def _question(number: int, needle: Needle, category: str, place: dict[Fact, str]) -> Question:
    return Question(
        id=f"{category}-{number}",
        text=ask(needle),
        gold=frozenset(place[fact] for fact in needle.golds),
        visible=len(place),
        category=category,
        cluster=f"needle-{number}",
        answers=tuple(way for fact in needle.golds for way in says(fact, needle.asked)),
        negatives=frozenset(place[fact] for fact in needle.near if fact in place),
        reads=_reads()[needle.asked],
    )


@cache
def _reads() -> tuple[str, ...]:
    """How a sentence states each slot."""
    surnames = [name for pair in material("twins") for name in pair]
    months = {ways[0].split()[1] for month in range(1, 13) for ways in [wordings(date(2021, month, 1))]}
    month = "|".join(sorted(months))
    day = rf"(\d+ (?:{month}) \d+|(?:{month}) \d+, \d+|\d+-\d\d-\d\d|the \d+\w\w of (?:{month}) \d+)"
    return (
        rf"\b({_one_of(material('first'))} {_one_of(surnames)})\b",
        rf"\b({_one_of([name for pair in material('roles') for name in pair])})\b",
        rf"\b({_one_of(material('places'))})(?![\w'])",
        day,
        r"([\d,]+ crowns)",
    )


def _one_of(names: Iterable[str]) -> str:
    return f"(?:{'|'.join(re.escape(name) for name in sorted(names, key=len, reverse=True))})"


def rung(name: str, size: int) -> DataSet:
    """The data set of one rung. size: units a case"""
    return DataSet(name=f"evermem-syn-{name}", family="", metric="all@10", parts={}, read=read(size), protocol="corpus")


SETS = (rung("1k", 1_000), rung("10k", 10_000), rung("100k", 100_000))
