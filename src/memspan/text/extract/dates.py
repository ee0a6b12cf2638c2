"""Dates named in a question, as ranges of time.

Source: recall setting, rule 2.5 (docs/ARCHITECTURE.md): "Month D[, Y]" and "D [of] Month [Y]"; where there is
none of these "Month [Y]"; where there is no month a bare year. A date without a year means that day in every
year present in the collection.
Ours adds: ISO dates, Chinese dates, lists of days ("May 5 and 7") and ranges ("between May and July 2023").
Not read: 05/08/2024 (two countries disagree), weekdays, seasons, "last week".
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

MAX_MENTIONS = 32
DAY_SECONDS = 86_400.0

_EPOCH = date(1970, 1, 1).toordinal()
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"
_NUMBER = {name: number for number, name in enumerate(_SHORT.split(), start=1)}
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?\b"
_TO = "(?: to | through | thru | until | till | ?[-–—~] ?)"
_DAYS = rf"{_DAY}(?:(?:{_TO}|(?:, ?{_DAY}){{0,8}},? (?:and|or|&) )(?:the )?{_DAY})?(?!:\d|[./]\d|%)"
_YEAR = r"(?:,? (?:of |in )?|-)(?P<y{0}>[12]\d{{3}})\b(?![:%])"
_DATE = re.compile(
    r"(?=\d)(?<!\d)(?:"
    r"(?P<y1>[12]\d{3})[-/](?P<m1>\d{1,2})(?:[-/](?P<d1>\d{1,2}))?(?!\d|[-/]\d)"
    r"|(?:(?P<y2>\d{4}) ?年 ?)?(?P<m2>\d{1,2}) ?月(?: ?(?P<d2>\d{1,2}(?: ?[日号號]? ?[-–~至到] ?\d{1,2})?) ?[日号號])?"
    rf"|(?<![:.,/$€£¥])(?P<d3>{_DAYS})(?: of)?[ -](?P<m3>{_MONTH})(?:\.?{_YEAR.format(3)})?"
    r"|(?<![\w$€£¥#.:/])(?P<y4>(?:1[7-9]|2[01])\d\d)(?:(?! ?年)(?![\w%]|[.,:/]\d)| ?年)"
    r")|(?=[a-z])\b(?:"
    rf"(?P<m5>{_MONTH})\.?[ -](?:the )?(?P<d5>{_DAYS})(?:{_YEAR.format(5)})?"
    rf"|(?P<m6>{_MONTH})(?:\.?{_YEAR.format(6)})?"
    r")",
    re.IGNORECASE | re.ASCII,
)
_HINT = re.compile(r"\d|\b" + _MONTH, re.IGNORECASE | re.ASCII)
_BEFORE_MONTH = re.compile(
    r"\b(?:in|on|of|since|by|during|from|until|before|after|last|this|next|late|early|mid|between)[ -]$",
    re.IGNORECASE | re.ASCII,
)
_UNTIL = re.compile(rf"(?:{_TO}| ?[至到] ?)(?:the )?(?:(?:early|late|mid|end of)[ -])?", re.IGNORECASE | re.ASCII)
_AND = re.compile(r",? (?:and|or|&) (?:the )?(?:(?:early|late|mid)[ -])?|, ", re.IGNORECASE | re.ASCII)
_BETWEEN = re.compile(r"\bbetween (?:the )?(?:(?:early|late|mid)[ -])?$", re.IGNORECASE | re.ASCII)
_LAST_WORDS = 24


def ranges(question: str, years: Iterable[int]) -> list[tuple[float, float]]:
    """Half-open ranges of time the question names, ascending [s since 1970 UTC].

    years: the years present in the collection; a date without a year is looked for in each of them
    Only the finest level named counts: days, else months, else years. The first 32 dates are read.

    >>> ranges("What did Anna paint on May 8th, 2023?", [])
    [(1683504000.0, 1683590400.0)]
    >>> len(ranges("Who called in March?", [2022, 2023]))
    2
    >>> ranges("It may rain, what should I wear?", [2023])
    []
    """
    if not _HINT.search(question):
        return []
    text = " ".join(question.split())
    spans = _joined(text, _mentions(text))
    if not spans:
        return []
    finest = max(span.level for span in spans)
    known = sorted({year for year in years if 1 <= year <= 9999})
    return sorted({place for span in spans if span.level == finest for place in span.placed(known)})


class _Point(NamedTuple):
    """A year, a month or a day; None = not said."""

    year: int | None
    month: int | None = None
    day: int | None = None

    def first(self, year: int) -> int:
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
class _Span:
    """What was named, from one point to another. start, end: where it stands in the text [characters]"""

    low: _Point
    high: _Point
    start: int
    end: int

    @property
    def level(self) -> int:
        """3 where it names a day, 2 a month, 1 a year."""
        if self.low.day or self.high.day:
            return 3
        return 2 if self.low.month or self.high.month else 1

    def placed(self, known: Sequence[int]) -> Iterator[tuple[float, float]]:
        """As seconds, in its own year or in each known one."""
        for low_year, high_year in self._years(known):
            if high_year > 9999 or low_year < 1:
                continue
            try:
                first, after = self.low.first(low_year), self.high.after(high_year)
            except ValueError:  # 29 February of a common year
                continue
            if first < after:
                yield (first - _EPOCH) * DAY_SECONDS, (after - _EPOCH) * DAY_SECONDS

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


def _mentions(text: str) -> list[_Span]:
    found: list[_Span] = []
    for match in _DATE.finditer(text):
        if _is_verb(text, match, found):
            continue
        found += _read(text, match)
        if len(found) >= MAX_MENTIONS:
            break
    return found


def _read(text: str, match: re.Match[str]) -> Iterator[_Span]:
    """The spans of one match: one, or a day each of a list of days."""
    said = {name[0]: value for name, value in match.groupdict().items() if value}
    year = int(said["y"]) if "y" in said else None
    month = _month(said["m"]) if "m" in said else None
    days = [int(day) for day in re.findall(r"\d+", said.get("d", ""))]
    points = [point for day in days or (None,) if (point := _Point(year, month, day)).valid()]
    if not points and month and (point := _Point(year, month)).valid():
        points = [point]  # "March 45" still says March
    if len(points) == 2 and _is_range(text, match, said["d"]):
        yield _Span(points[0], points[1], match.start(), match.end())
        return
    for point in points:
        yield _Span(point, point, match.start(), match.end())


def _month(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBER[word[:3].lower()]


def _is_range(text: str, match: re.Match[str], days: str) -> bool:
    if re.search(r"and|or|&|,", days) is None:
        return True
    return bool(_BETWEEN.search(text, max(0, match.start() - _LAST_WORDS), match.start()))


def _is_verb(text: str, match: re.Match[str], found: Sequence[_Span]) -> bool:
    """Whether "may", "march" or a short form such as "jan" more likely is another word."""
    word = match["m6"] or match["m3"]
    if not word or match["y6"] or match["y3"] or (len(word) > 3 and word.lower() != "march"):
        return False
    if match["m3"] and (word[0].isupper() or not match["d3"][-1].isdigit() or " of" in match[0]):
        return False
    before = text[max(0, match.start() - _LAST_WORDS) : match.start()]
    if _BEFORE_MONTH.search(before) and not (match["m3"] and before.endswith("of ")):
        return False  # "in may", "on 8 may", but not "of 8 may"
    return not (found and _links(text[found[-1].end : match.start()]))


def _links(between: str) -> bool:
    return len(between) <= _LAST_WORDS and bool(_UNTIL.fullmatch(between) or _AND.fullmatch(between))


def _joined(text: str, spans: Sequence[_Span]) -> list[_Span]:
    """The spans; "X to Y" and "between X and Y" are one, "June and July 2025" share their year."""
    merged: list[_Span] = []
    for span in reversed(spans):
        following = merged[-1] if merged else None
        if following is not None and _one_range(text, span, following):
            merged[-1] = _Span(span.low, following.high, span.start, following.end)
        elif following is not None and _shares_year(text, span, following):
            year = following.low.year
            merged.append(replace(span, low=span.low._replace(year=year), high=span.high._replace(year=year)))
        else:
            merged.append(span)
    return merged


def _shares_year(text: str, here: _Span, following: _Span) -> bool:
    if here.low.year or here.high.year or here.level != following.level or following.low.day != following.high.day:
        return False
    return bool(_AND.fullmatch(text, here.end, max(here.end, following.start)))


def _one_range(text: str, here: _Span, following: _Span) -> bool:
    between = text[here.end : following.start]
    if not between or len(between) > _LAST_WORDS or here.low != here.high or following.low != following.high:
        return False
    if _UNTIL.fullmatch(between):
        return True
    return bool(_AND.fullmatch(between) and _BETWEEN.search(text[max(0, here.start - _LAST_WORDS) : here.start]))
