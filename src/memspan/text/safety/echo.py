"""Echoes: what an assistant or a tool says back of what memory gave it; a use of the old, not a new fact.

Without this a memory quotes itself: recalled, repeated, remembered again, recalled twice.
Sentences are compared by the words that carry meaning, so that "I moved to Lisbon" is heard in "You moved to Lisbon".
Kept in the process only, so many sentences and no more.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from memspan.core.records import Turn
from memspan.text.safety.lookalikes import folded
from memspan.text.safety.trust import USER

MOST_SENTENCES = 4_096
LEAST_WORDS = 3  # of meaning; "Good morning!" is nobody's
MOST_CHARS = 20_000  # of one text that are looked at
MOST_IDS = 4  # turns that a sentence is known to come from
ECHO_SHARE = 0.5

_SENTENCE = re.compile(r"[.!?;:…]+(?=\s|$)|[。！？\n]+")
_CLAUSE = re.compile(r"[,()–—]|\s-\s")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# persons, articles, helping verbs, and what one says before quoting; words that deny or make conditions stay
_SMALL_WORDS = """
i me my mine myself you your yours yourself he him his she her hers it its we us our ours they them their theirs
a an the this that these those and or so then also too just very really well oh ok okay yes hi hello
am is are was were be been being do does did have has had having will would to of in on at by for with from as about
into i'm i've i'd i'll you're you've you'd you'll he's she's it's we're we've they're they've that's there's
said told mentioned say says tell remember recall earlier according memory noted
"""
_SMALL = frozenset(_SMALL_WORDS.split())
_CITED = re.compile(r"\[s?\d+\]")


class Recalled(Protocol):
    """What is read of a hit: its id, its text and its trust."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def text(self) -> str:
        """Its words."""
        ...

    @property
    def trust(self) -> float:
        """Its trust [0..1]."""
        ...


@dataclass(frozen=True, slots=True)
class Echo:
    """What a turn repeats.

    ids: of the turns that were recalled, in order;  share: of its words [0..1]
    trust: the least of theirs [0..1]: an assistant that repeats a web page is no better witness than the page
    """

    ids: tuple[str, ...] = ()
    share: float = 0.0
    trust: float = USER

    @property
    def mostly(self) -> bool:
        """Whether at least half of the turn is a repetition, so that it is no evidence of its own."""
        return self.share >= ECHO_SHARE


NO_ECHO = Echo()


class Echoes:
    """Remembers what was recalled of late, to hear it said back.

    most: so many sentences are kept, the latest; about 200 bytes each
    """

    def __init__(self, most: int = MOST_SENTENCES) -> None:
        self.most = most
        self._sentences: OrderedDict[int, dict[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sentences)

    def recalled(self, hits: Iterable[Recalled]) -> None:
        """Note what a recall has given out."""
        for hit in hits:
            for sentence, clauses in _sentences(hit.text):
                for words in (sentence, *clauses):
                    if len(words) >= LEAST_WORDS:
                        known = self._sentences.pop(key := _print(words), {}) | {hit.id: hit.trust}
                        self._sentences[key] = dict(list(known.items())[-MOST_IDS:])
        while len(self._sentences) > self.most:
            self._sentences.popitem(last=False)

    def of(self, turn: Turn) -> Echo:
        """What a turn repeats of what was recalled. A user's own words are never an echo.

        >>> from memspan import Record, Turn
        >>> echoes = Echoes()
        >>> told = Record(id="r1", kind="fact", text="I moved to Lisbon in May.", sources=("t1",), trust=0.5)
        >>> echoes.recalled([told])
        >>> echoes.of(Turn("You moved to Lisbon in May. How do you like it there?", role="assistant"))
        Echo(ids=('r1',), share=0.5, trust=0.5)
        """
        if turn.role == "user" or not self._sentences:
            return NO_ECHO
        repeated, total, ids = 0, 0, dict[str, float]()
        for sentence, clauses in _sentences(turn.text):
            total += len(sentence)
            for words in (sentence, *(clauses if _print(sentence) not in self._sentences else ())):
                if found := self._sentences.get(_print(words)):
                    repeated += len(words)
                    ids |= found
        return Echo(tuple(ids), repeated / total, min(ids.values())) if ids else NO_ECHO

    def forget(self, ids: Iterable[str]) -> None:
        """Let go of what these turns said, because they are forgotten."""
        gone = frozenset(ids)
        for key, held in list(self._sentences.items()):
            if gone.isdisjoint(held.keys()):
                continue
            if left := {id: trust for id, trust in held.items() if id not in gone}:
                self._sentences[key] = left
            else:
                del self._sentences[key]


def _sentences(text: str) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Words of meaning of each sentence, and of each of its clauses where it has several."""
    for sentence in _SENTENCE.split(_CITED.sub(" ", folded(text[:MOST_CHARS]))):
        clauses = [_words(clause) for clause in _CLAUSE.split(sentence)]
        if whole := tuple(word for words in clauses for word in words):
            yield whole, clauses if len(clauses) > 1 else []


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in _WORD.findall(text) if word not in _SMALL)


def _print(words: tuple[str, ...]) -> int:
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest())
