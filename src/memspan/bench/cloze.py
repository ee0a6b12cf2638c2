"""Questions made from turns without labels: the rarest word of a sentence is asked for, a few others stand as cues.

Source: Taylor 1953, "Cloze Procedure" (leave a word out, ask for it).
Ours differs: the other words are thinned out too; a word that no other turn has is never a cue, for a search for that
word alone would answer; and half of the questions put two cues in other words of the memory, near in meaning.

Measured on 1,417 turns of LoCoMo, R@1 of 200 questions of each kind: in the memory's own words, search by words alone
finds .91, lite .89, full .81; with two of four cues in other words it is .32, .49 and .42. LoCoMo's labelled questions
put words alone far below both, and the two on a level. So the kinds are told apart; and as the other words come from
the static table, which counts for more in lite, neither decides between settings: labelled data do.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memspan.core.records import Turn
from memspan.core.registry import load
from memspan.text.index.words import words

LEAST_CUES = 3
"""Words that a question keeps: people recall the gist."""
CUES = 4
"""As many of a question of which PUT_OTHERWISE are put in other words."""
PUT_OTHERWISE = 2
NEAR = 0.5
"""Cosine of two words from which on one may stand for the other."""
VOCABULARY = 20_000
RARE_SHARE = 0.01
"""A word in more turns than this share is nothing to ask for."""
COMMON_SHARE = 0.2
"""A word in more turns than this share is no cue."""
TRIES = 3
CLOSE = 0.8
"""A turn with so much of the cues' weight, or with half of it and the answer, would answer too."""
TURNS_A_CLUSTER = 50

Kind = Literal["own words", "other words"]

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？\n]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_PLAIN = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class Cloze:
    """A question of ours on a turn of theirs. answer: the word left out;  cluster: the stretch of talk it is from"""

    text: str
    gold: str
    answer: str
    cluster: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Word:
    surface: str
    stem: str
    first: bool = False


class _Thesaurus:
    """Words of a memory that are near in meaning, by the static table."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        counts = Counter(word.lower() for turn in turns for word in _PLAIN.findall(turn.text))
        stems = {word: found for word, _ in counts.most_common(VOCABULARY) if (found := words(word))}
        self._words = [_Word(word, found[0]) for word, found in stems.items()]
        self._at = {word.surface: place for place, word in enumerate(self._words)}
        self._vectors: NDArray[np.float32] = load("embed", "static")().embed([word.surface for word in self._words])

    def instead(self, word: _Word, said: Set[str]) -> _Word | None:
        """The nearest word of another stem that was not said; None where none is near. said: stems"""
        place = self._at.get(word.surface.lower())
        if place is None:
            return None
        near = self._vectors @ self._vectors[place]
        close = np.flatnonzero(near >= NEAR)
        ordered = (self._words[int(other)] for other in close[np.argsort(-near[close], kind="stable")])
        return next((other for other in ordered if other.stem not in said), None)


class Corpus:
    """Turns, and which words stand in which of them."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = turns
        self.clusters = _clusters(turns)
        self._holding: defaultdict[str, set[int]] = defaultdict(set)
        for place, turn in enumerate(turns):
            for stem in words(f"{turn.speaker}: {turn.text}"):
                self._holding[stem].add(place)

    def clozes(self, most: int, *, out: Set[str] = frozenset(), seed: int) -> list[Cloze]:
        """At most so many questions on different turns, drawn at random; half in other words, where there are such.

        out: ids of turns not to be asked for
        """
        rng = random.Random(seed)  # noqa: S311  it keeps no secret
        places = [place for place, turn in enumerate(self.turns) if turn.id not in out]
        rng.shuffle(places)
        found: dict[int, Cloze] = {}
        for thesaurus, until in ((_Thesaurus(self.turns), most // 2), (None, most)):
            for place in places:
                if len(found) >= until:
                    break
                if place not in found and (cloze := self._cloze(place, rng, thesaurus)) is not None:
                    found[place] = cloze
        return [found[place] for place in sorted(found)]

    def _cloze(self, place: int, rng: random.Random, thesaurus: _Thesaurus | None) -> Cloze | None:
        """A question on one turn; None where no sentence of it has a rare word and enough others, or more turns fit."""
        turn = self.turns[place]
        for answer, rest in self._sentences(turn.text):
            for _ in range(TRIES):
                cues = self._cues(place, rest, rng, thesaurus)
                if cues and self._only(place, answer.stem, [word.stem for word in cues]):
                    text = f"{_asking(answer)} {' '.join(word.surface for word in cues)}?"
                    kind: Kind = "own words" if thesaurus is None else "other words"
                    return Cloze(text, turn.id, answer.surface, self.clusters[place], kind)
        return None

    def _cues(
        self, place: int, rest: Sequence[_Word], rng: random.Random, thesaurus: _Thesaurus | None
    ) -> Sequence[_Word]:
        """Some of the words in their order, as they are or put otherwise; none where too few are."""
        most = min(LEAST_CUES if thesaurus is None else CUES, len(rest))
        kept = [rest[cue] for cue in sorted(rng.sample(range(len(rest)), most))]
        return kept if thesaurus is None else _otherwise(kept, set(words(self.turns[place].text)), rng, thesaurus)

    def _sentences(self, text: str) -> Iterator[tuple[_Word, list[_Word]]]:
        """Each sentence with something to ask for: that word, and those of the others that stand elsewhere too."""
        for sentence in _SENTENCE.split(text):
            said = _said(sentence)
            if not said:
                continue
            answer = min(said, key=lambda word: (len(self._holding[word.stem]), not _telling(word), -len(word.surface)))
            common = max(2, COMMON_SHARE * len(self.turns))
            rest = [word for word in said if word is not answer and 1 < len(self._holding[word.stem]) <= common]
            if len(rest) >= LEAST_CUES and len(self._holding[answer.stem]) <= max(1, RARE_SHARE * len(self.turns)):
                yield answer, rest

    def _only(self, place: int, answer: str, cues: Sequence[str]) -> bool:
        """Whether no other turn fits as well."""
        fits: defaultdict[int, float] = defaultdict(float)
        weights = {cue: log(len(self.turns) / len(self._holding[cue])) for cue in cues}
        for cue, weight in weights.items():
            for other in self._holding[cue]:
                fits[other] += weight
        whole = sum(weights.values())
        return not any(
            fit >= CLOSE * whole or (fit >= whole / 2 and other in self._holding[answer])
            for other, fit in fits.items()
            if other != place
        )


def _otherwise(cues: Sequence[_Word], said: Set[str], rng: random.Random, thesaurus: _Thesaurus) -> list[_Word]:
    """The cues with some put in words that were not said; none where too few can be."""
    instead = {place: other for place, cue in enumerate(cues) if (other := thesaurus.instead(cue, said)) is not None}
    if len(instead) < PUT_OTHERWISE:
        return []
    chosen = set(rng.sample(sorted(instead), PUT_OTHERWISE))
    return [instead[place] if place in chosen else cue for place, cue in enumerate(cues)]


def in_its_words(text: str, most: int = 12) -> str:
    """A question in a turn's own words, without those that say nothing.

    >>> in_its_words("I live in Berlin, near the old mill.")
    'live Berlin near old mill?'
    """
    return " ".join(word.surface for word in _said(text)[:most]) + "?"


def _said(text: str) -> list[_Word]:
    """The telling words of a text, each once; of scripts without spaces, the pairs of characters that are indexed."""
    found: dict[str, _Word] = {}
    for number, token in enumerate(_TOKEN.findall(text)):
        stems = words(token)
        for stem in stems:
            found.setdefault(stem, _Word(token if len(stems) == 1 else stem, stem, number == 0))
    return list(found.values())


def _telling(word: _Word) -> bool:
    """Whether it looks like a name or a number."""
    return any(sign.isdigit() for sign in word.surface) or (word.surface[0].isupper() and not word.first)


def _asking(answer: _Word) -> str:
    """A stop word, so that it finds nothing itself."""
    if _YEAR.fullmatch(answer.surface):
        return "When"
    if any(sign.isdigit() for sign in answer.surface):
        return "Which"
    return "Who" if _telling(answer) else "What"


def _clusters(turns: Sequence[Turn]) -> list[int]:
    """Stretches of talk: a session, or each 50 turns of a longer one; numbered from 0."""
    counts: defaultdict[str, int] = defaultdict(int)
    numbers: dict[tuple[str, int], int] = {}
    found = []
    for turn in turns:
        stretch = (turn.session, counts[turn.session] // TURNS_A_CLUSTER)
        counts[turn.session] += 1
        found.append(numbers.setdefault(stretch, len(numbers)))
    return found
