"""Which earlier turns something new may concern, and what is decided about them.

Only a correction, a statement or a claim can replace anything; of all other turns nothing is asked, so that a chat
costs next to nothing. Two turns that state a value of the same thing need no decision: the index derives which holds.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from memspan.core.changes import Change
from memspan.core.records import Turn
from memspan.text.consolidate.reconcile import (
    REPLACING,
    Decision,
    Item,
    Judge,
    RuleJudge,
    changes,
    near_from,
    reconcile,
)
from memspan.text.extract.claims import is_claim
from memspan.text.extract.statements import corrects
from memspan.text.index.scope import ScopeIndex
from memspan.text.safety.trust import trust_of

NEAREST = 5
SAMPLE = 200
_STEP = 64


class Candidates:
    """Decides about the turns of one scope.

    turns, units: those that count, oldest first;  judge: None = rules, what is near being measured in this scope
    """

    def __init__(self, index: ScopeIndex, turns: Sequence[Turn], units: Sequence[int], judge: Judge | None) -> None:
        self._index, self._judge = index, judge
        self._turns = dict(zip(units, turns, strict=True))
        self._replaced: set[int] = set()
        self._unit_of = {turn.id: unit for unit, turn in self._turns.items()}
        self._counts = np.zeros(index.count + 1, np.bool_)
        self._counts[list(self._turns)] = True

    def decided(self, after: int, go_on: Callable[[], bool]) -> Iterator[tuple[int, list[Change]]]:
        """(unit, changes) of runs of turns past a unit, the unit being the last one looked at."""
        fresh = [unit for unit in self._turns if unit > after]
        for start in range(0, len(fresh), _STEP):
            if not go_on():
                return
            some = fresh[start : start + _STEP]
            yield some[-1], [change for unit in some for change in self._of(unit)]

    def _of(self, unit: int) -> list[Change]:
        turn = self._turns[unit]
        if not (unit in self._index.fates.slot_of or corrects(turn.text) or is_claim(turn.text)):
            return []
        candidates = [self._item(other, similarity) for other, similarity in self._nearest(unit, NEAREST)]
        new = self._item(unit, 1.0)
        decisions = reconcile(new, candidates, self._rules()) if candidates else []
        return [
            change for decision in decisions if (told := self._weighed(unit, decision)) for change in changes(told, new)
        ]

    def _weighed(self, unit: int, decision: Decision) -> Decision | None:
        """The decision as it may stand: who is trusted less contradicts, and what is replaced already stays so."""
        other = self._unit_of.get(decision.target, 0)
        if decision.op not in REPLACING:
            return decision
        fates = self._index.fates
        if (
            other in fates.heirs
            or other in self._replaced
            or fates.slot_of.get(other, -1) == fates.slot_of.get(unit, -2)
        ):
            return None
        new, old = self._turns[unit], self._turns[other]
        if trust_of(new.role, new.meta) < trust_of(old.role, old.meta):
            return Decision("annotate", decision.target, decision.why)
        self._replaced.add(other)
        return decision

    def _item(self, unit: int, similarity: float) -> Item:
        turn = self._turns[unit]
        at = turn.seen_at if turn.at is None else turn.at
        return Item(id=turn.id, text=turn.text, speaker=turn.speaker, at=at, similarity=similarity)

    def _nearest(self, unit: int, most: int) -> list[tuple[int, float]]:
        """(unit, cosine) of the nearest earlier turns, nearest first."""
        cosines = self._cosines(unit)
        best = np.argsort(-cosines[:unit], kind="stable")[:most]
        return [(int(one), float(cosines[one])) for one in best if self._counts[one]]

    def _cosines(self, unit: int) -> NDArray[np.float32]:
        flats = list(self._index.flats.values())
        if not flats:
            return np.full(self._index.count + 1, -1.0, np.float32)
        flat = flats[0][1]
        cosines = flat.scan(flat.prepare(self._index.own([unit])[0]))
        cosines[~self._counts] = -1
        return cosines

    def _rules(self) -> Judge:
        if self._judge is None:
            units = np.array(list(self._turns))
            sample = units[:: max(1, len(units) // SAMPLE)].tolist()
            nearest = (self._nearest(unit, 1) for unit in sample if unit > 1)
            self._judge = RuleJudge(near=near_from(found[0][1] for found in nearest if found))
        return self._judge
