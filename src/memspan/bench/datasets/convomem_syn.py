"""convomem-syn: what one person said and was told, asked among 2 to 300 conversations in which others own the same.

Source: Pakhomov et al. 2025, "ConvoMem Benchmark: Why Your First 150 Conversations Don't Need RAG", arXiv:2511.10523:
its six kinds of question, 1 to 4 messages of evidence, its ladder of conversations, its three checks of evidence.
Ours differs: conversations have 20 messages instead of about 100, texts are written from templates of ours, and the
checks (the evidence answers; without it nothing does; no message of it can be missing) are made by following triples,
not by a model. Every conversation also says the same sort of thing of other people: those are the near misses.
The evidence is the same on every rung. A stand-in: it gives no score of the benchmark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._convomem import (
    ASSISTANT,
    CHAIN,
    CHAIN_ASKED,
    CHANGING,
    FACTS,
    FIRMS,
    IMPLICIT,
    KIN,
    PREFERENCES,
    REPLIES,
    Kind,
)
from memspan.bench.datasets._ladders import draws, material
from memspan.core.records import Role

PEOPLE = 4
RUNGS = (2, 4, 10, 30, 100, 300)
EXCHANGES = 10
_START, _DAY, _MINUTE = 1_735_812_000.0, 86_400.0, 60.0  # from 2025-01-02
Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """A message with what it states, as (whose, what, value).

    topic: number of the question it bears on, -1 = none;  evidence: whether that question needs it
    before: what the user says before, where the assistant states it;  after: what the assistant replies
    """

    text: str
    facts: tuple[Triple, ...] = ()
    topic: int = -1
    evidence: bool = False
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """A question, the path that leads from the person to its answer, and the messages that bear on it."""

    category: str
    text: str
    path: tuple[str, ...]
    answer: str
    reads: str
    said: tuple[Said, ...] = field(default=())


def solve(facts: Sequence[Triple], path: Sequence[str]) -> str | None:
    """Where the path ends, the last word counting at each step; None where a step is missing.

    >>> solve([("me", "sister", "Mira"), ("Mira", "works at", "mill")], ["me", "sister", "works at"])
    'mill'
    """
    here = path[0]
    for step in path[1:]:
        values = [value for whose, what, value in facts if (whose, what) == (here, step)]
        if not values:
            return None
        here = values[-1]
    return here


def topics(person: int) -> list[Topic]:
    """The seven questions of one person: six kinds, the facts as one message and as a chain of several."""
    draw = draws("convomem person", person)
    one, changing, liked, linked, told = (
        kinds[person % len(kinds)] for kinds in (FACTS, CHANGING, PREFERENCES, IMPLICIT, ASSISTANT)
    )
    withheld = FACTS[(person + 1) % len(FACTS)]
    return [
        _topic(0, "user fact", one, draw, one.mine),
        _chained(1, person, (2, 3, 4, 3)[person % 4], draw),
        _topic(2, "assistant fact", told, draw, told.mine),
        _topic(3, "changing fact", changing, draw, changing.mine[: 2 + person % 2]),
        _topic(4, "abstention", withheld, draw, ()),
        _topic(5, "preference", liked, draw, liked.mine),
        _linked(6, linked, draw),
    ]


def _topic(number: int, category: str, kind: Kind, draw: Random, sentences: Sequence[str]) -> Topic:
    values = draw.sample(kind.values, max(1, len(sentences)))
    said = [
        Said(sentence.format(v=value), (("me", kind.name, value),), number, True, kind.lead)
        for sentence, value in zip(sentences, values, strict=False)
    ]
    answer = values[-1] if said else ""
    return Topic(category, kind.asked, ("me", kind.name), answer, kind.reads, tuple(said))


def _linked(number: int, kind: Kind, draw: Random) -> Topic:
    first, value = draw.choice(kind.first), draw.choice(kind.values)
    while value == first:
        value = draw.choice(kind.values)
    mine, fact = kind.mine
    said = (
        Said(mine.format(w=first), (("me", kind.name, first),), number, True),
        Said(fact.format(w=first, v=value), ((first, kind.name, value),), number, True),
    )
    return Topic("implicit connection", kind.asked, ("me", kind.name, kind.name), value, kind.reads, said)


def _chained(number: int, person: int, length: int, draw: Random) -> Topic:
    slots = {
        "kin": draw.choice(KIN),
        "name": material("first")[person],
        "firm": draw.choice(FIRMS),
        "place": draw.choice(material("places")),
        "track": str(draw.randint(1, 9)),
    }
    steps = ("me", slots["kin"], "works at", "stands in", "leave from")
    values = ("me", slots["name"], slots["firm"], slots["place"], slots["track"])
    said = [
        Said(CHAIN[step].format(**slots), ((values[step], steps[step + 1], values[step + 1]),), number, True)
        for step in range(length)
    ]
    text, reads = CHAIN_ASKED[length]
    path = ("me", *steps[1 : length + 1])
    return Topic("user fact", text.format(**slots), path, values[length], reads, tuple(said))


def near_miss(number: int, topic: Topic, draw: Random) -> Said:
    """The same sort of thing, said of somebody else, with another value."""
    other = draw.choice(material("first")[PEOPLE:])
    for kind in (*FACTS, *CHANGING, *PREFERENCES, *IMPLICIT, *ASSISTANT):
        if kind.asked == topic.text:
            value = draw.choice([one for one in kind.values if one != topic.answer])
            facts = ((other, kind.name, value),)
            return Said(kind.other.format(o=other, v=value), facts, number, before=kind.lead)
    length = len(topic.said)
    said = {fact[2] for one in topic.said for fact in one.facts}
    firm = draw.choice([one for one in FIRMS if one not in said])
    place = draw.choice([one for one in material("places") if one not in said])
    track = draw.choice([one for one in map(str, range(1, 10)) if one not in said])
    text = CHAIN[length - 1].format(name=other, firm=firm, place=place, track=track)
    start, value = ((other, firm), (firm, place), (place, track))[length - 2]
    return Said(text, ((start, topic.path[-1], value),), number)


def conversations(person: int, count: int) -> list[list[Said]]:
    """A person's history: two conversations with the evidence, in the same words on every rung, among others."""
    asked = topics(person)
    evidence = _evidence(asked, draws("convomem evidence", person))
    first, second = sorted(draws("convomem places", person, count).sample(range(count), 2))
    history = [_small(asked, draws("convomem talk", person, number)) for number in range(count)]
    history[first], history[second] = evidence[:EXCHANGES], evidence[EXCHANGES:]
    return history


def _led(said: Said, draw: Random) -> Said:
    """Half of what is stated comes behind something else, so that its length tells nothing."""
    if draw.random() < 0.5:
        return said
    return replace(said, text=f"{draw.choice(material('chat'))[1 if said.before else 0]} {said.text}")


def _evidence(asked: Sequence[Topic], draw: Random) -> list[Said]:
    """Twenty messages: all evidence, what of one topic in its order, and a near miss of each topic."""
    slots: list[Said] = [_chat(draw) for _ in range(2 * EXCHANGES)]
    free = list(range(len(slots)))
    for topic in asked:
        places = sorted(draw.sample(free, len(topic.said)))
        for place, said in zip(places, topic.said, strict=True):
            slots[place] = _led(said, draw)
            free.remove(place)
    for number, topic in enumerate(asked):
        slots[free.pop(draw.randrange(len(free)))] = _led(near_miss(number, topic, draw), draw)
    return slots


def _small(asked: Sequence[Topic], draw: Random) -> list[Said]:
    """A conversation about nothing, in which two things are said of other people."""
    slots = [_chat(draw) for _ in range(EXCHANGES)]
    for place, number in zip(draw.sample(range(EXCHANGES), 2), draw.sample(range(len(asked)), 2), strict=True):
        slots[place] = _led(near_miss(number, asked[number], draw), draw)
    return slots


def _chat(draw: Random) -> Said:
    lines = draw.sample(material("chat"), 2)
    return Said(" ".join(line for line, _ in lines), after=lines[1][1])


def read(found: Found) -> Iterator[Case]:
    """The histories; they are made, so no file is read."""
    for count in RUNGS:
        for person in range(PEOPLE):
            yield _case(person, count)


def _case(person: int, count: int) -> Case:
    units: list[Unit] = []
    golds: dict[int, list[str]] = {}
    near: dict[int, list[str]] = {}
    for day, talk in enumerate(conversations(person, count)):
        draw = draws("convomem replies", person, count, day)
        for said in talk:
            for role, text in _exchange(said, draw):
                if text == said.text and said.topic >= 0:
                    (golds if said.evidence else near).setdefault(said.topic, []).append(f"u{len(units)}")
                units.append(_unit(len(units), text, role, day))
    questions = [
        _question(number, topic, golds.get(number, []), near.get(number, []), units)
        for number, topic in enumerate(topics(person))
    ]
    return Case(f"convomem-{count}-{person}", units, questions, count, f"person-{person}")


def _exchange(said: Said, draw: Random) -> tuple[tuple[Role, str], tuple[Role, str]]:
    if said.before:
        return ("user", said.before), ("assistant", said.text)
    return ("user", said.text), ("assistant", said.after or draw.choice(REPLIES))


def _unit(number: int, text: str, role: Role, day: int) -> Unit:
    return Unit(f"u{number}", text, role, role, f"s{day}", _START + day * _DAY + number * _MINUTE)


def _question(number: int, topic: Topic, said: Sequence[str], near: Sequence[str], units: Sequence[Unit]) -> Question:
    changing = topic.category == "changing fact"
    return Question(
        id=f"q{number}",
        text=topic.text,
        gold=frozenset(said[-1:] if changing else said),
        visible=len(units),
        category=topic.category,
        answerable=bool(said),
        cluster=f"q{number}",
        at=(units[-1].at or 0.0) + _DAY,
        answers=(topic.answer,) if said else (),
        stale=frozenset(said[:-1] if changing else ()),
        negatives=frozenset(near),
        reads=topic.reads if said else "",
    )


SETS = (DataSet(name="convomem-syn", family="", metric="all@10", parts={}, read=read, protocol="sessions"),)
