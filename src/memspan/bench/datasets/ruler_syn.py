"""ruler-syn: needles in noise that a store must all find: what is missed in `ruler-syn-needles` is a bug.

Source: Hsieh et al. 2024, "RULER: What's the Real Context Size of Your Long-Context Language Models?",
arXiv:2404.06654, sections 3.1 and 3.2 (single, multi-key, multi-value and multi-query needles, variable tracking), and
Zhang et al. 2024, "InfiniteBench: Extending Long Context Evaluation Beyond 100K Tokens", arXiv:2402.13718 (passkey,
number string, key-value retrieval). Ours differs: the memory is a store, so the noise is written as turns, and all
tasks of one size share one history; the noise is ours.
Variable tracking is a set of its own, `ruler-syn-chain`: the question names the value only, so that its later links
are found by a store that follows them and by no other. Stand-ins: they give no score of the benchmarks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question
from memspan.bench.datasets._ladders import draws, material, numbered
from memspan.core.tokens import estimate

RUNGS = (8_000, 32_000, 128_000)
HISTORIES = 2
NEEDLES = {"passkey": 1, "number": 1, "key-value": 6, "multi-key": 4, "multi-value": 3, "multi-query": 3}
CHAINS = {"chain": 8}
"""How many questions of each task a history holds."""
VALUES = 4
LINKS = 4
_NEEDLES = 0.15
"""Share of the tokens in keys that nobody asks for: they are the near misses."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question with the sentences that answer it. place: numbers of its sentences among all that are not noise"""

    category: str
    text: str
    places: tuple[int, ...]
    answers: tuple[str, ...]
    reads: str


def _line(draw: Random) -> str:
    """A line of noise: small talk, a thing and a place, so that hardly one is like another."""
    chat = draw.choice(draw.choice(material("chat")))
    return f"{chat} The {draw.choice(material('objects'))} at {draw.choice(material('places'))} is still there."


def _hex(draw: Random) -> str:
    digits = f"{draw.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class _Writer:
    """Collects sentences that are not noise, and the questions about them."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.needles: list[str] = []
        self.kinds: list[str] = []
        self.probes: list[Probe] = []
        self._names = self._unused()

    def _unused(self) -> Iterator[str]:
        """Names of keys, none of them twice."""
        names = [f"{first.lower()} {thing.split()[-1]}" for first in material("first") for thing in material("objects")]
        yield from self.draw.sample(names, len(names))

    def needle(self, kind: str, text: str) -> int:
        """Its number."""
        self.needles.append(text)
        self.kinds.append(kind)
        return len(self.needles) - 1

    def _seven(self) -> str:
        return str(self.draw.randrange(1_000_000, 10_000_000))

    def magic(self, name: str) -> tuple[int, str]:
        """A needle that gives a key a number."""
        value = self._seven()
        return self.needle("magic", f"One of the special magic numbers for {name} is {value}."), value

    def passkey(self) -> None:
        """One five-digit key."""
        key = str(self.draw.randrange(10_000, 100_000))
        place = self.needle("passkey", f"The pass key is {key}. Remember it, {key} is the pass key.")
        self.probes.append(Probe("passkey", "What is the pass key?", (place,), (key,), r"pass key is (\d+)"))

    def number(self) -> None:
        """One long string of repeated digits."""
        digits = "".join(digit * self.draw.randint(1, 4) for digit in self.draw.choices("0123456789", k=10))
        place = self.needle("number", f"The sequence of digits is {digits}. Remember it.")
        text, reads = "What is the sequence of digits?", r"sequence of digits is (\d+)"
        self.probes.append(Probe("number", text, (place,), (digits,), reads))

    def pair(self) -> tuple[int, str, str]:
        """A needle that pairs two random identifiers."""
        key, value = _hex(self.draw), _hex(self.draw)
        return self.needle("key-value", f'"{key}": "{value}"'), key, value

    def key_value(self) -> None:
        """One identifier asked for."""
        place, key, value = self.pair()
        text = f'What is the value of the key "{key}"?'
        self.probes.append(Probe("key-value", text, (place,), (value,), f'"{key}": "([0-9a-f-]+)"'))

    def multi_key(self) -> None:
        """One key among many of its kind."""
        name = next(self._names)
        place, value = self.magic(name)
        self._magic_probe("multi-key", [name], (place,), (value,))

    def multi_value(self) -> None:
        """One key with several numbers, all of them wanted."""
        name = next(self._names)
        places, values = zip(*(self.magic(name) for _ in range(VALUES)), strict=True)
        self._magic_probe("multi-value", [name], places, values)

    def multi_query(self) -> None:
        """Three keys in one question."""
        names = [next(self._names) for _ in range(3)]
        places, values = zip(*(self.magic(name) for name in names), strict=True)
        self._magic_probe("multi-query", names, places, values)

    def _magic_probe(
        self, category: str, names: Sequence[str], places: tuple[int, ...], values: tuple[str, ...]
    ) -> None:
        text = f"What are all the special magic numbers for {', '.join(names)}?"
        reads = rf"special magic numbers for (?:{'|'.join(names)}) is (\d+)"
        self.probes.append(Probe(category, text, places, values, reads))

    def chain(self) -> None:
        """A variable, copied from one to the next; all that hold the value are wanted."""
        value, names = self._seven(), [self._letters() for _ in range(LINKS + 1)]
        lines = [f"VAR {names[0]} = {value}"]
        lines += [f"VAR {new} = VAR {old}" for old, new in pairwise(names)]
        places = tuple(self.needle("chain", line) for line in lines)
        text = f"Find all variables that hold the value {value}."
        self.probes.append(Probe("chain", text, places, tuple(names), r"VAR ([A-Z]+) ="))

    def _letters(self) -> str:
        return "".join(self.draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=5))

    def others(self, tokens: int) -> None:
        """Needles that nobody asks for, up to a size."""
        while tokens > 0:
            place = self.pair()[0] if self.draw.random() < 0.5 else self.magic(next(self._names))[0]
            tokens -= estimate(self.needles[place])


def _reader(tasks: Mapping[str, int], histories: int) -> Callable[[Found], Iterator[Case]]:
    def read(found: Found) -> Iterator[Case]:
        for size in RUNGS:
            for number in range(histories):
                yield _case(size, number, tasks)

    return read


def _case(size: int, number: int, tasks: Mapping[str, int]) -> Case:
    name = "ruler-chain" if "chain" in tasks else "ruler-needles"
    draw = draws(name, size, number)
    writer = _Writer(draw)
    for task, count in tasks.items():
        for _ in range(count):
            getattr(writer, task.replace("-", "_"))()
    writer.others(int(size * _NEEDLES))
    lines = _noise(size - sum(map(estimate, writer.needles)), draw)
    order = sorted(draw.sample(range(len(lines) + len(writer.needles)), len(writer.needles)))
    at = dict(zip(draw.sample(range(len(order)), len(order)), order, strict=True))
    texts = dict(zip(at.values(), (writer.needles[place] for place in at), strict=True))
    rest = iter(lines)
    units = numbered(texts[place] if place in texts else next(rest) for place in range(len(lines) + len(order)))
    questions = [_question(n, probe, writer, at, len(units)) for n, probe in enumerate(writer.probes)]
    return Case(f"{name}-{size}-{number}", units, questions, size)


def _noise(tokens: int, draw: Random) -> list[str]:
    lines: list[str] = []
    while tokens > 0:
        lines.append(_line(draw))
        tokens -= estimate(lines[-1])
    return lines


def _question(number: int, probe: Probe, writer: _Writer, at: dict[int, int], visible: int) -> Question:
    kind = writer.kinds[probe.places[0]]
    near = [place for place, other in enumerate(writer.kinds) if other == kind and place not in probe.places]
    return Question(
        id=f"q{number}",
        text=probe.text,
        gold=frozenset(f"u{at[place]}" for place in probe.places),
        visible=visible,
        category=probe.category,
        cluster=f"q{number}",
        answers=probe.answers,
        negatives=frozenset(f"u{at[place]}" for place in near),
        reads=probe.reads,
    )


def _set(name: str, tasks: Mapping[str, int], histories: int) -> DataSet:
    read = _reader(tasks, histories)
    return DataSet(name=name, family="", metric="all@10", parts={}, read=read, protocol="corpus")


SETS = (_set("ruler-syn-needles", NEEDLES, HISTORIES), _set("ruler-syn-chain", CHAINS, 1))
