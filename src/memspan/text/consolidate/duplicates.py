"""Turns that say the same thing again, and which of them to keep.

Two turns of one speaker are duplicates when their words are the same but for punctuation, case and small words; or
when they share four fifths of their word triples and one only adds words to the other. A number, a name, a negation
or a pronoun that differs, or a word in the place of another, makes them two statements: an update is no duplicate.
So does a word like "today" said on two days, and so do fewer than four content words.
Linear: a turn meets only the last few that share one of its four smallest triples (bottom-k sketch, Broder 1997, "On
the resemblance and containment of documents").
"""

import re
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import NamedTuple
from zlib import crc32

from memspan.core.records import Link, Turn
from memspan.text.consolidate.derived import in_order
from memspan.text.index.words import STOP_WORDS

LIKE = 0.8
MOST_ADDED = 1.25
ENOUGH_WORDS = 4
_SKETCHED_CHARS = 600
_SKETCH = 4
_BUCKET = 8
_DAY_S = 86400.0

_UNSPACED = "\u0e00-\u0eff\u2e80-\u2fdf\u3005-\u3007\u3040-\u9fff\uac00-\ud7ff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['’.,:-][^\W_{_UNSPACED}]+)*|[?%$€£¥+=<>]|-(?=\d)")
_SMALL = """
i me my mine you your yours he him his she her hers it its we us our ours they them their theirs no not nor never
none neither nothing nobody without cannot before after above below under over until from off out again only few
more most all any each both other own same can could may might must shall should will would was were did had or if
against unless almost nearly barely hardly
nicht kein keine keinen nie niemals pas ne jamais rien non nunca ningún nada não nem inte ikke niet geen nao ei
"""
_TELLING = frozenset(_SMALL.split())
"""Words that change what a sentence says, however small; negations of other languages, too."""
_DATED = re.compile(
    r"\b(?:today|tonight|yesterday|tomorrow|now|currently|this (?:morning|afternoon|evening|week|month|year|weekend)"
    r"|(?:last|next) \w+|just|ago)\b",
    re.IGNORECASE,
)


class Duplicate(NamedTuple):
    """kept: id of the newest turn of its kind;  other: id of an older one;  likeness: [0..1], 1 = the same words"""

    kept: str
    other: str
    likeness: float


def duplicates(turns: Sequence[Turn]) -> list[Duplicate]:
    """Near-duplicates among turns of one scope; every other of a cluster points at the one kept, its newest.

    turns: in the order in which they came
    """
    buckets: dict[tuple[str, str, int], list[Turn]] = {}
    read: dict[str, list[str]] = {}
    found: list[Duplicate] = []
    for turn in reversed(in_order(turns)):
        places = _places(turn)
        met = {near.id: near for place in places for near in buckets.get(place, ())}
        near = next(((newer, like) for newer in met.values() if (like := _likeness(turn, newer, read))), None)
        if near is not None:
            found.append(Duplicate(near[0].id, turn.id, near[1]))
            continue
        for place in places:
            bucket = buckets.setdefault(place, [])
            if len(bucket) < _BUCKET:
                bucket.append(turn)
    return sorted(found)


def duplicate_links(found: Sequence[Duplicate]) -> list[Link]:
    """Links same-as from the turn kept to the other."""
    return [Link(source=one.kept, target=one.other, kind="same-as", weight=one.likeness) for one in found]


def telling_words(text: str) -> list[str]:
    """The words that make a statement: lower case, without the small words that change nothing.

    >>> telling_words("The train is not late, is it?")
    ['train', 'not', 'late', 'it', '?']
    """
    found = (word.replace("’", "'") for word in _WORD.findall(text.casefold()))
    return [word for word in found if word not in STOP_WORDS or word in _TELLING]


def _places(turn: Turn) -> list[tuple[str, str, int]]:
    """Buckets of a turn, from its first 600 characters: whatever adds little to them shares one of them."""
    found = telling_words(turn.text[:_SKETCHED_CHARS])
    if len(found) < ENOUGH_WORDS:
        return []
    triples = {crc32(" ".join(triple).encode()) for triple in _triples(found)}
    return [(turn.speaker, turn.role, least) for least in nsmallest(_SKETCH, triples)]


def _triples(found: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return zip(found, found[1:], found[2:], strict=False)


def _likeness(older: Turn, newer: Turn, read: dict[str, list[str]]) -> float:
    """1 for the same words, at least 0.8 where the newer adds harmless ones, 0 for two statements."""
    for turn in (older, newer):
        if turn.id not in read:
            read[turn.id] = telling_words(turn.text)
    one, other = read[older.id], read[newer.id]
    if not len(one) <= len(other) <= len(one) * MOST_ADDED:
        return 0.0
    added = _added(one, other)
    if added is None or not all(_harmless(word, newer.text) for word in added):
        return 0.0
    if not _same_day(older, newer) and (_DATED.search(older.text) or _DATED.search(newer.text)):
        return 0.0
    first, second = set(_triples(one)), set(_triples(other))
    shared = len(first & second) / len(first | second)
    return shared if shared >= LIKE else 0.0


def _same_day(one: Turn, other: Turn) -> bool:
    if one.at is None or other.at is None:
        return one.at is other.at
    return one.at // _DAY_S == other.at // _DAY_S


def _added(shorter: Sequence[str], longer: Sequence[str]) -> list[str] | None:
    """The words that the longer has beside all of the shorter in their order; None where it lacks one."""
    added: list[str] = []
    place = 0
    for word in longer:
        if place < len(shorter) and word == shorter[place]:
            place += 1
        else:
            added.append(word)
    return added if place == len(shorter) else None


def _harmless(word: str, text: str) -> bool:
    """A word that may be added without making another statement: no number, name, sign or telling word."""
    return word.isascii() and word.isalpha() and word not in _TELLING and word.capitalize() not in text
