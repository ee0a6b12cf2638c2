"""What it is time for: reminders whose moment has come, or whose event was spoken of since.

Nothing is stored for it: a reminder is a mark on the turn that asks for it, what it waits for is read from its words,
and what has fired follows from the clock and from the turns said after it.
"""

from collections.abc import Iterator, Sequence
from math import floor

import numpy as np

from memspan.core.changes import Due
from memspan.core.records import Turn
from memspan.text.extract.reminders import Reminder, fires, reminder
from memspan.text.index.fates import Moment
from memspan.text.index.marks import REMINDER
from memspan.text.index.scope import ScopeIndex
from memspan.text.index.words import word_hash

SHARE = 0.5  # of the event's words that a turn must hold to be read
_READ = 500


def due(index: ScopeIndex, now: float) -> list[Due]:
    """Reminders that have fired by now and still hold, those that fired first first. now: [s]"""
    view = index.view(Moment(now))
    waiting = index.marked[(index.marks[index.marked] & REMINDER) > 0]
    units = [int(unit) for unit in waiting if view.sees(int(unit)) and view.heir(int(unit)) == unit]
    turns = _turns(index, units)
    found = [
        fired
        for unit in units
        if (turn := turns.get(unit)) is not None
        and (wanted := reminder(turn.text, turn.role, _said(turn))) is not None
        and (fired := _fired(index, unit, turn, wanted, now)) is not None
    ]
    return sorted(found, key=lambda one: (one.since, one.id))


def _fired(index: ScopeIndex, unit: int, turn: Turn, wanted: Reminder, now: float) -> Due | None:
    if wanted.at is not None:
        since = by_the_clock(wanted, now)
        return None if since is None else Due(id=turn.id, what=wanted.what, text=turn.text, since=since)
    for later in _speaking_of(index, unit, wanted):
        if fires(wanted, later.text):
            return Due(id=turn.id, what=wanted.what, text=turn.text, since=_said(later), by=later.id)
    return None


def by_the_clock(wanted: Reminder, now: float) -> float | None:
    """Since when a reminder that waits for a moment is due [s]; None where it is not, or waits for words. now: [s]"""
    if wanted.at is None or wanted.at > now:
        return None
    rounds = floor((now - wanted.at) / wanted.every) if wanted.every else 0
    return wanted.at + rounds * (wanted.every or 0.0)


def _speaking_of(index: ScopeIndex, unit: int, wanted: Reminder) -> Iterator[Turn]:
    """Later turns that hold enough of the event's words to be worth reading, in the order they were written."""
    view_from = unit + 1
    held = np.zeros(index.count + 1, np.int32)
    for word in wanted.event:
        held[index.lexical.holding(np.array([word_hash(word)], np.uint32))] += 1
    least = max(1, int(SHARE * len(wanted.event))) if wanted.event else 0
    candidates = view_from + np.flatnonzero(held[view_from:] >= least)
    for start in range(0, len(candidates), _READ):
        some = [int(one) for one in candidates[start : start + _READ]]
        turns = _turns(index, some)
        yield from (turns[one] for one in some if one in turns)


def _turns(index: ScopeIndex, units: Sequence[int]) -> dict[int, Turn]:
    seqs = index.seq[list(units)].tolist()
    found = index.store.fetch(index.scope, seqs)
    return {unit: found[seq] for unit, seq in zip(units, seqs, strict=True) if seq in found}


def _said(turn: Turn) -> float:
    return (turn.seen_at or 0.0) if turn.at is None else turn.at
