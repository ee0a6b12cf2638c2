"""The days that a turn tells of, where they are not the day it was said: "I went yesterday" is of the day before.

A question for a day wants what happened then, and much of it is told a day or a week later. Packed into one number, so
that the file needs no table for it; days are counted back from the turn's own.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from memspan.text.extract._calendar import DAY_SECONDS
from memspan.text.extract.dates import mentions
from memspan.text.patterns import later

MOST = 3
"""Times kept of one turn."""
MAX_DAYS = 8
"""A longer time says too little of when."""
MAX_BACK = 8191
MAX_CHARS = 1_000
BITS = 16

_LENGTH_BITS = 3
_DAYS = "mon|tues|wednes|thurs|fri|satur|sun"
_WORDS = (
    "yesterday",
    " ago",
    " back",
    "last ",
    "past ",
    "this week",
    "weekend",
    *(f"{day}day" for day in _DAYS.split("|")),
)
_SAID_FROM_HERE = later(
    r"\b(?:yesterday|last (?:night|week|weekend|mon|tue|wed|thu|fri|sat|sun)|(?:the|this) past (?:day|week)"
    rf"|(?:{_DAYS})day|(?:over|on|during|at) the weekend|this (?:week|weekend)"
    r"|(?:day|night|week|weekend|fortnight)s? (?:ago|back)|(?:last|past) \w+(?: \w+)? days)",
    re.IGNORECASE,
)


class Told(NamedTuple):
    """One time told of. back: days before the turn's own day;  days: how many, 1 to MAX_DAYS"""

    back: int
    days: int


def told(text: str, at: float | None) -> Iterator[Told]:
    """The days before its own that a turn tells of, at most MOST; none without its time.

    >>> list(told("I went there yesterday.", 1683590400.0))
    [Told(back=1, days=1)]
    """
    if at is None or not _hinted(text):
        return
    today, kept = at // DAY_SECONDS, 0
    for start, end, _ in mentions(text[:MAX_CHARS], at):
        if end - start > MAX_DAYS * DAY_SECONDS:
            continue
        back = int(today - start // DAY_SECONDS)
        days = min(MAX_DAYS, int(-(-end // DAY_SECONDS) - start // DAY_SECONDS))
        if 0 < back <= MAX_BACK and days <= back + 1:
            yield Told(back, days)
            kept += 1
            if kept == MOST:
                return


def _hinted(text: str) -> bool:
    """Whether the whole of the rules is worth asking: they cost some ten times more than this."""
    low = text[:MAX_CHARS].lower()
    return any(word in low for word in _WORDS) and _SAID_FROM_HERE.search(text, 0, MAX_CHARS) is not None


def packed(text: str, at: float | None) -> int:
    """The same in one number, BITS a time; 0 of none."""
    number = 0
    for place, (back, days) in enumerate(told(text, at)):
        number |= (back << _LENGTH_BITS | (days - 1)) << (BITS * place)
    return number


def unpacked(number: int) -> Iterator[Told]:
    """What `packed` packed; nothing of a number below 1, which nobody packed.

    >>> list(unpacked(packed("Last Friday, or was it yesterday?", 1683590400.0)))
    [Told(back=4, days=1), Told(back=1, days=1)]
    """
    while number > 0:
        one = number & ((1 << BITS) - 1)
        yield Told(one >> _LENGTH_BITS, (one & ((1 << _LENGTH_BITS) - 1)) + 1)
        number >>= BITS
