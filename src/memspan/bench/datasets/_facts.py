"""Facts of five slots, sentences that state them, questions that ask for one slot, and near misses of them.

A fact is who, as what, where, when, for how much. A question gives four slots and asks for the fifth; a near miss
differs from the fact meant in exactly one of the four and says something else in the fifth.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import combinations, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from memspan.bench import systems
from memspan.bench.cases import Ask
from memspan.bench.datasets._ladders import draws, material, numbered, wordings

NEEDLES = 40
PAIRED = 8
RANK = 20
_POOL = 1000
_BLOCK = 1000
_FIRST_DAY, _DAYS = date(2015, 1, 1).toordinal(), 2200


class Fact(NamedTuple):
    """One slot each: a role by its first name, a day as an ordinal."""

    person: str
    role: str
    place: str
    day: int
    amount: int


@dataclass(frozen=True, slots=True)
class Needle:
    """A question, the facts that answer it, and those that nearly do.

    asked: number of the slot asked for;  wording: number of the wording of the question
    """

    asked: int
    golds: tuple[Fact, ...]
    near: tuple[Fact, ...]
    wording: int

    def answered_by(self, fact: Fact) -> bool:
        """Whether the fact has every slot that the question gives.

        >>> one = needles()[0]
        >>> one.answered_by(one.golds[0]), any(map(one.answered_by, one.near))
        (True, False)
        """
        return any(given(gold, self.asked) == given(fact, self.asked) for gold in self.golds)


def given(fact: Fact, asked: int) -> tuple[str | int, ...]:
    """The slots of a fact but the one asked for."""
    return fact[:asked] + fact[asked + 1 :]


_TOLD = (
    "On {day}, {person}, {role}, was paid {amount} in {place}.",
    "{person} came to {place} as {role} on {day} and went home with {amount}.",
    "The books of {place} show {amount} for {person}, {role}, dated {day}.",
    "{amount} went to {person} in {place} on {day}, for work as {role}.",
    "In {place} they engaged {person} as {role}; the receipt over {amount} bears the date {day}.",
    "Entry of {day}: {person} signs for {amount} at {place}, as {role}.",
)
_ASKED = (
    ("Who was the {role} paid {amount} in {place} on {day}?", "Which {role} got {amount} at {place} on {day}?"),
    (
        "For what work was {person} paid {amount} in {place} on {day}?",
        "As what did {person} get {amount} at {place} on {day}?",
    ),
    (
        "Where was {person} paid {amount} as {role} on {day}?",
        "In which town did {person}, {role}, get {amount} on {day}?",
    ),
    (
        "When was {person} paid {amount} as {role} in {place}?",
        "On which day did {person}, {role}, get {amount} at {place}?",
    ),
    (
        "How much was {person} paid as {role} in {place} on {day}?",
        "What did {person}, {role}, get at {place} on {day}?",
    ),
)


def sums(amount: int) -> tuple[str, str]:
    """The two ways in which an amount is written.

    >>> sums(4200)
    ('4,200 crowns', '4200 crowns')
    """
    return f"{amount:,} crowns", f"{amount} crowns"


@cache
def _also() -> dict[str, str]:
    return dict(material("roles"))


@cache
def _days() -> list[tuple[str, str, str, str]]:
    return [wordings(date.fromordinal(_FIRST_DAY + day)) for day in range(_DAYS)]


def tell(fact: Fact, wording: int) -> str:
    """A sentence that states the fact. wording: chooses among 6 sentences, 4 dates, 2 roles, 2 amounts.

    >>> tell(Fact("Ilona Marek", "stonemason", "Tolvik", 735672, 4200), wording=3)
    '4,200 crowns went to Ilona Marek in Tolvik on 15 March 2015, for work as stonemason.'
    """
    rest, sentence = divmod(wording, len(_TOLD))
    return _TOLD[sentence].format(**_said(fact, rest))


def _said(fact: Fact, wording: int) -> dict[str, str]:
    rest, day = divmod(wording, 4)
    return {
        "person": fact.person,
        "role": fact.role if rest % 2 == 0 else _also()[fact.role],
        "place": fact.place,
        "day": _days()[fact.day - _FIRST_DAY][day],
        "amount": sums(fact.amount)[rest // 2 % 2],
    }


WORDINGS = 6 * 4 * 2 * 2


def ask(needle: Needle) -> str:
    """The question; where two facts answer it, it names both days."""
    said = _said(needle.golds[0], needle.wording)
    if len(needle.golds) > 1:
        said["day"] += " and on " + _said(needle.golds[1], needle.wording)["day"]
    return _ASKED[needle.asked][needle.wording // 3 % 2].format(**said)


def says(fact: Fact, slot: int) -> tuple[str, ...]:
    """Every way in which a slot of the fact is written."""
    ways = (
        (fact.person,),
        (fact.role, _also()[fact.role]),
        (fact.place,),
        _days()[fact.day - _FIRST_DAY],
        sums(fact.amount),
    )
    return ways[slot]


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact and the sentence that states it."""

    fact: Fact
    text: str


@cache
def needles() -> tuple[Needle, ...]:
    """Questions with a unique answer; near misses only where the collision test and the symbolic check keep them."""
    drawn = [_needle(number) for number in range(NEEDLES)]
    checked = [replace(one, near=tuple(fact for fact in one.near if not answers_any(fact, drawn))) for one in drawn]
    pool = [one for needle in drawn for one in stated_golds(needle)]
    pool += [one for needle in checked for one in near_misses(needle)]
    pool += islice(background(drawn), _POOL)
    found = colliding([ask(one) for one in checked], [one.text for one in pool])
    near = [{pool[place].fact for place in places} for places in found]
    return tuple(
        replace(one, near=tuple(fact for fact in one.near if fact in close))
        for one, close in zip(checked, near, strict=True)
    )


def answers_any(fact: Fact, drawn: Iterable[Needle]) -> bool:
    """Whether it answers any of the questions."""
    return any(one.answered_by(fact) for one in drawn)


def colliding(questions: Sequence[str], texts: Sequence[str]) -> list[set[int]]:
    """For each question the places of the texts that BM25 or the static embedder ranks among the first 20."""
    turns = [unit.turn() for unit in numbered(texts)]
    found: list[set[int]] = [set() for _ in questions]
    for name in ("bm25", "dense"):
        system = systems.load(name)(Path())
        system.remember(turns)
        for question, places in zip(questions, found, strict=True):
            places |= {int(id.removeprefix("u")) for id in system.recall(Ask(question), RANK)}
    return found


def stated_golds(needle: Needle) -> list[Stated]:
    """What answers it, its date, trade and amount written in another way than in the question."""
    draw = draws("evermem gold", *needle.golds)
    asked = needle.wording
    day = (asked + draw.randint(1, 3)) % 4
    said = day + 4 * (1 - asked // 4 % 2) + 8 * (1 - asked // 8 % 2)
    return [Stated(fact, tell(fact, said * len(_TOLD) + draw.randrange(len(_TOLD)))) for fact in needle.golds]


def near_misses(needle: Needle) -> list[Stated]:
    """What nearly answers it, in any wording."""
    return [Stated(fact, tell(fact, draws("evermem near", *fact).randrange(WORDINGS))) for fact in needle.near]


def background(asked: Sequence[Needle]) -> Iterator[Stated]:
    """Other facts without end, none of which shares more than two of the slots that a question gives."""
    close = {
        (slots, tuple(gold[slot] for slot in slots))
        for one in asked
        for gold in one.golds
        for slots in combinations(range(5), 3)
        if one.asked not in slots
    }
    patterns = {slots for slots, _ in close}
    rare = [{gold[slot] for one in asked for gold in one.golds} for slot in range(5)]
    draw = draws("evermem background")
    while True:
        wording = draw.choices(range(WORDINGS), k=_BLOCK)
        for fact, way in zip(_facts(draw, _BLOCK), wording, strict=True):
            # any three slots have a person, a day or an amount among them: looking there first spares nine in ten
            seen = fact.person in rare[0] or fact.day in rare[3] or fact.amount in rare[4]
            if not seen or not any((slots, tuple(fact[slot] for slot in slots)) in close for slots in patterns):
                yield Stated(fact, tell(fact, way))


def _needle(number: int) -> Needle:
    draw = draws("evermem needle", number)
    paired = number >= NEEDLES - PAIRED
    asked = 4 if paired else number % 5
    gold = next(_facts(draw, 1))
    golds = (gold, gold._replace(day=_shifted(gold.day, 61), amount=gold.amount + 370)) if paired else (gold,)
    near = []
    for slot in range(5):
        if slot != asked:
            for place, value in enumerate(_nearly(gold, slot, draw)):
                miss = _with(golds[place % len(golds)], slot, value)
                near.append(_with(miss, asked, _other(golds, asked, draw)))
    return Needle(asked, golds, tuple(near), draw.randrange(16))


def _with(fact: Fact, slot: int, value: str | int) -> Fact:
    return Fact._make((*fact[:slot], value, *fact[slot + 1 :]))


def _other(golds: Sequence[Fact], slot: int, draw: Random) -> str | int:
    """What the asked slot says instead: never what a right answer says there."""
    return next(fact[slot] for fact in _facts(draw, 100) if fact[slot] not in {gold[slot] for gold in golds})


def _nearly(fact: Fact, slot: int, draw: Random) -> list[str | int]:
    """Three values that are easily taken for the fact's own: a twin first."""
    if slot == 0:
        first, last = fact.person.split(" ")
        (twin,) = [other for pair in material("twins") if last in pair for other in pair if other != last]
        others = draw.sample([name for name in material("first") if name != first], 2)
        return [f"{first} {twin}", *(f"{other} {last}" for other in others)]
    if slot in (1, 2):
        every = [name for name, _ in material("roles")] if slot == 1 else material("places")
        here = every.index(fact[slot])
        return [every[here ^ 1], *draw.sample([name for name in every if every.index(name) | 1 != here | 1], 2)]
    if slot == 3:
        return [_shifted(fact.day, days) for days in (1, 31, 365)]
    return [fact.amount + 10, fact.amount + 1000, fact.amount * 10]


def _shifted(day: int, days: int) -> int:
    return _FIRST_DAY + (day - _FIRST_DAY + days) % _DAYS


def _facts(draw: Random, count: int) -> Iterator[Fact]:
    surnames = [name for pair in material("twins") for name in pair]
    columns = (
        draw.choices(material("first"), k=count),
        draw.choices(surnames, k=count),
        draw.choices([role for role, _ in material("roles")], k=count),
        draw.choices(material("places"), k=count),
        draw.choices(range(_DAYS), k=count),
        draw.choices(range(20, 1000), k=count),
    )
    for first, last, role, place, day, tens in zip(*columns, strict=True):
        yield Fact(f"{first} {last}", role, place, _FIRST_DAY + day, tens * 10)
