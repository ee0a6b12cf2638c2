"""Dates of the calendar as they are written: days, months, years, seasons, quarters, decades, holidays.

"Month D[, Y]", "D [of] Month [Y]", ISO and Chinese dates; where there is none of these "Month [Y]"; where there is no
month a bare year. Lists of days ("May 5 and 7"), ranges ("May 5 to 11").
Seasons are those of the northern half of the earth, in whole months; winter 2020 begins in December 2020.
Not read: 05/08/2024 (two countries disagree), Easter and other feasts that move, except Thanksgiving of the USA.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from memspan.text.patterns import later

DAY_SECONDS = 86_400.0
MAX_SPANS = 32
YEAR, MONTH, WEEK, DAY = 1, 2, 3, 4
"""How finely a date is named; a season or a quarter counts as months, a decade as years."""

EPOCH = date(1970, 1, 1).toordinal()
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"
MONTHS = {name: number for number, name in enumerate(_SHORT.split(), start=1)}
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
MONTH_WORD = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
TO = "(?: to | through | thru | until | till | ?[-–—~] ?)"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?\b"
_DAYS = rf"{_DAY}(?:(?:{TO}|(?:, ?{_DAY}){{0,8}},? (?:and|or|&) )(?:the )?{_DAY})?(?!:\d|[./]\d|%)"
_YEAR = r"(?:,? (?:of |in )?|-)(?P<y{0}>[12]\d{{3}})\b(?![:%])"
_DATE = later(
    r"(?=\d)(?<!\d)(?:"
    r"(?P<y1>[12]\d{3})[-/](?P<m1>\d{1,2})(?:[-/](?P<d1>\d{1,2}))?(?!\d|[-/]\d)"
    r"|(?:(?P<y2>\d{4}) ?年 ?)?(?P<m2>\d{1,2}) ?月(?: ?(?P<d2>\d{1,2}(?: ?[日号號]? ?[-–~至到] ?\d{1,2})?) ?[日号號])?"
    rf"|(?<![:.,/$€£¥])(?P<d3>{_DAYS})(?: of)?[ -](?P<m3>{MONTH_WORD})(?:\.?{_YEAR.format(3)})?"
    r"|(?<![\w$€£¥#.:/])(?P<y4>(?:1[7-9]|2[01])\d\d)(?:(?! ?年)(?![\w%]|[.,:/]\d)| ?年)"
    r")|(?=[a-z])\b(?:"
    rf"(?P<m5>{MONTH_WORD})\.?[ -](?:the )?(?P<d5>{_DAYS})(?:{_YEAR.format(5)})?"
    rf"|(?P<m6>{MONTH_WORD})(?:\.?{_YEAR.format(6)})?"
    r")",
    re.IGNORECASE | re.ASCII,
)
_HOLIDAYS = {
    "new year's day": (1, 1),
    "valentine's": (2, 14),
    "st patrick's": (3, 17),
    "independence day": (7, 4),
    "halloween": (10, 31),
    "thanksgiving": (11, 0),
    "christmas eve": (12, 24),
    "christmas": (12, 25),
    "boxing day": (12, 26),
    "new year's eve": (12, 31),
}
HOLIDAY_WORD = (
    r"(?:christmas(?: eve)?\b|new years?['’]?s? (?:eve|day)\b|halloween\b|thanksgiving\b|valentine['’]?s\b"
    r"|boxing day\b|independence day\b|st\.? patrick['’]?s\b)(?: day\b)?"
)
_NAMED = later(
    r"\b(?:"
    r"(?P<season>spring|summer|autumn|fall|winter)(?:,| of| in)?(?: the year)? (?P<y1>[12]\d{3})\b"
    r"|(?:(?P<quarter>q[1-4])|(?P<nth>first|second|third|fourth|1st|2nd|3rd|4th) quarter)(?:,| of)? (?P<y2>[12]\d{3})\b"
    r"|(?P<y3>[12]\d{3})[ -](?P<quarter3>q[1-4])\b"
    r"|(?P<decade>[12]\d\d0)['’]?s\b"
    rf"|(?P<holiday>{HOLIDAY_WORD})(?:,? (?:of |in )?(?P<y4>[12]\d{{3}})\b)?"
    r")",
    re.IGNORECASE | re.ASCII,
)
_NAMED_HINTS = (
    *("spring", "summer", "autumn", "fall ", "fall,", "winter", "quarter", "q1", "q2", "q3", "q4", "0s", "0's", "0’s"),
    *("christmas", "new year", "halloween", "thanksgiving", "valentine", "boxing", "independence", "patrick"),
)
_ORDER = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_BEFORE_MONTH = later(
    r"\b(?:in|on|of|since|by|during|from|until|before|after|last|this|next|late|early|mid|between)[ -]$",
    re.IGNORECASE | re.ASCII,
)
LINK = later(rf",?(?:{TO}| ?[至到] ?)(?:the )?(?:(?:early|late|mid|end of)[ -])?", re.IGNORECASE | re.ASCII)
AND = later(r",? (?:and|or|&) (?:the )?(?:(?:early|late|mid)[ -])?|, ", re.IGNORECASE | re.ASCII)
BETWEEN = later(r"\bbetween (?:the )?(?:(?:early|late|mid)[ -])?$", re.IGNORECASE | re.ASCII)
LAST_WORDS = 24
"""How many characters before a date are looked at for the word that says what it means."""


Range = tuple[float, float]
"""Half-open, seconds since 1970 UTC; infinite where it is open."""


class Point(NamedTuple):
    """A year, a month or a day; None = not said."""

    year: int | None
    month: int | None = None
    day: int | None = None

    def first(self, year: int) -> int:
        """Its first day, counted from 1 January of year 1."""
        return date(year, self.month or 1, self.day or 1).toordinal()

    def after(self, year: int) -> int:
        """The day after its last day."""
        month = self.month or 12
        return date(year, month, self.day or monthrange(year, month)[1]).toordinal() + 1

    def valid(self) -> bool:
        """Whether a calendar has it; 29 February without a year is fine."""
        if self.year is not None and not 1 <= self.year <= 9999:
            return False
        if self.month is None:
            return True
        return 1 <= self.month <= 12 and 1 <= (self.day or 1) <= monthrange(self.year or 2000, self.month)[1]


@dataclass(frozen=True, slots=True)
class Span:
    """What was named, from one point to another.

    start, end: where it stands in the text [characters];  level: YEAR to DAY
    opens, closes: the time of day at which the first day begins and the last one ends [s], None = midnight
    ranged: said as a range, "from X to Y"
    loose: a day without a year that few mean as a date ("Christmas"), or a time of day alone
    """

    low: Point
    high: Point
    start: int
    end: int
    level: int
    opens: float | None = None
    closes: float | None = None
    ranged: bool = False
    loose: bool = False

    def placed(self, known: Sequence[int]) -> Iterator[tuple[Range, Range]]:
        """Its first and its last unit as seconds, in its own year or in each known one; one unit where it has one."""
        for low_year, high_year in self._years(known):
            if high_year > 9999 or low_year < 1:
                continue
            try:
                low = _seconds(self.low, low_year)
                high = _seconds(self.high, high_year)
            except ValueError:  # 29 February of a common year
                continue
            opens = low[0] + (self.opens or 0.0)
            closes = high[1] if self.closes is None else high[1] - DAY_SECONDS + self.closes
            if opens < closes:
                yield (opens, closes if low == high else low[1]), (opens if low == high else high[0], closes)

    def _years(self, known: Sequence[int]) -> list[tuple[int, int]]:
        low, high = self.low.year, self.high.year
        wraps = (self.low.month or 0, self.low.day or 0) > (self.high.month or 12, self.high.day or 31)
        if low is not None and high is not None:
            return [(low, high)]
        if low is not None:
            return [(low, low + wraps)]
        if high is not None:
            return [(high - wraps, high)]
        return [(year, year + wraps) for year in known]


def _seconds(point: Point, year: int) -> Range:
    return (point.first(year) - EPOCH) * DAY_SECONDS, (point.after(year) - EPOCH) * DAY_SECONDS


def level_of(low: Point, high: Point) -> int:
    """How finely two points name a time."""
    if low.day or high.day:
        return DAY
    return MONTH if low.month or high.month else YEAR


def day_point(ordinal: int) -> Point:
    """The day of that count from 1 January of year 1; the nearest that a calendar has."""
    day = date.fromordinal(min(max(ordinal, 1), date.max.toordinal()))
    return Point(day.year, day.month, day.day)


def month_point(months: int) -> Point:
    """The month that many months after January of year 0."""
    year, month = divmod(months, 12)
    return Point(min(max(year, 1), 9999), month + 1)


def calendar_spans(text: str) -> list[Span]:
    """The dates of a text in its order; it is one line, its words one blank apart."""
    found: list[Span] = []
    for match in _DATE.finditer(text):
        if _is_verb(text, match, found):
            continue
        found += _read(text, match)
        if len(found) >= MAX_SPANS:
            break
    low = text.lower()
    if not any(hint in low for hint in _NAMED_HINTS):
        return found
    named = [span for _, match in zip(range(MAX_SPANS), _NAMED.finditer(text), strict=False) for span in _named(match)]
    kept = [span for span in found if not any(one.start < span.end and span.start < one.end for one in named)]
    return sorted(kept + named, key=lambda span: span.start)


def _named(match: re.Match[str]) -> Iterator[Span]:
    """A season, quarter, decade or holiday."""
    said = {name: value.lower() for name, value in match.groupdict().items() if value}
    year = next((int(value) for name, value in said.items() if name[0] == "y"), None)
    if "decade" in said:
        first = int(said["decade"])
        yield Span(Point(first), Point(first + 9), match.start(), match.end(), YEAR)
        return
    if "holiday" in said:
        yield from holiday(said["holiday"], year, match.start(), match.end())
        return
    if "season" in said:
        month = SEASONS[said["season"]]
    else:
        quarter = said.get("quarter") or said.get("quarter3")
        month = 3 * (int(quarter[1]) if quarter else _ORDER[said["nth"]]) - 2
    months = (year or 0) * 12 + month - 1
    yield Span(month_point(months), month_point(months + 2), match.start(), match.end(), MONTH)


def holiday(name: str, year: int | None, start: int, end: int) -> Iterator[Span]:
    """The day of a holiday; Thanksgiving only where the year is known, for it moves."""
    plain = re.sub(r"\bnew years?s?\b", "new year's", re.sub(r"['’.]", "", name.lower()))
    plain = re.sub(r"\b(valentine|patrick)s\b", r"\1's", plain)
    month, day = next(at for key, at in sorted(_HOLIDAYS.items(), key=lambda item: -len(item[0])) if key in plain)
    if not day:
        if year is None:
            return
        day = 22 + (3 - date(year, 11, 1).weekday()) % 7
    yield Span(Point(year, month, day), Point(year, month, day), start, end, DAY, loose=year is None)


def _read(text: str, match: re.Match[str]) -> Iterator[Span]:
    """The spans of one match: one, or a day each of a list of days."""
    said = {name[0]: value for name, value in match.groupdict().items() if value}
    year = int(said["y"]) if "y" in said else None
    month = month_number(said["m"]) if "m" in said else None
    days = [int(day) for day in re.findall(r"\d+", said.get("d", ""))]
    points = [point for day in days or (None,) if (point := Point(year, month, day)).valid()]
    if not points and month and (point := Point(year, month)).valid():
        points = [point]  # "March 45" still says March
    if len(points) == 2 and _is_range(text, match, said["d"]):
        yield Span(points[0], points[1], match.start(), match.end(), DAY, ranged=True)
        return
    for point in points:
        yield Span(point, point, match.start(), match.end(), level_of(point, point))


def month_number(word: str) -> int:
    """1 to 12 for a month's name or figure."""
    return int(word) if word.isdigit() else MONTHS[word[:3].lower()]


def _is_range(text: str, match: re.Match[str], days: str) -> bool:
    if re.search(r"and|or|&|,", days) is None:
        return True
    return bool(BETWEEN.search(text, max(0, match.start() - LAST_WORDS), match.start()))


def _is_verb(text: str, match: re.Match[str], found: Sequence[Span]) -> bool:
    """Whether "may", "march" or a short form such as "jan" more likely is another word."""
    word = match["m6"] or match["m3"]
    if not word or match["y6"] or match["y3"] or (len(word) > 3 and word.lower() != "march"):
        return False
    if match["m3"] and (word[0].isupper() or not match["d3"][-1].isdigit() or " of" in match[0]):
        return False
    before = text[max(0, match.start() - LAST_WORDS) : match.start()]
    if _BEFORE_MONTH.search(before) and not (match["m3"] and before.endswith("of ")):
        return False  # "in may", "on 8 may", but not "of 8 may"
    return not (found and _links(text[found[-1].end : match.start()]))


def _links(between: str) -> bool:
    return len(between) <= LAST_WORDS and bool(LINK.fullmatch(between) or AND.fullmatch(between))
