"""Times named in a text, as ranges: for a question, what it asks about; for a turn, what it speaks of.

Source: recall setting, rule 2.5 (docs/ARCHITECTURE.md): a date without a year means that day in every year present in
the collection. Ours adds what docs/decisions/0005-dates.md lists and measures: times of day, ranges, seasons, and with
an anchor, the time of the turn or question itself, what is said from there ("last Friday", "two weeks ago").
English, and the plain Chinese forms.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import NamedTuple

from memspan.text.extract._calendar import (
    AND,
    BETWEEN,
    DAY,
    DAY_SECONDS,
    EPOCH,
    LAST_WORDS,
    LINK,
    MAX_SPANS,
    MONTH_WORD,
    YEAR,
    Point,
    Range,
    Span,
    calendar_spans,
    day_point,
    level_of,
)
from memspan.text.extract._relative import relative_spans
from memspan.text.extract._shift import CLOCK_WORD, Step, clock_seconds, inner_step, outer_step, step_behind

MAX_MENTIONS = MAX_SPANS
MAX_STEPS = 3

_HINT = re.compile(r"\d|\b" + MONTH_WORD, re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(CLOCK_WORD, re.IGNORECASE | re.ASCII)
_CLOCK_HINT = re.compile(r"\d:\d|\d ?[ap]\.?m|o['’]cl|noon|midday|midnight", re.IGNORECASE)
_DAY_THEN_CLOCK = re.compile(r"(?:,? (?:at |around |about |by |from |between )?|T)", re.IGNORECASE)
_CLOCK_THEN_DAY = re.compile(
    r",? ?(?:on |of )?(?:the )?(?:(?:morning|afternoon|evening|night) (?:of|on) )?(?:the )?", re.IGNORECASE
)
_CLOCK_ALONE = re.compile(r"\b(?:at|by|until|till|before|after|from|since|around|about) $", re.IGNORECASE)
_IF = re.compile(r"\bif\b[^,?.!;]*$", re.IGNORECASE)
_WEEKDAY_OF = re.compile(r",? (?:the )?")
_NO_DAY = Point(None)
_UTC = re.compile(r"(?:Z|\+00:?00)\b")


class Mention(NamedTuple):
    """A time that a text names. words: how it says it

    start, end: half-open, seconds since 1970 UTC; infinite where it is open ("since May")
    """

    start: float
    end: float
    words: str


def ranges(question: str, years: Iterable[int], anchor: float | None = None) -> list[tuple[float, float]]:
    """Whole days the question names, as half-open ranges, ascending [s since 1970 UTC].

    years: the years present in the collection; a date without a year is looked for in each of them
    anchor: when it is asked; without one "last week" says nothing
    Only the finest level named counts: days, else months, else years. Times of day, "before" and "late" are left aside:
    what is near a time named often is told of beside it. The first 32 dates are read.

    >>> ranges("What did Anna paint on May 8th, 2023?", [])
    [(1683504000.0, 1683590400.0)]
    >>> len(ranges("Who called in March?", [2022, 2023]))
    2
    >>> ranges("It may rain, what should I wear?", [2023])
    []
    """
    phrases = [phrase for phrase in _phrases(question, _sane(anchor)) if not phrase.span.loose]
    if not phrases:
        return []
    finest = max(phrase.span.level for phrase in phrases)
    known = sorted({year for year in years if 1 <= year <= 9999})
    found = {at for phrase in phrases if phrase.span.level == finest for at in phrase.whole_days(known)}
    return sorted(found)


def meant(text: str, anchor: float | None = None) -> tuple[float, float] | None:
    """The one range of time a text is about, half-open [s since 1970 UTC], or None; infinite where it is open.

    A range outranks a day, a day a month, a month a year, whatever stands in an if-clause comes last; then the first.
    anchor: when it is said; the year of a date without one is the nearest to it

    >>> meant("What did Bo do between May 3, 2023, at 9:03 AM and May 8, 2023?")
    (1683104580.0, 1683590400.0)
    >>> meant("What happened yesterday?", anchor=1683590400.0)
    (1683504000.0, 1683590400.0)
    """
    anchor = _sane(anchor)
    placed = [(phrase, at) for phrase in _phrases(text, anchor) for at in phrase.exact(anchor)]
    return min(placed, key=lambda one: one[0].rank)[1] if placed else None


def mentions(text: str, anchor: float | None = None) -> list[Mention]:
    """Every time a text names, in its order; the first 32 at most.

    >>> [one.words for one in mentions("I met Al last Friday, and since May 2 I run.", anchor=1683590400.0)]
    ['last Friday', 'since May 2']
    """
    line, anchor = " ".join(text.split()), _sane(anchor)
    return [
        Mention(*at, line[phrase.start : phrase.end])
        for phrase in _phrases(text, anchor)
        for at in phrase.exact(anchor)
    ]


def _sane(anchor: float | None) -> float | None:
    """The anchor, or None where it lies so far off that no calendar has the years around it."""
    return anchor if anchor is not None and -62e9 < anchor < 253e9 else None


@dataclass(slots=True)
class _Phrase:
    """A date with the words around it.

    start, end: where it stands in the text;  supposed: it stands in an if-clause
    low_steps, high_steps: what words make of its first and its last unit;  steps: of the whole
    """

    span: Span
    start: int
    end: int
    low_steps: list[tuple[bool, Step]] = field(default_factory=list)
    high_steps: list[tuple[bool, Step]] = field(default_factory=list)
    steps: list[tuple[bool, Step]] = field(default_factory=list)
    supposed: bool = False

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """What comes first where one is wanted."""
        return self.supposed, not self.span.ranged, -self.span.level, self.start

    def whole_days(self, known: Sequence[int]) -> Iterator[Range]:
        """The days it names, in each known year; times of day, cuts and open ends left aside.

        "the week before May 9" reaches to May 9: what was is told of soon after.
        """
        for low, high in replace(self.span, opens=None, closes=None).placed(known):
            start = _applied(low, [step for cuts, step in self.low_steps if not cuts])[0]
            end = _applied(high, [step for cuts, step in self.high_steps if not cuts])[1]
            start, end = min(low[0], start), max(high[1], end)
            yield start // DAY_SECONDS * DAY_SECONDS, -(-end // DAY_SECONDS) * DAY_SECONDS

    def exact(self, anchor: float | None) -> Iterator[Range]:
        """The time it names; where the year is not said, that nearest to the anchor."""
        year = None if anchor is None else day_point(int(anchor // DAY_SECONDS) + EPOCH).year
        known = [] if year is None else [year - 1, year, year + 1]
        placed = []
        for low, high in self.span.placed(known):
            start, end = _applied(low, [step for _, step in self.low_steps])[0], 0.0
            end = _applied(high, [step for _, step in self.high_steps])[1]
            start, end = _applied((start, end), [step for _, step in self.steps])
            if start < end:
                placed.append((start, end))
        if placed:
            yield min(placed, key=lambda at: abs(_middle(at) - (anchor or 0.0)))


def _applied(at: Range, steps: Iterable[Step]) -> Range:
    for step in steps:
        if at[0] == -inf or at[1] == inf:
            break
        at = step(at)
    return at


def _middle(at: Range) -> float:
    if at[0] == -inf or at[1] == inf:
        return at[1] if at[0] == -inf else at[0]
    return (at[0] + at[1]) / 2


def _phrases(text: str, anchor: float | None) -> list[_Phrase]:
    """What a text names, in its order: dates with their times of day, joined to ranges, with the words around them."""
    if anchor is None and not _HINT.search(text):
        return []
    line = " ".join(text.split())
    spans = _dated(line, calendar_spans(line), [] if anchor is None else relative_spans(line, anchor))
    spans = _clocked(line, spans, anchor)
    return [_surrounded(line, phrase) for phrase in _joined(line, [_qualified(line, span) for span in spans])]


def _dated(text: str, calendar: list[Span], relative: list[Span]) -> list[Span]:
    """Both kinds in order: "last March" is one of them, "Friday, May 5" is its day, a lone year is that of the rest."""
    spans: list[Span] = []
    for span in sorted([*relative, *calendar], key=lambda span: (span.start, -span.end)):
        if spans and span.start < spans[-1].end and (span in relative) != (spans[-1] in relative):
            continue
        if spans and spans[-1] in relative and span.low.day and _WEEKDAY_OF.fullmatch(text, spans[-1].end, span.start):
            spans.pop()
        spans.append(span)
    years = [span for span in spans if span.level == YEAR and span.low.year == span.high.year]
    bare = [span for span in spans if span.low.year is None and span.high.year is None]
    if len(years) != 1 or not bare:
        return spans
    year = years[0].low.year
    return [_in_year(span, year) if span in bare else span for span in spans if span is not years[0]]


def _in_year(span: Span, year: int | None) -> Span:
    return replace(span, low=span.low._replace(year=year), high=span.high._replace(year=year), loose=False)


def _clocked(text: str, spans: list[Span], anchor: float | None) -> list[Span]:
    """The spans with the times of day that stand beside them."""
    if not _CLOCK_HINT.search(text) or not (spans or anchor is not None):
        return spans
    for clock in _clocks(text):
        place = next((n for n, span in enumerate(spans) if _stands_by(text, span, clock)), None)
        if place is not None:
            spans[place] = _at_clock(text, spans[place], clock)
        elif anchor is not None and _CLOCK_ALONE.search(text, max(0, clock.start - LAST_WORDS), clock.start):
            today = day_point(int(anchor // DAY_SECONDS) + EPOCH)
            spans.append(replace(clock, low=today, high=today))
    return sorted(spans, key=lambda span: span.start)


def _stands_by(text: str, span: Span, clock: Span) -> bool:
    """Whether a time of day belongs to a day: it stands beside it, or ends what began there at another time."""
    if span.low != span.high or not span.low.day or span.ranged:
        return False
    if span.opens is not None:
        return not clock.ranged and span.opens < (clock.opens or 0.0) and _one_range(text, span, clock)
    if clock.start >= span.end:
        return bool(_DAY_THEN_CLOCK.fullmatch(text, span.end, clock.start))
    return clock.end <= span.start and bool(_CLOCK_THEN_DAY.fullmatch(text, clock.end, span.start))


def _at_clock(text: str, span: Span, clock: Span) -> Span:
    if span.opens is not None:
        return replace(span, end=clock.end, closes=(clock.opens or 0.0) + 1.0, ranged=True)
    start, end = min(span.start, clock.start), max(span.end, clock.end)
    if utc := _UTC.match(text, end):
        end = utc.end()
    return replace(span, start=start, end=end, opens=clock.opens, closes=clock.closes, ranged=clock.ranged, loose=False)


def _clocks(text: str) -> list[Span]:
    """The times of day, and ranges of them, as spans of no day yet."""
    found: list[Span] = []
    for match in _CLOCK.finditer(text):
        if (read := clock_seconds(match[0])) is None:
            continue
        opens, lasts = read
        clock = Span(_NO_DAY, _NO_DAY, match.start(), match.end(), DAY, opens, opens + lasts, loose=True)
        last = found[-1] if found else None
        if last is not None and not last.ranged and _one_range(text, last, clock) and (last.opens or 0.0) < opens:
            found[-1] = replace(last, end=clock.end, closes=opens + 1.0, ranged=True)
        else:
            found.append(clock)
        if len(found) >= MAX_MENTIONS:
            break
    return found


def _qualified(text: str, span: Span) -> _Phrase:
    """A date with what the words right beside it make of it."""
    phrase = _Phrase(span, span.start, span.end)
    steps: list[tuple[bool, Step]] = []
    if behind := step_behind(text, span.end):
        phrase.end = behind.edge
        steps.append((behind.cuts, behind.step))
    for _ in range(MAX_STEPS):
        if (found := inner_step(text, phrase.start)) is None:
            break
        phrase.start = found.edge
        steps.append((found.cuts, found.step))
        if found.ranged:
            phrase.span = replace(phrase.span, ranged=True)
    phrase.low_steps = phrase.high_steps = steps
    return phrase


def _surrounded(text: str, phrase: _Phrase) -> _Phrase:
    """A date or a range with the word that opens it, "since" or "before"."""
    phrase.supposed = bool(_IF.search(text, max(0, phrase.start - 8 * LAST_WORDS), phrase.start))
    if not phrase.span.ranged and (found := outer_step(text, phrase.start)):
        phrase.start = found.edge
        phrase.steps.append((found.cuts, found.step))
    return phrase


def _joined(text: str, phrases: Sequence[_Phrase]) -> list[_Phrase]:
    """ "X to Y" and "between X and Y" are one, "June and July 2025" share their year."""
    merged: list[_Phrase] = []
    for here in reversed(phrases):
        following = merged[-1] if merged else None
        if following is not None and _one_range(text, here, following):
            merged[-1] = _one(here, following)
        elif following is not None and _shares_year(text, here, following):
            here.span = _in_year(here.span, following.span.low.year)
            merged.append(here)
        else:
            merged.append(here)
    return merged[::-1]


def _one(here: _Phrase, following: _Phrase) -> _Phrase:
    """From the first date to the last; an hour that ends it, ends it at its stroke."""
    first, last = here.span, following.span
    closes = None if last.opens is None else last.opens + 1.0
    span = Span(
        first.low, last.high, first.start, last.end, level_of(first.low, last.high), first.opens, closes, ranged=True
    )
    return _Phrase(span, here.start, following.end, here.low_steps, following.high_steps)


def _shares_year(text: str, here: _Phrase, following: _Phrase) -> bool:
    first, last = here.span, following.span
    if first.low.year or first.high.year or first.level != last.level or last.low.day != last.high.day:
        return False
    return bool(AND.fullmatch(text, here.end, max(here.end, following.start)))


def _one_range(text: str, here: _Phrase | Span, following: _Phrase | Span) -> bool:
    """Whether "to" links two single times, or "and" after "between"."""
    between = text[here.end : following.start]
    if not between or len(between) > LAST_WORDS or not (_single(here) and _single(following)):
        return False
    if LINK.fullmatch(between):
        return True
    return bool(AND.fullmatch(between) and BETWEEN.search(text[max(0, here.start - LAST_WORDS) : here.start]))


def _single(one: _Phrase | Span) -> bool:
    span = one.span if isinstance(one, _Phrase) else one
    return span.low == span.high and not span.ranged
