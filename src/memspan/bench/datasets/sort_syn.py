"""sort-syn: two moments of a long story, told again in other words; which of them came first?

Source: Pink et al. 2024, "Assessing Episodic Memory in LLMs with Sequence Order Recall Tasks" (SORT, Book-SORT),
arXiv:2410.08133: its bins of distance, its question. Ours differs: the stories are generated from sentences of ours,
and the question does not quote them (a quoted segment is found by every store): it retells the deed in other words
and leaves out who did it, and the thing or the place where the rest still fits one scene only. What is scored is
whether both moments are found; with their places in the story, the order follows. `choices` stays empty: an overlap
of words cannot tell an order. No deed is done twice to the same thing in the same place; near misses share two of the
three.
Categories are bins of the distance between the two, in parts of the story. A stand-in: no score of the benchmark.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question, Unit
from memspan.bench.datasets._ladders import draws, material, with_article

STORIES = 3
SCENES = 400
PAIRS = 10
BINS = (0.0, 1 / 4, 1 / 3, 1 / 2, 4 / 5)
_NAMES = ("to 1/4", "to 1/3", "to 1/2", "to 4/5")
HINTS = ("deed thing place", "deed thing", "deed place")
_START, _STEP = 1_735_812_000.0, 600.0

_DEEDS = (
    ("{a} bought {o} from a pedlar in {p}", "purchased {o} of a travelling trader at {p}"),
    ("{a} hid {o} under the floor of a barn near {p}", "concealed {o} beneath the boards of a shed by {p}"),
    ("{a} lost {o} in the crowd at {p}", "noticed that {o} had gone missing among the people of {p}"),
    ("{a} found {o} on the beach of {p}", "came upon {o} lying on the sand at {p}"),
    ("{a} repaired {o} for the innkeeper of {p}", "mended {o} belonging to the landlord in {p}"),
    ("{a} gave {o} to a child in {p}", "made a present of {o} to a little girl at {p}"),
    ("{a} stole {o} out of the chapel of {p}", "took {o} from the church at {p} without leave"),
    ("{a} won {o} at cards in {p}", "gained {o} by gambling in {p}"),
    ("{a} broke {o} while climbing the wall of {p}", "smashed {o} on the way over the rampart at {p}"),
    ("{a} sold {o} to a sailor in {p}", "let a seaman have {o} for money at {p}"),
    ("{a} burned {o} in the square of {p}", "threw {o} into the fire on the market place at {p}"),
    ("{a} drew {o} on a map of {p}", "sketched {o} into the chart of {p}"),
    ("{a} carried {o} across the bridge at {p}", "bore {o} over the river near {p}"),
    ("{a} traded {o} for a goat in {p}", "exchanged {o} against an animal at {p}"),
    ("{a} dreamed of {o} while asleep in {p}", "saw {o} in the night's visions at {p}"),
    ("{a} buried {o} behind the mill of {p}", "put {o} into the earth at the back of the miller's house in {p}"),
)
_AFTER = (
    "Nobody said a word about it that evening.",
    "It rained until the lamps were lit.",
    "{b} laughed and said nothing.",
    "{b} wrote it down at once.",
    "The dogs barked for a long while.",
    "{b} would have done it otherwise, and said so.",
    "Then they ate what was left of the bread.",
    "The road went on between the hedges.",
    "A bell rang somewhere, and {b} counted the strokes.",
    "There was no time to think about it.",
    "{b} had watched it all from a window.",
    "By then the moon was up.",
)


Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One deed. deed: number of its sentence;  who, thing, place: who did it, to what, where"""

    deed: int
    who: str
    thing: str
    place: str

    def key(self, hint: str = "deed thing place") -> Key:
        """Those of deed, thing and place that a hint names. No two scenes of a story share all three."""
        facets: dict[str, int | str] = {"deed": self.deed, "thing": self.thing, "place": self.place}
        return tuple(facets[name] for name in hint.split())

    def told(self, draw: Random, people: Sequence[str]) -> str:
        """The paragraph of the story."""
        deed = _DEEDS[self.deed][0].format(a=self.who, o=with_article(self.thing), p=self.place)
        after = " ".join(draw.sample(_AFTER, 2)).format(b=draw.choice([one for one in people if one != self.who]))
        return f"{deed}. {after}"

    def retold(self, hint: str) -> str:
        """The deed in other words, with what the hint names.

        >>> Scene(3, "Mira", "amber brooch", "Sund").retold("deed thing")
        'somebody came upon an amber brooch lying on the sand at a certain place'
        """
        thing = with_article(self.thing) if "thing" in hint else "something"
        return (
            f"somebody {_DEEDS[self.deed][1].format(o=thing, p=self.place if 'place' in hint else 'a certain place')}"
        )


def retellings(told: Sequence[Scene], draw: Random) -> list[str]:
    """Each scene retold, with so much of it that no other scene of the story fits."""
    counts = {hint: Counter(one.key(hint) for one in told) for hint in HINTS}
    return [scene.retold(draw.choice([hint for hint in HINTS if counts[hint][scene.key(hint)] == 1])) for scene in told]


def scenes(story: int) -> list[Scene]:
    """A story, in order."""
    draw = draws("sort story", story)
    people = cast(story)
    found: dict[Key, Scene] = {}
    while len(found) < SCENES:
        deed, who = draw.randrange(len(_DEEDS)), draw.choice(people)
        scene = Scene(deed, who, draw.choice(material("objects")), draw.choice(material("places")))
        found.setdefault(scene.key(), scene)
    return list(found.values())


def cast(story: int) -> list[str]:
    """The eight people of a story."""
    return draws("sort cast", story).sample(material("first"), 8)


def read(found: Found) -> Iterator[Case]:
    """The stories; they are made, so no file is read."""
    for story in range(STORIES):
        yield _case(story)


def _case(story: int) -> Case:
    draw, told = draws("sort words", story), scenes(story)
    units = [
        Unit(f"u{place}", scene.told(draw, cast(story)), session="story", at=_START + place * _STEP)
        for place, scene in enumerate(told)
    ]
    retold = retellings(told, draw)
    questions = []
    for name, (low, high) in zip(_NAMES, pairwise(BINS), strict=True):
        for number in range(PAIRS):
            first = draw.randrange(int(SCENES * (1 - high)))
            second = first + draw.randint(int(SCENES * low) + 1, int(SCENES * high))
            one = _question(f"{name} {number}", told, retold, (first, second))
            questions.append(replace(one, category=name))
    return Case(f"story-{story}", units, questions)


def _question(name: str, told: Sequence[Scene], retold: Sequence[str], pair: tuple[int, int]) -> Question:
    shown = [retold[place] for place in pair]
    earlier = shown[0]
    draws("sort shown", name, *shown).shuffle(shown)
    near = {f"u{place}" for place, scene in enumerate(told) if any(close(scene, told[one]) for one in pair)}
    gold = frozenset(f"u{place}" for place in pair)
    return Question(
        id=name,
        text=f"Which came first in the story, (A) {shown[0]}, or (B) {shown[1]}?",
        gold=gold,
        visible=len(told),
        cluster=name,
        answers=(earlier,),
        negatives=frozenset(near) - gold,
    )


def close(one: Scene, other: Scene) -> bool:
    """Whether two of deed, thing and place are the same, and not all three."""
    return sum(mine == theirs for mine, theirs in zip(one.key(), other.key(), strict=True)) == 2


SETS = (DataSet(name="sort-syn", family="", metric="all@10", parts={}, read=read),)
