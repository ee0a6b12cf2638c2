"""What has become of units, in memory: who is hidden, who was superseded by whom, and since when.

Units are numbered as in scope.py. States come from the file; supersession through statements is derived here: of two
turns that state another value of the same thing, the newer holds.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memspan.core.changes import State

_HIDDEN = ("archived", "quarantined")
_LONGEST = 64  # links followed from a state to its heir's heir; a ring ends here

Mask = NDArray[np.bool_]
Statement = tuple[float, int, int]
"""(when, unit, value): > 0 it holds from then on, < 0 the value -v ends, 0 (ANY) whatever there was ends."""
ANY = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """From where memory is looked at [s].

    now: the clock;  as_of: what held then;  known_at: what memory knew then; None = now
    """

    now: float
    as_of: float | None = None
    known_at: float | None = None

    @property
    def past(self) -> bool:
        return self.as_of is not None or self.known_at is not None


class Fates:
    """States of the units of one scope, and chains of statements about the same thing."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {}
        self.heirs: dict[int, int] = {}
        self.slots: dict[int, list[Statement]] = {}
        self.slot_of: dict[int, int] = {}
        self.chains: dict[int, dict[int, int]] = {}  # heirs within a slot as of now, made when asked for
        self._hidden: NDArray[np.int64] | None = None
        self._expiring: list[tuple[int, float]] | None = None

    def put(self, unit: int, state: State, heir: int) -> None:
        """Take in the state of a unit. heir: the unit that replaced it, 0 where there is none"""
        self.states[unit] = state
        self.heirs.pop(unit, None)
        if heir:
            self.heirs[unit] = heir
        self._hidden = self._expiring = None
        self.chains = {}

    def state_that(self, unit: int, slot: int, value: int, at: float) -> None:
        """Take in a statement. at: when it was made [s]"""
        self.slot_of[unit] = slot
        insort(self.slots.setdefault(slot, []), (at, unit, value))
        self.chains.pop(slot, None)

    def stating(self, slot: int) -> list[int]:
        """Units that state a value of a thing."""
        return [unit for _, unit, _ in self.slots.get(slot, ())]

    def same_slot(self, unit: int) -> list[int]:
        """All units that state a value of the same thing."""
        return [other for _, other, _ in self.slots.get(self.slot_of.get(unit, -1), ())]

    def replaced_by(self, unit: int) -> list[int]:
        """The units whose statements this one put out of date: of those before it, the last that held till then."""
        said = self.slots.get(self.slot_of.get(unit, -1), [])
        place = next((place for place, (_, other, _) in enumerate(said) if other == unit), 0)
        now, before = (set(_heirs(said[:end])) for end in (place + 1, place))
        return sorted(now - before - {unit})

    @property
    def hidden(self) -> NDArray[np.int64]:
        """Units out of the way now."""
        if self._hidden is None:
            units = [unit for unit, state in self.states.items() if state.status in _HIDDEN]
            self._hidden = np.array(sorted(units), np.int64)
        return self._hidden

    @property
    def expiring(self) -> list[tuple[int, float]]:
        """(unit, moment) of units that are hidden from a moment on [s]."""
        if self._expiring is None:
            self._expiring = [
                (unit, state.expire_at) for unit, state in self.states.items() if state.expire_at is not None
            ]
        return self._expiring


class View:
    """The units of a scope as seen from one moment.

    at: when each happened;  seen_at: when it was learned [s], (count + 1,);  then: what had become of them, None = now
    history: whether what no longer holds keeps its place
    """

    def __init__(
        self,
        fates: Fates,
        moment: Moment,
        at: NDArray[np.float64],
        seen_at: NDArray[np.float64],
        then: "Then | None" = None,
        *,
        history: bool = False,
    ) -> None:
        self.history = history
        self._fates, self._moment = fates, moment
        self._states = fates.states if then is None else then.states
        self._heirs = fates.heirs if then is None else then.heirs
        self._then = then is not None
        self._chains = {} if moment.past or fates.expiring else fates.chains
        self.mask = self._visible(at, seen_at)

    @property
    def anchor(self) -> float:
        """From when memory is looked at [s]: what "yesterday" counts from."""
        return self._moment.now if self._moment.as_of is None else self._moment.as_of

    def _visible(self, at: NDArray[np.float64], seen_at: NDArray[np.float64]) -> Mask | None:
        """Which units are there, (count + 1,); None = all."""
        hidden = self._hidden()
        if not len(hidden) and not self._moment.past:
            return None
        mask = np.ones(len(at), np.bool_)
        mask[0] = False
        mask[hidden] = False
        if self._moment.known_at is not None:
            mask &= seen_at <= self._moment.known_at
        if self._moment.as_of is not None:
            mask &= np.where(np.isnan(at), seen_at, at) <= self._moment.as_of
        return mask

    def _hidden(self) -> NDArray[np.int64]:
        if self._then:
            hidden = np.array([unit for unit, state in self._states.items() if state.status in _HIDDEN], np.int64)
            expiring = [(unit, end) for unit, state in self._states.items() if (end := state.expire_at) is not None]
        else:
            hidden, expiring = self._fates.hidden, self._fates.expiring
        moments = (self._moment.now, self._moment.as_of, self._moment.known_at)
        looked = min(moment for moment in moments if moment is not None)
        gone = [unit for unit, end in expiring if end <= looked]
        return np.append(hidden, np.array(gone, np.int64)) if gone else hidden

    def sees(self, unit: int) -> bool:
        """Whether the unit is there at this moment."""
        return self.mask is None or bool(self.mask[unit])

    @property
    def eventful(self) -> bool:
        """Whether anything has become of any unit, or any states something."""
        return bool(self._states or self._fates.slot_of)

    def told(self, units: Sequence[int]) -> list[int]:
        """Those of the units of which anything is known to have become, or that state something."""
        states, slots = self._states, self._fates.slot_of
        if not self.eventful:
            return []
        if len(units) > len(states) + len(slots):
            return sorted((states.keys() | slots.keys()).intersection(units))
        return [unit for unit in units if unit in states or unit in slots]

    def heir(self, unit: int) -> int:
        """The unit that holds instead of this one at this moment, itself where it holds, 0 where nothing does."""
        state = self._states.get(unit)
        if state is not None and self._over(state):
            return self._last_heir(unit)
        return self._newest(unit)

    def until(self, unit: int) -> float | None:
        """Until when the unit held, as far as its state says [s]."""
        state = self._states.get(unit)
        return None if state is None else state.valid_to

    def _over(self, state: State) -> bool:
        """Whether it no longer holds at this moment."""
        end, as_of = state.valid_to, self._moment.as_of
        if state.status == "superseded":
            return as_of is None or end is None or end <= as_of
        looked = as_of if as_of is not None else self._moment.known_at
        return end is not None and end <= (self._moment.now if looked is None else looked)

    def _last_heir(self, unit: int) -> int:
        for _ in range(_LONGEST):
            following = self._heirs.get(unit, 0)
            if not following or not self.sees(following):
                return 0
            unit = following
            state = self._states.get(unit)
            if state is None or not self._over(state):
                return self._newest(unit)
        return 0

    def _newest(self, unit: int) -> int:
        """The unit that states the value that holds; the unit itself where no later statement touches it."""
        slot = self._fates.slot_of.get(unit)
        if slot is None:
            return unit
        if slot not in self._chains:
            said = [entry for entry in self._fates.slots[slot] if self._counts(entry[1])]
            self._chains[slot] = _heirs(said)
        return self._chains[slot].get(unit, unit)

    def holder(self, slot: int) -> int:
        """The unit that states the value which a thing has at this moment, 0 where none is known."""
        said = self._fates.slots.get(slot, ())
        holding = (unit for _, unit, value in reversed(said) if value > ANY and self._counts(unit))
        return next((unit for unit in holding if self._newest(unit) == unit), 0)

    def _counts(self, unit: int) -> bool:
        state = self._states.get(unit)
        return self.sees(unit) and (state is None or state.status == "active")


def _heirs(said: Sequence[Statement]) -> dict[int, int]:
    """Units that no longer hold -> the one that does, or the one that ended it. said: about one thing, oldest first"""
    heirs: dict[int, int] = {}
    later: set[int] = set()
    ended: set[int] = set()
    holder = last_end = 0
    for _, unit, value in reversed(said):
        if value <= 0:
            ended.add(-value)
            last_end = last_end or unit
            continue
        over = ANY in ended or value in ended
        if over or len(later) > (value in later):  # something else was said later
            heirs[unit] = holder or last_end
        elif not later:
            holder = unit
        later.add(value)
    return heirs


class Then(NamedTuple):
    """What had become of units at a moment of the past. heirs: unit -> the unit that replaced it"""

    states: Mapping[int, State]
    heirs: Mapping[int, int]


def folded_back(fates: Fates, undone: Iterable[tuple[int, State, int]]) -> Then:
    """States and heirs as they were. undone: (unit, state, heir) before each later change, the last change first"""
    states, heirs = dict(fates.states), dict(fates.heirs)
    for unit, before, heir in undone:
        states[unit] = before
        heirs.pop(unit, None)
        if heir:
            heirs[unit] = heir
    return Then(states, heirs)
