"""Streams of facts in which the last word counts, generated anew from a seed; names and values are invented.

`pi-llm-syn`: keys that are updated over and over, in turns. Source: Wang and Sun 2025, "Unable to Forget: Proactive
Interference Reveals Working Memory Limits in LLMs Beyond Context Length", arXiv:2506.08184.
Ours differs: a value may be a word of another key, which plain word search falls for.
`fact-consolidation-syn`: numbered facts, a share of them stated again with another object; the larger number holds.
Source: Hu et al. 2025, "Evaluating Memory in LLM Agents via Incremental Multi-Turn Interactions", arXiv:2507.05257.
Ours differs: one edge a question, no chains. These are stand-ins and give no score of the benchmarks themselves.
"""

import random
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from memspan.core.tokens import estimate

START = 1_700_000_000.0
STEP_S = 60.0
RESTATED = 0.3

_RELATIONS = """
author, capital, chairperson, chief executive officer, country of citizenship, currency, director, employer, father,
founder, head coach, headquarters, head of state, mother, official language, place of birth, place of death, religion,
spouse, university
"""
_SYLLABLES = """
bra dor fen gal hul jas kel lom mar nor pel quin ros sal tor ul ven wil xan yor zel
a e i o u an el in or us ia eth ond ash
"""
RELATIONS = tuple(" ".join(name.split()) for name in _RELATIONS.split(","))
_FIRST, _THEN = (line.split() for line in _SYLLABLES.strip().splitlines())

Edge = tuple[str, str]
"""(relation, subject)."""


@dataclass(frozen=True, slots=True)
class Told:
    """A turn of the stream. at: [s]"""

    id: str
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about what held at some time.

    as_of: when [s], None = now;  right: ids of turns with the value that held then
    stale: ids of those with a value that no longer held, or not yet
    """

    question: str
    right: frozenset[str]
    stale: frozenset[str]
    as_of: float | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What is told, in order, and what is asked at the end. tokens: of all turns [tokens]"""

    name: str
    told: Sequence[Told]
    asked: Sequence[Asked]

    @property
    def tokens(self) -> int:
        """Size of the text, estimated."""
        return sum(estimate(turn.text) for turn in self.told)


def key_stream(keys: int, updates: int, seed: int, looks_back: int = 5) -> Stream:
    """Every key updated so many times, in turns; asked for its last value, and for its value at some earlier moments.

    >>> stream = key_stream(keys=2, updates=3, seed=1)
    >>> len(stream.told), len(stream.asked), stream.told[0].text
    (6, 6, 'visual ulond: galin')
    """
    draw = random.Random(seed)  # noqa: S311
    names = _distinct(keys, lambda: f"{draw.choice(('visual', 'folk', 'early', 'late'))} {_word(draw)}")
    told: list[Told] = []
    versions: dict[str, list[tuple[float, str, str]]] = {name: [] for name in names}
    for _ in range(updates):
        for name in draw.sample(names, len(names)):
            turn = Told(f"t{len(told)}", f"{name}: {_other(draw, versions[name])}", START + STEP_S * len(told))
            told.append(turn)
            versions[name].append((turn.at, turn.text.split(": ")[1], turn.id))
    asked = [one for name in names for one in _asked(f"What is {name} now?", versions[name], draw, looks_back)]
    return Stream(f"pi-llm-syn, {keys} keys", told, asked)


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbered facts in order, and what was said of each edge.

    versions: (relation, subject) -> (at [s], object, id of the turn), oldest first
    """

    told: Sequence[Told]
    versions: Mapping[Edge, Sequence[tuple[float, str, str]]]


def numbered_facts(tokens: int, draw: random.Random, chained: float = 0.0) -> Facts:
    """Numbered facts up to a size, 30 % stated again with another object; the larger number holds.

    tokens: how many at least [tokens];  chained: share of the facts whose object is a subject of others [0..1]
    """
    told: list[Told] = []
    versions: dict[Edge, list[tuple[float, str, str]]] = {}
    size, subjects = 0, [_name(draw) for _ in range(max(8, tokens // 60))]
    while size < tokens:
        if versions and draw.random() < RESTATED / (1 + RESTATED):
            edge = draw.choice(list(versions))
        else:
            edge = _new_edge(draw, subjects, versions)
        said, number = versions.setdefault(edge, []), len(told)
        if chained and draw.random() < chained:
            taken = {edge[1], *(value for _, value, _ in said[-1:])}
            value = draw.choice([name for name in subjects if name not in taken])
        else:
            value = _other(draw, said, capital=True)
        turn = Told(f"t{number}", f"{number}. The {edge[0]} of {edge[1]} is {value}.", START + STEP_S * number)
        said.append((turn.at, value, turn.id))
        told.append(turn)
        size += estimate(turn.text)
    return Facts(told, versions)


def fact_stream(tokens: int, seed: int, questions: int = 200) -> Stream:
    """Numbered facts up to a size, 30 % stated again with another object; asked for one edge each.

    >>> stream = fact_stream(tokens=200, seed=1)
    >>> stream.told[0].text
    '0. The director of Rosia Braor is Norusul.'
    """
    draw = random.Random(seed)  # noqa: S311
    facts = numbered_facts(tokens, draw)
    chosen = draw.sample(sorted(facts.versions), min(questions, len(facts.versions)))
    asked = [
        one
        for edge in chosen
        for one in _asked(f"What is the {edge[0]} of {edge[1]}?", facts.versions[edge], draw, looks_back=2)
    ]
    return Stream(f"fact-consolidation-syn, {round(tokens / 1000)}k tokens", facts.told, asked)


def _new_edge(draw: random.Random, subjects: Sequence[str], taken: Container[Edge]) -> Edge:
    while True:
        edge = (draw.choice(RELATIONS), draw.choice(subjects))
        if edge not in taken:
            return edge


def _asked(
    question: str, said: Sequence[tuple[float, str, str]], draw: random.Random, looks_back: int
) -> Iterator[Asked]:
    """Now, and at some moments while an earlier version held."""
    yield _at(question, said, len(said) - 1, None)
    earlier = range(len(said) - 1)
    for place in draw.sample(earlier, min(looks_back, len(earlier))):
        yield _at(question, said, place, (said[place][0] + said[place + 1][0]) / 2)


def _at(question: str, said: Sequence[tuple[float, str, str]], place: int, as_of: float | None) -> Asked:
    right = frozenset(id for _, value, id in said[: place + 1] if value == said[place][1])
    return Asked(question, right, frozenset(id for _, _, id in said) - right, as_of)


def _other(draw: random.Random, said: Sequence[tuple[float, str, str]], *, capital: bool = False) -> str:
    """A value that is not the last one."""
    while True:
        value = _word(draw).capitalize() if capital else _word(draw)
        if not said or said[-1][1] != value:
            return value


def _word(draw: random.Random) -> str:
    return draw.choice(_FIRST) + draw.choice(_THEN) + draw.choice(("", "", draw.choice(_FIRST)))


def _name(draw: random.Random) -> str:
    return f"{_word(draw).capitalize()} {_word(draw).capitalize()}"


def _distinct(count: int, make: Callable[[], str]) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names[make()] = None
    return list(names)
