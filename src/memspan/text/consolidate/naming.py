"""Which turns name whom: names found by rules in what people say, then found again wherever they stand.

An answer of an assistant is no witness, because its headings are capitalised too; what a person named is found in
it all the same. A single word must be written with a capital more often than without.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence, Set
from functools import lru_cache

from memspan.core.records import Turn
from memspan.text.extract.entities import UPPER
from memspan.text.extract.names import names

READ_CHARS = 20_000
"""So much of a turn is searched for names."""

_REST = r"[\w&]*(?:['’-]\w+)*"
_TITLE_DOT = r"(?:(?:(?<=\bDr)|(?<=\bMr)|(?<=\bMs)|(?<=\bMrs)|(?<=\bProf))\.)?"
_JOINED = r"(?: (?:of|of the|de|de la|da|van|von|van der|du|al|&))?"
# the capital first and what may not stand before it second: twice as fast as the other way round
_RUN = re.compile(rf"[{UPPER}](?<![\w@#/].){_REST}{_TITLE_DOT}(?:{_JOINED} [{UPPER}]{_REST}){{0,5}}")
_SMALL = re.compile(r"\b[a-z]\w+")
_POSSESSIVE = re.compile(r"['’]s?\Z")


def plain(name: str) -> str:
    """What two spellings of one name share: lower case, single spaces, no possessive.

    >>> plain("Caroline’s"), plain("LISBON")
    ('caroline', 'lisbon')
    """
    return _POSSESSIVE.sub("", " ".join(name.split()).casefold().replace("’", "'"))


def naming(turns: Sequence[Turn], speakers: Collection[str]) -> list[dict[str, str]]:
    """For each turn the names in it: key -> as it is written there.

    speakers: names that are known beforehand

    >>> said = [Turn("We met Anna in Porto."), Turn("Anna left.", role="assistant"), Turn("Leaving hurts.")]
    >>> naming(said, [])
    [{'anna': 'Anna', 'porto': 'Porto'}, {'anna': 'Anna'}, {}]
    """
    witnesses = [place for place, turn in enumerate(turns) if turn.role != "assistant"]
    found = {
        place: {plain(name.text): name.text for name in names(turns[place].text[:READ_CHARS], speakers)}
        for place in witnesses
    }
    capital = Counter(key for written in found.values() for key in written)
    small = Counter(
        word for place in witnesses for word in _SMALL.findall(turns[place].text, 0, READ_CHARS) if word in capital
    )
    known = {
        key for key, count in capital.items() if count > small[key] and (count > 1 or _end_counts(key, capital) < 2)
    }
    known |= set(map(plain, speakers))
    ends = {_last_word(key) for key in known}
    return [
        {key: form for key, form in found.get(place, {}).items() if key in known} | _among(turn.text, known, ends)
        for place, turn in enumerate(turns)
    ]


def _end_counts(name: str, capital: Counter[str]) -> int:
    """How many turns name what is left of it without its first words: "Hear Bob Marley", said once, is Bob Marley."""
    parts = name.split(" ")
    return max((capital[" ".join(parts[place:])] for place in range(1, len(parts))), default=0)


def _among(text: str, known: Set[str], ends: Set[str]) -> dict[str, str]:
    """The names in a text whose key is known, also where a sentence begins; ends: the last words of what is known."""
    found = {}
    for run in _RUN.findall(text, 0, READ_CHARS):
        key, form = _spelled(run)
        if _last_word(key) not in ends:
            continue
        while " " in form and key not in known:
            key, form = _spelled(form.split(" ", 1)[1])
        if key in known:
            found[key] = form
    return found


def _last_word(name: str) -> str:
    return name.rsplit(" ", 1)[-1]


@lru_cache(maxsize=1 << 14)
def _spelled(run: str) -> tuple[str, str]:
    form = _POSSESSIVE.sub("", run)
    return plain(form), form
