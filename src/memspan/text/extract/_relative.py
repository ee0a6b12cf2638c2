"""Dates said from where one stands: "yesterday", "last Friday", "two weeks ago", "in 3 days", "this weekend".

The day one stands on is the anchor: the day of the turn, or of the question. Weeks begin on Monday.
"last Friday" is the nearest Friday before the anchor, "next Friday" the nearest after it, "this Friday" that of the
anchor's own week. "last week" is the calendar week before, "the last week" and "the past week" the seven days up to
the anchor. A weekday alone lies behind, or ahead where the words before it speak of what will be.
"two weeks ago" is the week that many before, "three months ago" a month, "five years ago" a year.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from memspan.text.extract._calendar import (
    DAY,
    DAY_SECONDS,
    EPOCH,
    HOLIDAY_WORD,
    MAX_SPANS,
    MONTH,
    MONTH_WORD,
    SEASONS,
    WEEK,
    YEAR,
    Point,
    Span,
    day_point,
    holiday,
    month_number,
    month_point,
)
from memspan.text.patterns import later

WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
WEEKDAY_WORD = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_SHORT_WEEKDAY = "(?:mon|tues?|wed|thurs?|thu|fri|sat|sun)"
PARTS_OF_DAY = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 24), "hours": (0, 6)}
_FIGURES = "one two three four five six seven eight nine ten eleven twelve"
_SMALL = {name: number for number, name in enumerate(_FIGURES.split(), start=1)}
_NIGHT = (18 * 3600.0, 30 * 3600.0)
_COUNTS = {name: (number, number) for name, number in _SMALL.items()} | {
    "a": (1, 1),
    "an": (1, 1),
    "fifteen": (15, 15),
    "twenty": (20, 20),
    "thirty": (30, 30),
    "couple": (2, 2),
    "few": (2, 4),
    "several": (3, 7),
}
COUNT_WORD = (
    r"(?:\d{1,4}|an?(?= [^cf])|(?:a )?couple(?: of)?|(?:a )?few|several|fifteen|twenty|thirty|"
    rf"{'|'.join(_SMALL)})"
)
UNIT_WORD = "(?:second|minute|hour|day|night|week|weekend|fortnight|month|quarter|year|decade)s?"
SECONDS_OF = {"hour": 3600.0, "minute": 60.0, "second": 1.0}
_SEASON = "(?:spring|summer|autumn|fall|winter)"
_NO_DATE = rf"(?! (?:of|in|before|after|following) (?:the )?(?:\d|early|mid|late|{MONTH_WORD}))"
_RELATIVE = later(
    r"\b(?:"
    r"(?P<day>the day before yesterday|the day after tomorrow|yesterday|today|tomorrow|tonight|last night)\b"
    r"|(?P<rolling>last|past|previous|next|coming) (?P<n>" + COUNT_WORD + r") (?P<many>" + UNIT_WORD + r")\b"
    r"|(?:the|this) past (?P<past>day|week|month|quarter|year|decade)\b"
    r"|the last (?P<recent>week|month|quarter|year|decade)\b"
    r"|(?P<which>last|previous|past|this past|this coming|this|next|coming|upcoming|following)"
    rf" (?P<what>week(?:end)?\b|fortnight\b|month\b|quarter\b|year\b|decade\b|{WEEKDAY_WORD}\b|{_SHORT_WEEKDAY}\b"
    rf"|{_SEASON}\b|{MONTH_WORD}|{HOLIDAY_WORD}|morning\b|afternoon\b|evening\b){_NO_DATE}"
    rf"|(?P<back>{COUNT_WORD}) (?P<backs>{UNIT_WORD})"
    r" (?:ago\b|back\b(?! (?:to|in|at|from|with|up)\b)|from (?P<now>now|today)\b)"
    rf"|in (?:about |around |another )?(?P<ahead>{COUNT_WORD}) (?P<aheads>{UNIT_WORD})['’]? ?(?:time\b)?(?! of\b)"
    rf"|(?P<alone>{WEEKDAY_WORD})s?\b{_NO_DATE}"
    r"|(?:over|on|during|at) the (?P<weekend>weekend)\b(?! of\b)"
    r"|on the (?P<th>\d{1,2})(?:st|nd|rd|th)\b(?=[.,;!?)]|$| (?:at|and|to|after|before|when|for|with|so|but|we|i)\b)"
    r")",
    re.IGNORECASE | re.ASCII,
)
_HINTS = (
    *("day", "tomorrow", "night", " ago", "last ", "past ", "previous", "next ", "this ", "coming ", "following "),
    *("weekend", " back", "from now", "on the ", "in a", "in o", "in t", "in f", "in s", "in e", "in n"),
)
_IN_FIGURES = later(r"\bin \d", re.IGNORECASE)
_AHEAD = later(
    r"(?:\bwill\b|\bwon['’]t\b|['’]ll\b|\bgoing to\b|\bgonna\b|\bplan(?:s|ning)?\b|\blet['’]?s\b|\bsee you\b|\bshall\b"
    r"|\bremind\b|\bwait\b|\blooking forward\b|\bby\b|\buntil\b|\btill\b|\bdue\b|\bcoming\b|\bfree\b)[^.!?]*$",
    re.IGNORECASE,
)
_LOOKED_BACK_CHARS = 80
_CHINESE = later("大前天|前天|昨[天晚]|今[天晚]|明[天晚]|后天|[上下这本]个?(?:周末|星期|礼拜|周|月)|[去今明前后]年")
_CHINESE_DAYS = {"大前天": -3, "前天": -2, "昨": -1, "今": 0, "明": 1, "后天": 2}
_CHINESE_YEARS = {"前": -2, "去": -1, "今": 0, "明": 1, "后": 2}
_CHINESE_STEPS = {"上": -1, "下": 1, "这": 0, "本": 0}


def relative_spans(text: str, anchor: float) -> list[Span]:
    """What a text names from where it stands. anchor: seconds since 1970 UTC, in the years 1 to 9999"""
    today = date.fromordinal(int(anchor // DAY_SECONDS) + EPOCH)
    found: list[Span] = []
    low = text.lower()
    if any(hint in low for hint in _HINTS) or _IN_FIGURES.search(text):
        for match in _RELATIVE.finditer(text):
            found += _read(match, today, anchor)
            if len(found) >= MAX_SPANS:
                break
    if not text.isascii():
        for _, match in zip(range(MAX_SPANS), _CHINESE.finditer(text), strict=False):
            found.append(_chinese(match, today))
    return found


def _read(match: re.Match[str], today: date, anchor: float) -> Iterator[Span]:
    said = {name: value.lower() for name, value in match.groupdict().items() if value}
    place = (match.start(), match.end())
    if "day" in said:
        shift = {"the day before yesterday": -2, "yesterday": -1, "last night": -1, "tomorrow": 1}
        ahead = 2 if said["day"] == "the day after tomorrow" else shift.get(said["day"], 0)
        span = _days(today.toordinal() + ahead, 1, place)
        yield replace(span, opens=_NIGHT[0], closes=_NIGHT[1]) if said["day"] in ("tonight", "last night") else span
    elif "rolling" in said:
        _, most = count_of(said["n"])
        yield from _rolling(most, said["many"], 1 if said["rolling"] in ("next", "coming") else -1, today, place)
    elif "past" in said or "recent" in said:
        yield from _rolling(1, said.get("past") or said["recent"], -1, today, place)
    elif "which" in said:
        yield from _which(said["which"], said["what"], today, place)
    elif "back" in said:
        sign = 1 if "now" in said else -1
        yield from _far(count_of(said["back"]), said["backs"], sign, anchor, place)
    elif "ahead" in said:
        yield from _far(count_of(said["ahead"]), said["aheads"], 1, anchor, place)
    elif "th" in said:
        yield from _day_of_month(int(said["th"]), today, place)
    else:
        before = match.string[max(0, match.start() - _LOOKED_BACK_CHARS) : match.start()]
        yield from _which("next" if _AHEAD.search(before) else "last", said.get("alone") or "weekend", today, place)


def count_of(word: str) -> tuple[int, int]:
    """Least and most that a count word means.

    >>> count_of("a few"), count_of("12")
    ((2, 4), (12, 12))
    """
    if word.isdigit():
        return int(word), int(word)
    bare = word.lower().removeprefix("a ").removesuffix(" of")
    return _COUNTS[bare]


def _days(first: int, length: int, place: tuple[int, int], level: int = DAY) -> Span:
    return Span(day_point(first), day_point(first + length - 1), *place, level)


def _months(first: int, length: int, place: tuple[int, int], level: int) -> Span:
    return Span(month_point(first), month_point(first + length - 1), *place, level)


def months_of(unit: str) -> int:
    """Months in a unit of months, else 0."""
    return {"month": 1, "quarter": 3, "year": 12, "decade": 120}.get(unit, 0)


def days_of(unit: str) -> int:
    """Days in a unit of days, else 0."""
    return {"day": 1, "night": 1, "weekend": 7, "week": 7, "fortnight": 14}.get(unit, 0)


def _rolling(count: int, units: str, sign: int, today: date, place: tuple[int, int]) -> Iterator[Span]:
    """So many units that end, or begin, with the anchor."""
    unit, here = units.removesuffix("s"), today.toordinal()
    if not (length := count * (days_of(unit) or 30 * months_of(unit))):
        yield _days(here, 1, place)  # "the last two hours": as near as a day can say
        return
    if months := months_of(unit) * count:
        there = date_after(today, sign * months)
        length = abs((there - today).days)
    yield _days(here - length if sign < 0 else here, length + 1, place, _finest(unit))


def _finest(unit: str) -> int:
    if months := months_of(unit):
        return YEAR if months >= 12 else MONTH
    return WEEK if unit in ("week", "fortnight") else DAY


def date_after(day: date, months: int) -> date:
    """The same day of the month, or its last, so many months away, within the years 1 to 9999.

    >>> date_after(date(2024, 1, 31), 1)
    datetime.date(2024, 2, 29)
    """
    point = month_point(day.year * 12 + day.month - 1 + months)
    last = Point(point.year, point.month).after(point.year or 1) - 1
    return date.fromordinal(min(last, Point(point.year, point.month, 1).first(point.year or 1) + day.day - 1))


def _far(counts: tuple[int, int], units: str, sign: int, anchor: float, place: tuple[int, int]) -> Iterator[Span]:
    """A day or a longer unit that lies so many units away, or a moment of a day."""
    if seconds := SECONDS_OF.get(units.removesuffix("s")):
        low, high = (anchor + sign * count * seconds for count in counts)
        day, clock = divmod(min(low, high), DAY_SECONDS)
        closes = clock + abs(high - low) + seconds
        yield replace(_days(int(day) + EPOCH, 1, place), opens=clock, closes=closes)
        return
    yield from _distant(counts, units, sign, date.fromordinal(int(anchor // DAY_SECONDS) + EPOCH), place)


def _distant(counts: tuple[int, int], units: str, sign: int, today: date, place: tuple[int, int]) -> Iterator[Span]:
    """The unit that lies so many units away."""
    unit, here = units.removesuffix("s"), today.toordinal()
    near, far = counts if sign > 0 else (-counts[1], -counts[0])
    if months := months_of(unit):
        first = today.year * 12 + today.month - 1
        if months > 1:
            first -= first % months
        yield _months(first + near * months, (far - near + 1) * months, place, _finest(unit))
    elif unit in ("week", "fortnight"):
        monday = here - today.weekday()
        yield _days(monday + near * days_of(unit), 7 + (far - near) * days_of(unit), place, WEEK)
    elif unit == "weekend":
        yield _days(here - today.weekday() + 5 + near * 7, 2 + (far - near) * 7, place)
    elif unit in ("day", "night"):
        yield _days(here + near, far - near + 1, place)


def _which(which: str, what: str, today: date, place: tuple[int, int]) -> Iterator[Span]:
    """The last, this or the next of a unit, a weekday, a month, a season or a holiday."""
    step = 0 if which == "this" else 1 if which in ("next", "coming", "upcoming", "following", "this coming") else -1
    monday = today.toordinal() - today.weekday()
    if what in ("morning", "afternoon", "evening"):
        if step == 0:
            first, after = PARTS_OF_DAY[what]
            yield replace(_days(today.toordinal(), 1, place), opens=first * 3600.0, closes=after * 3600.0)
    elif what == "weekend":
        started = which == "this past" and today.weekday() >= 5
        yield _days(monday + 5 + 7 * (step + started), 2, place)
    elif what in ("week", "fortnight", "month", "quarter", "year", "decade"):
        yield from _distant((abs(step), abs(step)), what, step or 1, today, place)
    elif what[:3] in WEEKDAYS:
        number = WEEKDAYS[what[:3]]
        ahead = (number - today.weekday()) % 7
        first = monday + number if step == 0 else today.toordinal() + (ahead or 7 if step > 0 else ahead - 7)
        yield _days(first, 1, place)
    else:
        yield from _nearest(what, step, today, place)


def _nearest(what: str, step: int, today: date, place: tuple[int, int]) -> Iterator[Span]:
    """The last one that is over, the first one to come, or that of this year."""
    here = today.toordinal()
    every = [span for year in range(today.year - 2, today.year + 2) for span in _of_year(what, year, place)]
    placed = [(span, span.low.first(span.low.year or 1), span.high.after(span.high.year or 1)) for span in every]
    if step < 0:
        over = [span for span, _, after in placed if after <= here]
        yield from over[-1:]
    elif step > 0:
        yield from [span for span, first, _ in placed if first > here][:1]
    else:
        running = [span for span, first, after in placed if first <= here < after]
        yield from (running or [span for span in every if span.low.year == today.year])[:1]


def _of_year(what: str, year: int, place: tuple[int, int]) -> Iterator[Span]:
    if not 1 <= year <= 9998:
        return
    if what in SEASONS:
        yield _months(year * 12 + SEASONS[what] - 1, 3, place, MONTH)
    elif re.fullmatch(HOLIDAY_WORD, what):
        yield from holiday(what, year, *place)
    else:
        yield _months(year * 12 + month_number(what) - 1, 1, place, MONTH)


def _day_of_month(day: int, today: date, place: tuple[int, int]) -> Iterator[Span]:
    """That day of the month that lies nearest."""
    months = today.year * 12 + today.month - 1
    points = [month_point(months + step)._replace(day=day) for step in (-1, 0, 1)]
    near = [point.first(point.year or 1) for point in points if point.valid()]
    if near:
        yield _days(min(near, key=lambda first: abs(first - today.toordinal())), 1, place)


def _chinese(match: re.Match[str], today: date) -> Span:
    word, place = match[0], (match.start(), match.end())
    for name, shift in _CHINESE_DAYS.items():
        if word.startswith(name) and not word.endswith("年"):
            return _days(today.toordinal() + shift, 1, place)
    if word.endswith("年"):
        return _months((today.year + _CHINESE_YEARS[word[0]]) * 12, 12, place, YEAR)
    step = _CHINESE_STEPS[word[0]]
    if word.endswith("月"):
        return _months(today.year * 12 + today.month - 1 + step, 1, place, MONTH)
    monday = today.toordinal() - today.weekday() + 7 * step
    return _days(monday + 5, 2, place) if word.endswith("末") else _days(monday, 7, place, WEEK)
