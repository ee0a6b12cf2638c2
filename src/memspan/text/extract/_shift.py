"""Words around a date that move it, cut it or open it: "early", "the week before", "since", "at 6:22 am".

A step maps one range of time, half-open seconds, to another.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from math import inf
from typing import NamedTuple

from memspan.text.extract._calendar import DAY_SECONDS, Range
from memspan.text.extract._relative import (
    COUNT_WORD,
    PARTS_OF_DAY,
    SECONDS_OF,
    UNIT_WORD,
    WEEKDAY_WORD,
    WEEKDAYS,
    count_of,
    date_after,
    days_of,
    months_of,
)
from memspan.text.patterns import later

Step = Callable[[Range], Range]

LOOKED_AT_CHARS = 64
"""How many characters before a date are looked at."""

CLOCK_WORD = (
    r"(?:(?<![\d:.])\d{1,2}:\d{2}(?::\d{2})?(?:\.\d{1,6})?(?: ?[ap](?:m\b|\.m\.?))?(?![:\d])"
    r"|(?<![\d:.])\d{1,2} ?(?:[ap](?:m\b|\.m\.?)|o['’]clock\b)|\b(?:noon|midday|midnight)\b)"
)
_DAY_PART = "(?P<day_part>morning|afternoon|evening|night|hours)"
_INNER = later(
    r"(?:"
    r"\b(?P<range>in|within|during|over|throughout|for) (?:just |about |only |roughly )?(?:the )?"
    rf"(?:last |final |first )?(?:(?P<n>{COUNT_WORD}) )?(?P<unit>{UNIT_WORD})"
    r" (?P<way>before|prior to|preceding|after|following|since) (?:the )?"
    rf"|\b(?P<shift>{COUNT_WORD}) (?P<shifts>{UNIT_WORD}) (?P<shifted>before|prior to|after|following|from) (?:the )?"
    r"|\bthe (?P<one>day|week|weekend|month|quarter|year|night) (?P<beside>before|after|following|of) (?:the )?"
    rf"|\b(?P<weekday>{WEEKDAY_WORD}) (?P<weekday_beside>before|after|following) (?:the )?"
    r"|\b(?P<nth>first|second|third|fourth|last|final) (?P<nth_unit>week|weekend|day|half) (?:of|in) (?:the )?"
    rf"|\b(?:(?:early|late) )?{_DAY_PART} (?:of|on) (?:the )?"
    r"|\b(?P<part>early|mid|middle|late|later|beginning|start|end)(?:[ -]| part of | of )(?:(?:in|on) )?(?:the )?"
    r"(?:month of |year |year of )?"
    r")$",
    re.IGNORECASE | re.ASCII,
)
_INNER_ENDS = later(
    r"(?:e|to|ing|er|of|in|on|om|ly|mid|le|late|er|t|d)[ -](?:the )?$", re.IGNORECASE | re.ASCII
)  # a cheap look first: how "before", "prior to", "after", "of", "from", "early", "start" end
_LAST_WORD_CHARS, _SIDE_CHARS = 7, 20
_SIDE = later(
    r"\b(?P<side>before|prior to|until|till|up to|by|earlier than|no later than|since|after|later than|following"
    r"|starting from|beyond) (?:on |in )?(?:the )?$",
    re.IGNORECASE | re.ASCII,
)
_BEHIND = later(r"(?:,? (?:in the |early in the |late in the )?" + _DAY_PART + r"\b)", re.IGNORECASE)
_ONWARDS = later(r",? (?:onwards?|and (?:after|later|beyond)|or later)\b", re.IGNORECASE)
_BEFORE = ("before", "prior to", "preceding")
_PARTS = {
    "early": (0.0, 1 / 3),
    "beginning": (0.0, 1 / 3),
    "start": (0.0, 1 / 3),
    "mid": (1 / 3, 2 / 3),
    "middle": (1 / 3, 2 / 3),
    "late": (2 / 3, 1.0),
    "later": (2 / 3, 1.0),
    "end": (2 / 3, 1.0),
}


_EPOCH = date(1970, 1, 1)
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_800.0
"""Years 1 to 9999."""


def clock_seconds(word: str) -> tuple[float, float] | None:
    """When a clock time begins, and how long what it names lasts [s]; None where no clock shows it.

    >>> clock_seconds("6:22 pm"), clock_seconds("noon"), clock_seconds("25:00")
    ((66120.0, 60.0), (43200.0, 60.0), None)
    """
    bare = word.lower().replace(".", "").strip()
    if bare in ("noon", "midday"):
        return 43_200.0, 60.0
    if bare == "midnight":
        return 0.0, 60.0
    figures = [int(figure) for figure in re.findall(r"\d+", word.split(".")[0] if ":" in word else word)][:3]
    hour, minute, second = (*figures, 0, 0)[:3]
    if bare.endswith("m") and hour <= 12:
        hour = hour % 12 + 12 * bare.endswith("pm")
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600.0 + minute * 60.0 + second, (3600.0, 60.0, 1.0)[len(figures) - 1]


class Found(NamedTuple):
    """Words beside a date that bear on it. edge: how far they reach in the text

    cuts: they only narrow or open it, so that the date itself still is near what is meant
    ranged: they make a range of it
    """

    edge: int
    cuts: bool
    step: Step
    ranged: bool = False


def inner_step(text: str, start: int) -> Found | None:
    """What the words right before a date make of it alone: "early", "the week before"."""
    if not _INNER_ENDS.search(text, max(0, start - _LAST_WORD_CHARS), start):
        return None
    match = _INNER.search(text, max(0, start - LOOKED_AT_CHARS), start)
    if match is None:
        return None
    said = {name: value.lower() for name, value in match.groupdict().items() if value}
    cuts = bool(said.keys() & {"part", "day_part", "nth"})
    return Found(match.start(), cuts, _inner(said), "range" in said)


def outer_step(text: str, start: int) -> Found | None:
    """How the words before a date, or a range of dates, open it: "since", "before"."""
    match = _SIDE.search(text, max(0, start - _SIDE_CHARS), start)
    return Found(match.start(), True, _SIDES.get(match["side"].lower(), _after)) if match else None


def _inner(said: dict[str, str]) -> Step:
    if "range" in said:
        sign = -1 if said["way"] in _BEFORE else 1
        return partial(_beside, sign * count_of(said.get("n", "1"))[1], said["unit"].removesuffix("s"))
    if "shift" in said:
        sign = -1 if said["shifted"] in _BEFORE else 1
        return partial(_moved, sign * count_of(said["shift"])[1], said["shifts"].removesuffix("s"))
    if "one" in said:
        return partial(_one, said["one"], said["beside"])
    if "weekday" in said:
        return partial(_weekday, WEEKDAYS[said["weekday"][:3]], said["weekday_beside"] in _BEFORE)
    if "nth" in said:
        return partial(_nth, said["nth"], said["nth_unit"])
    if "day_part" in said:
        return part_of_day(said["day_part"])
    return partial(_part, *_PARTS[said["part"]])


def step_behind(text: str, end: int) -> Found | None:
    """What the words after a date make of it: "onwards", "in the morning"."""
    if match := _ONWARDS.match(text, end):
        return Found(match.end(), True, _since)
    if match := _BEHIND.match(text, end):
        return Found(match.end(), True, part_of_day(match["day_part"].lower()))
    return None


def part_of_day(name: str) -> Step:
    """A step to the morning, afternoon, evening, night or early hours of a day."""
    first, after = PARTS_OF_DAY[name]
    return partial(_hours, first * 3600.0, after * 3600.0)


def _hours(first: float, after: float, at: Range) -> Range:
    return (at[0] + first, at[0] + after) if at[1] - at[0] == DAY_SECONDS else at


def _before(at: Range) -> Range:
    return -inf, at[0]


def _until(at: Range) -> Range:
    return -inf, at[1]


def _since(at: Range) -> Range:
    return at[0], inf


def _after(at: Range) -> Range:
    return _from(at), inf


def _from(at: Range) -> float:
    """What lies after a day begins when it is over; what lies after a stroke of the clock, with the stroke."""
    return at[0] if at[1] - at[0] < DAY_SECONDS / 4 else at[1]


_SIDES: dict[str, Step] = {
    "before": _before,
    "prior to": _before,
    "earlier than": _before,
    "until": _until,
    "till": _until,
    "up to": _until,
    "by": _until,
    "no later than": _until,
    "since": _since,
    "starting from": _since,
}


def _part(low: float, high: float, at: Range) -> Range:
    """The first, second or last third, in whole days, or in whole months of a year.

    A month is cut after its 10th and 20th.
    """
    start, end = at
    days = round((end - start) / DAY_SECONDS)
    if days in (365, 366):
        return moved(start, round(12 * low), "month"), moved(start, round(12 * high), "month")
    if 28 <= days <= 31:
        return start + 30 * low // 1 * DAY_SECONDS, end if high == 1 else start + round(30 * high) * DAY_SECONDS
    if days < 3:
        return at
    return start + round(days * low) * DAY_SECONDS, start + round(days * high) * DAY_SECONDS


def moved(at: float, count: int, unit: str) -> float:
    """A moment so many units later; months keep the day of the month where they have it. Stays in years 1 to 9999."""
    if months := months_of(unit):
        days, rest = divmod(min(at, _LAST - DAY_SECONDS), DAY_SECONDS)
        day = date_after(_EPOCH + timedelta(days), count * months)
        return (day - _EPOCH).days * DAY_SECONDS + rest
    seconds = SECONDS_OF.get(unit, days_of(unit) * DAY_SECONDS)
    return min(max(at + count * seconds, _FIRST), _LAST)


def _beside(count: int, unit: str, at: Range) -> Range:
    """The time from a date back, or on, to so many units from it."""
    if count < 0:
        return moved(at[0], count, unit), at[0]
    start = _from(at)
    return start, moved(start, count, unit)


def _moved(count: int, unit: str, at: Range) -> Range:
    """The same so many units away; whole days, unless it counts in hours."""
    if unit == "weekend":
        at = _weekday_pair(count < 0, at)
        count -= 1 if count > 0 else -1
    start, end = moved(at[0], count, unit), moved(at[1], count, unit)
    if unit in SECONDS_OF:
        return start, end
    return start // DAY_SECONDS * DAY_SECONDS, -(-end // DAY_SECONDS) * DAY_SECONDS


def _one(unit: str, beside: str, at: Range) -> Range:
    """The day, week, weekend or month before, after or around a date."""
    if beside == "of":
        return _around(unit, at)
    if unit == "weekend":
        return _weekday_pair(beside in _BEFORE, at)
    if beside in _BEFORE:
        return moved(at[0], -1, unit), at[0]
    return at[1], moved(at[1], 1, unit)


def _around(unit: str, at: Range) -> Range:
    """The calendar week, weekend or month that a date lies in."""
    here = at[0] // DAY_SECONDS
    monday = (here - (here + 3) % 7) * DAY_SECONDS  # 1 January 1970 was a Thursday
    if unit == "week":
        return monday, monday + 7 * DAY_SECONDS
    if unit == "weekend":
        return monday + 5 * DAY_SECONDS, monday + 7 * DAY_SECONDS
    return at


def _weekday_pair(before: bool, at: Range) -> Range:
    saturday, _ = _weekday(5, before, at)
    if before and saturday + 2 * DAY_SECONDS > at[0]:
        saturday -= 7 * DAY_SECONDS
    return saturday, saturday + 2 * DAY_SECONDS


def _weekday(number: int, before: bool, at: Range) -> Range:
    """The nearest such weekday wholly before or after a date."""
    here = (at[0] if before else at[1]) // DAY_SECONDS
    weekday = (here + 3) % 7
    day = here - ((weekday - number) % 7 or 7) if before else here + (number - weekday) % 7
    return day * DAY_SECONDS, (day + 1) * DAY_SECONDS


def _nth(which: str, unit: str, at: Range) -> Range:
    """The first, second, ... week, weekend, day or half of a longer time."""
    start, end = at
    place = {"first": 0, "second": 1, "third": 2, "fourth": 3}.get(which, -1)
    if unit == "half":
        middle = start + round((end - start) / DAY_SECONDS / 2) * DAY_SECONDS
        if 365 <= (end - start) / DAY_SECONDS <= 366:
            middle = moved(start, 6, "month")
        return (start, middle) if place == 0 else (middle, end)
    if unit == "weekend":
        saturday, _ = _weekday(5, True, (end, end)) if place < 0 else _weekday(5, False, (start, start))
        start = saturday + max(place, 0) * 7 * DAY_SECONDS
        return start, start + 2 * DAY_SECONDS
    length = (7 if unit == "week" else 1) * DAY_SECONDS
    if place < 0:
        return end - length, end
    return start + place * length, start + (place + 1) * length
