"""What is written when, and what is asked when: the steps of a case, by the positions of its questions.

once, sessions, corpus: all units in one go, then the questions. interleaved, act: a session at a time, as it ends,
and a question as soon as what it may see is there. A unit behind a question's `visible` is not yet written when the
question is put: it is withheld, not hidden.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memspan.bench.cases import Ask, Case, Question, Unit

SINGLES = 5
"""So many units at a case's end are written one by one, so that the price of one call is known."""


@dataclass(frozen=True, slots=True)
class Write:
    """Units to remember in one call."""

    units: Sequence[Unit]


@dataclass(frozen=True, slots=True)
class Put:
    """A question to put."""

    ask: Ask


Step = Write | Put


def asked(case: Case) -> list[Question]:
    """The questions whose evidence is named, in order of what is visible to them."""
    return sorted((one for one in case.questions if one.gold), key=lambda one: one.visible)


def steps(units: Sequence[Unit], asks: Sequence[tuple[Ask, int]]) -> Iterator[Step]:
    """Writes and questions in order of time. asks: (what is asked, units visible to it), by what is visible."""
    done = 0
    for ask, visible in asks:
        if visible > done:
            yield from _writes(units[done:visible], whole=not done and visible == len(units))
            done = visible
        yield Put(ask)


def _writes(units: Sequence[Unit], *, whole: bool) -> Iterator[Write]:
    if not whole:
        yield from _sessions(units)
        return
    bulk = max(0, len(units) - SINGLES)
    if bulk:
        yield Write(units[:bulk])
    yield from (Write([unit]) for unit in units[bulk:])


def _sessions(units: Sequence[Unit]) -> Iterator[Write]:
    start = 0
    for end in range(1, len(units) + 1):
        if end == len(units) or units[end].session != units[start].session:
            yield Write(units[start:end])
            start = end
