"""Conversations made up from a seed, or recombined from real turns, for measuring speed.

Words follow Zipf's law over 24,000 words (300 common English ones first, then words built from syllables), each drawn
with a chance of one in four from the words of the talk's own topic; a turn has about 25 words, as in LoCoMo.
It looks like speech to an index, not to a reader: quality is never measured on it.
"""

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice

from memspan.bench.cases import Unit

_COMMON = """
the to and i you a it of that in is for my was so on have but with me be this we just at like not are all do what they
really can up about had out get good going one time been how your know from some when there she her he as would if an
more see great love could them work now think day new did new make back right were life which people his their our want
over thanks much go too help way well even here who feel things still always any take something lot little year first
try week last friend family home him since down off sure need kind nice amazing only find best because say keep never
then again made got other school house music book story dog cat kids mom dad sister brother park beach trip travel food
dinner cook bake recipe coffee garden plant paint art picture photo camera game play team win run walk hike yoga dance
sing guitar piano song movie show watch read write learn teach class student job boss office meeting project plan idea
goal dream hope happy excited proud sad tired stress calm health doctor hospital sleep weekend morning night summer
winter spring city town road car bike train flight hotel ticket money buy sell shop store gift party birthday wedding
christmas event charity volunteer group support community church rain snow sun river lake mountain forest tree flower
bird horse fish phone computer laptop code app online video internet message call email letter color red blue green
white black big small old young long short early late hard easy open close start finish stop wait meet join leave move
stay visit enjoy share talk tell ask answer listen remember forget
"""
_ONSETS = "b c d f g h j k l m n p r s t v w br ch cl cr dr fl fr gl gr pl pr sh sl sp st th tr"
_RIMES = "a e i o u ai ea ee oa ou an en in on un ar er or al el il ack ell ick ong ust and end int old"
VOCABULARY = 24_000
EXPONENT = 1.05
SHIFT = 2.7
WORDS_A_TURN = 25
TURNS_A_SESSION = 20
TOPIC_WORDS = 40
TOPIC_SHARE = 0.25
_NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")


def vocabulary(seed: int) -> list[str]:
    """Different words, commonest first."""
    rng = random.Random(seed)  # noqa: S311  it keeps no secret
    onsets, rimes = _ONSETS.split(), _RIMES.split()
    words = dict.fromkeys(_COMMON.split())
    while len(words) < VOCABULARY:
        syllables = rng.choice((1, 2, 2, 3))
        words["".join(rng.choice(onsets) + rng.choice(rimes) for _ in range(syllables))] = None
    return list(words)


def conversations(seed: int, real: Sequence[str] = ()) -> Iterator[Unit]:
    """Turns without end: of made-up words, or sentences of the `real` texts put together anew."""
    rng = random.Random(seed)  # noqa: S311  it keeps no secret
    texts = _recombined(rng, real) if real else _made_up(rng, seed)
    at = 1_600_000_000.0
    for number, text in enumerate(texts):
        session, place = divmod(number, TURNS_A_SESSION)
        at += 30 if place else 86_400 * rng.random()
        speaker = _NAMES[(session + place % 2) % len(_NAMES)]
        yield Unit(f"u{number}", text, speaker, "user", f"s{session}", at)


def _made_up(rng: random.Random, seed: int) -> Iterator[str]:
    words = vocabulary(seed)
    weights = list(accumulate((rank + SHIFT) ** -EXPONENT for rank in range(len(words))))
    while True:
        topic = [words[int(rng.random() ** 2 * len(words))] for _ in range(TOPIC_WORDS)]
        for _ in range(TURNS_A_SESSION):
            length = max(3, min(150, round(rng.lognormvariate(0, 0.6) * WORDS_A_TURN)))
            yield " ".join(
                rng.choice(topic) if rng.random() < TOPIC_SHARE else words[bisect(weights, rng.random() * weights[-1])]
                for _ in range(length)
            )


def _recombined(rng: random.Random, real: Sequence[str]) -> Iterator[str]:
    """The real texts once, in order; then halves of two of them."""
    yield from real
    while True:
        first, second = rng.choice(real).split(), rng.choice(real).split()
        yield " ".join(first[: len(first) // 2 + 1] + second[len(second) // 2 :])


def questions(turns: Sequence[Unit], count: int, seed: int) -> list[str]:
    """Questions that ask after something said: four to nine words of a turn, and who said it."""
    rng = random.Random(seed)  # noqa: S311  it keeps no secret
    asked = []
    for turn in rng.choices(turns, k=count):
        said = turn.text.split()
        start = rng.randrange(max(1, len(said) - 8))
        asked.append(f"What did {turn.speaker} say about {' '.join(islice(said, start, start + rng.randint(4, 9)))}?")
    return asked
