"""Names in a text, by their capitals.

A capitalised word that opens a sentence may be a name or not; `sure` says that it stands inside a sentence, where
English writes only names so. Scripts without capitals have none here.
"""

import re
from collections.abc import Set
from functools import lru_cache
from typing import NamedTuple

from memspan.text.consolidate.summarise import everyday
from memspan.text.index.words import words

MAX_NAME_CHARS = 60
READ_CHARS = 4_000
MAX_READ_CHARS = 20_000

_UPPER = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΫА-ЯЁ"
_CAPITAL = rf"[{_UPPER}][\w&+]*(?:['’-]\w+)*"
_JOINED = r"(?: (?:of|of the|de|de la|da|van|von|van der|du|al|&))?"
_NAME = re.compile(rf"(?<![\w@#/])(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?{_CAPITAL}(?:{_JOINED} {_CAPITAL}){{0,5}}")
_BETWEEN = " \t\"“”‘’'([*_—–-#0123456789"  # may stand between the end of a sentence and the next one
_ENDS = ".!?…:;\n>|)"
_POSSESSIVE = re.compile(r"['’]s?\Z")
_LOOK_BACK = 12

_NOBODY = """
i i'm i'd i'll i've im ok okay a an the and but or so if it its this that these those there here he she we they you
my our your his her their what when where why who how which while yes no not hey hi hello thanks thank wow oh ah st
jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun am pm also btw lol omg
fyi pic image mom dad mum gonna can't don't let's it's that's yeah yep nope hmm haha tv
"""
_NO_NAMES = frozenset(_NOBODY.split())


class NameSaid(NamedTuple):
    """A name as it was written.

    key: its letters, for comparing;  form: as written, without possessive
    sure: it stands inside a sentence, so its capital means something
    """

    key: str
    form: str
    sure: bool


def plain(name: str) -> str:
    """What two spellings of one name share: lower case, single spaces, no possessive.

    >>> plain("Caroline’s"), plain("LISBON")
    ('caroline', 'lisbon')
    """
    return _POSSESSIVE.sub("", " ".join(name.split()).casefold().replace("’", "'"))


def names_said(text: str) -> list[NameSaid]:
    """Names in the first 4,000 characters, in order. One that opens a sentence with other words behind it is followed
    by the same without its first word.

    >>> [(name.form, name.sure) for name in names_said("We saw Lake Bohinj. Visiting Anna's farm was fun.")]
    [('Lake Bohinj', True), ('Visiting Anna', False), ('Anna', True)]
    """
    found: list[NameSaid] = []
    for match in _NAME.finditer(text, 0, READ_CHARS):
        form = match[0]
        opens = _opens(text, match.start())
        while opens and " " in form and _no_name(form.split(" ", 1)[0]):
            form, opens = form.split(" ", 1)[1], False
        if name := _clean(form):
            found.append(NameSaid(*name, not opens))
        if opens and " " in form and (name := _clean(form.split(" ", 1)[1])):
            found.append(NameSaid(*name, True))
    return found


def names_among(text: str, known: Set[str]) -> list[tuple[str, str]]:
    """(key, form) of the names in the text whose key is known; a third of the time of finding new ones.

    >>> names_among("**Meeting Anna**: bring her Lisbon photos.", {"anna", "lisbon"})
    [('anna', 'Anna'), ('lisbon', 'Lisbon')]
    """
    found = []
    for form in _NAME.findall(text, 0, MAX_READ_CHARS):
        name = _clean(form)
        while " " in form and (name is None or name[0] not in known):
            form = form.split(" ", 1)[1]
            name = _clean(form)
        if name is not None and name[0] in known:
            found.append(name)
    return found


def _opens(text: str, start: int) -> bool:
    """Whether a sentence, heading or list item begins there."""
    before = text[max(0, start - _LOOK_BACK) : start].rstrip(_BETWEEN)
    return not before or before[-1] in _ENDS


@lru_cache(maxsize=1 << 14)
def _clean(form: str) -> tuple[str, str] | None:
    """(key, form without possessive), or None where it is no name."""
    form = _POSSESSIVE.sub("", form)
    if len(form) < 2 or len(form) > MAX_NAME_CHARS or all(map(_no_name, form.split())):
        return None
    return plain(form), form


@lru_cache(maxsize=1 << 14)
def _no_name(word: str) -> bool:
    """Whether a word is none of anybody's, capital or not."""
    small = plain(word)
    stems = words(small)
    return small in _NO_NAMES or not stems or stems[0] in everyday()
