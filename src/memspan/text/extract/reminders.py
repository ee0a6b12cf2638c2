"""Reminders: "remind me to call Ann on Friday", "when the boiler is back, don't let me forget the meter".

A reminder waits for a moment, read from the turn's own time, or for words: those of "when I am at the office" must
stand in a later sentence. English only, one reminder a turn, the first that has something to wait for.

Limits: times are UTC; "on Friday" is due as Friday begins; a stated time that has passed means its next return; words
that say nothing of their own ("next time we talk") leave none to wait for, and any later turn meets them.
"""

import re
from dataclasses import dataclass
from math import ceil, inf, isfinite

from memspan.text.extract.dates import Mention, mentions
from memspan.text.index.words import words
from memspan.text.patterns import later

MAX_CHARS = 2_000
MAX_LATER_CHARS = 20_000
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
LATEST = 253_402_300_800.0
"""The end of the year 9999 [s]: nothing later can be stored."""

_FLAGS = re.IGNORECASE | re.ASCII
_SENTENCE = later(r"[!?;]+\s+|\n+|(?<![ap]\.m)(?<! [ap])\.\s+")
_CALL = later(
    r"\bremind (?:me|us)\b|\b(?:set|make|create|add|schedule)(?: (?:me|us))? (?:a|another) reminder\b(?: for (?:me"
    r"|us)\b)?"
    r"|\b(?:i|we)(?:['’]d like| need| want|['’]ll need| would like) a reminder\b"
    r"|\b(?:do not|don['’]?t|never) let (?:me|us) forget\b|\bmake sure (?:i|we) (?:do not|don['’]?t) forget\b",
    _FLAGS,
)
_NOT = later(
    r"\b(?:do not|don['’]?t|never|not|didn['’]?t|doesn['’]?t|won['’]?t|without|needn['’]?t|no need to|forgot to|stop"
    r"|had to"
    r"|used to|always|have to|supposed to|why)(?: \w{1,12}){0,2} $|\b(?:if|when|that) you $",
    _FLAGS,
)
_STILL = later(r"\b(?:forget|fail|hesitate) to $", _FLAGS)
_ASKING = later(
    r",? (?:again\b|of\b|(?:what|who|where|why|how|which|whose)\b"
    r"|when (?:is|was|are|were|did|does|do|will)\b|when (?:\w{1,20} ){1,6}(?:is|was|are|were|starts?|ends?"
    r"|begins?)\W*$)",
    _FLAGS,
)
_EVENT = later(
    r"\b(?:when(?:ever)?|if|once|as soon as|(?:the )?next time|every time|each time|the moment|before|after|while"
    r"|until)\b ",
    _FLAGS,
)
_TO = later(r",? to (?!the |my |a |an |our |your |his |her |him |them |you |us |it )(?=[a-z])", re.ASCII)
_WHAT = later(r"[\s,:]*(?:(?:to|about|that|of|for|please|and|then)\b[\s,:]*){0,2}", _FLAGS)
_BEFORE_TIME = r"(?:\b(?:on|at|in|by|from|for|around|before|after|until|starting|every|each|the)\s+){0,3}"
_BY = later(r"\b(?:before|by|until|till|after)(?= )", _FLAGS)
_GONE = later(r"\b(?:yesterday|last|ago|today|this|past|previous)\b", _FLAGS)
_LATE = later(r"\b(?:tonight|evening|night|afternoon)\b", _FLAGS)
_REQUEST = later(r"(?:,|\b(?:please|then|also|could you|can you|would you|will you|i['’]d like you to)) *$", _FLAGS)
_WEEKDAY = later(r"(?:on |by )?(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", _FLAGS)
_CLOCK_ALONE = later(r"\bat (\d{1,2})(?::(\d\d))?(?![\d:.,/]|(?: ?%| ?[ap]\.?m| percent| dollars))\b", _FLAGS)
_SPAN = later(r"\b(?:in|after) (?:(half an|a half|an?|\d{1,4})) (minute|hour|day|week)s?\b", _FLAGS)
_SECONDS = {"minute": 60.0, "hour": HOUR, "day": DAY, "week": WEEK}
_EVERY = later(
    r"\b(?:every|each) (?:(day|morning|afternoon|evening|night)|week|(?:mon|tues|wednes|thurs|fri|satur"
    r"|sun)day)\b",
    _FLAGS,
)
_NEGATED = later(r"\b(?:not|never|no longer|nobody|without|cannot)\b|n['’]t\b", _FLAGS)
_LIGHT = frozenset(
    words(
        "talk speak mention discuss ask bring say tell chat come comes arrive reach go going happen start begin next"
        " time write message text someone somebody something anybody anything subject topic moment back today"
        " finally please"
    )
)


@dataclass(frozen=True, slots=True)
class Reminder:
    """What to be reminded of, and what it waits for: a moment, or words of an event.

    what: as it was said;  at: the moment [s since 1970 UTC], None where it waits for words
    every: it comes back after so long [s];  event: stems of the words waited for;  negated: for their denial
    """

    what: str
    at: float | None = None
    every: float | None = None
    event: frozenset[str] = frozenset()
    negated: bool = False


def reminder(text: str, role: str, at: float | None) -> Reminder | None:
    """What a user's turn asks to be reminded of; None where it asks for nothing that could come.

    at: when it was said [s since 1970 UTC]; without it only whole dates are times

    >>> reminder("Could you remind me to water the ferns in 3 days?", "user", 0.0)
    Reminder(what='water the ferns', at=259200.0, every=None, event=frozenset(), negated=False)
    >>> sorted(reminder("When the plumber calls, remind me to ask about the tap.", "user", 0.0).event)
    ['call', 'plumber']
    >>> reminder("Can you remind me what the plumber said?", "user", 0.0) is None
    True
    """
    if role != "user" or ("remind" not in text.lower() and "forget" not in text.lower()):
        return None
    at = at if at is not None and isfinite(at) and abs(at) < LATEST else None
    found = (_read(sentence.strip(), at) for sentence in _SENTENCE.split(text[:MAX_CHARS]))
    return next((one for one in found if one is not None), None)


def fires(waiting: Reminder, text: str) -> bool:
    """Whether a later turn tells of the event a reminder waits for; one that waits for a moment never fires so.

    One sentence must hold all of its words where there are one or two, two thirds of them where there are more, and
    deny what it denies.

    >>> waiting = reminder("Remind me to pay when I am at the bank", "user", 0.0)
    >>> fires(waiting, "I'm at the bank now."), fires(waiting, "I am not at the bank.")
    (True, False)
    """
    if waiting.at is not None:
        return False
    needed = len(waiting.event) if len(waiting.event) <= 2 else ceil(2 * len(waiting.event) / 3)
    return any(
        len(waiting.event.intersection(words(sentence))) >= needed
        and (not waiting.event or bool(_NEGATED.search(sentence)) == waiting.negated)
        for sentence in _SENTENCE.split(text[:MAX_LATER_CHARS])
        if sentence.strip()
    )


def _read(sentence: str, at: float | None) -> Reminder | None:
    for call in _CALL.finditer(sentence):
        head, tail = sentence[: call.start()], sentence[call.end() :].rstrip(" .!?,")
        if (_NOT.search(head) and not _STILL.search(head)) or _ASKING.match(tail):
            continue
        found = _of_event(head, tail, at) or _of_time(head, tail, at)
        if found is not None:
            return found
    return None


def _of_event(head: str, tail: str, at: float | None) -> Reminder | None:
    """The reminder that waits for words: "to X when Y", "when Y to X", "when Y, remind me to X"."""
    if opened := _EVENT.search(tail):
        what, clause = tail[: opened.start()], tail[opened.end() :]
        if not _WHAT.sub("", what, count=1).strip(" ,"):
            split = _TO.search(clause)
            clause, what = (clause[: split.start()], clause[split.end() :]) if split else (clause, "")
    elif opened := _EVENT.search(head):
        what, clause = tail, _REQUEST.sub("", _REQUEST.sub("", head[opened.end() :].rstrip()))
    else:
        return None
    clause = clause.split(",")[0]
    timed = f"at {clause}" if clause[:1].isdigit() else clause
    if _moment(timed, at) is not None or not clause.strip():
        return None
    event = frozenset(words(clause)) - _LIGHT
    return Reminder(_said(what) or _said(clause), event=event, negated=bool(_NEGATED.search(clause)))


def _of_time(head: str, tail: str, at: float | None) -> Reminder | None:
    for part in (tail, head):
        if found := _moment(part, at):
            moment, phrase, every = found
            gone = later(_BEFORE_TIME + re.escape(phrase), re.IGNORECASE)
            what = gone.sub("", tail, count=1)
            return Reminder(_said(what if every is None else _EVERY.sub("", what)), at=moment, every=every)
    return None


def _said(what: str) -> str:
    """What to do, without the words that lead to it and those left of a time."""
    return " ".join(_WHAT.sub("", what, count=1).rstrip(" ,").split())


def _moment(text: str, at: float | None) -> tuple[float, str, float | None] | None:
    """When a text says that something is due, the words that say so, and after how long it comes back [s].

    "Before" a day is the day before it, before a time of day an hour before it.
    """
    every = _EVERY.search(text)
    period = None if every is None or at is None else DAY if every[1] else WEEK
    if at is not None and (span := _SPAN.search(text)):
        count = 0.5 if "half" in span[1].lower() else 1.0 if span[1].lower() in ("a", "an") else float(span[1])
        return _kept(at + count * _SECONDS[span[2].lower()], span[0], None)
    plain = _BY.sub(lambda word: "at" if text[word.end() + 1 :][:1].isdigit() else "on", text)
    named = next((one for one in mentions(plain, at) if one.start > -inf), None)
    if at is None:
        return None if named is None else _kept(named.start, named.words, None)
    clock = _CLOCK_ALONE.search(plain)
    if named is None and clock is None:
        return None if period is None or every is None else _kept(at + period, every[0], period)
    due = _due(plain, at, named, clock)
    if due is None:
        return None
    start, length, phrase = due
    if re.search(rf"\bbefore (?:the )?{re.escape(phrase)}", text, re.IGNORECASE):
        start = max(at, start - (DAY if length >= DAY else HOUR))
    return _kept(start, phrase, period)


def _due(text: str, at: float, named: Mention | None, clock: re.Match[str] | None) -> tuple[float, float, str] | None:
    """The next return of a day, a time of day, or both: start, length [s], words; None where it is past for good."""
    today = at - at % DAY
    start, length, phrase = (named.start, named.end - named.start, named.words) if named else (today, DAY, "")
    late = _LATE.search(phrase) is not None
    if clock is not None and (length >= DAY or late) and int(clock[1]) < 24 and int(clock[2] or 0) < 60:
        hour = int(clock[1]) + (12 if 0 < int(clock[1]) < (12 if late else 7) else 0)  # "at 5" is in the afternoon
        start, length = start - start % DAY + hour * HOUR + int(clock[2] or 0) * 60, 60.0
        phrase = _across(text, phrase, clock)
    if start + min(length, DAY) > at and not (named and _WEEKDAY.match(named.words)):
        return start, length, phrase
    return (start + step, length, phrase) if (step := _step(start, at, named)) is not None else None


def _step(start: float, at: float, named: Mention | None) -> float | None:
    """What brings a time that has passed to its next return [s]; None where it has none."""
    if named is not None and _WEEKDAY.match(named.words):
        return max(0, ceil((at - start) / WEEK)) * WEEK
    if named is None or re.match(r"\d{1,2}(?::\d\d)?(?: ?[ap]\.?m\.?)?$|noon|midday|midnight", named.words, _FLAGS):
        return max(0, ceil((at - start) / DAY)) * DAY
    return 365 * DAY if at - start < 365 * DAY and not _GONE.search(named.words) else None


def _across(text: str, phrase: str, clock: re.Match[str]) -> str:
    """The words from a day to the time of day beside it, in either order."""
    place = text.find(phrase) if phrase else -1
    if place < 0:
        return clock[0]
    return text[min(place, clock.start()) : max(place + len(phrase), clock.end())]


def _kept(moment: float, phrase: str, every: float | None) -> tuple[float, str, float | None] | None:
    return (moment, phrase, every) if isfinite(moment) and abs(moment) < LATEST else None
