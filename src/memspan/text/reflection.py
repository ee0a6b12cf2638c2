"""reflect(): the consolidation job on a real memory."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from memspan.core.budget import Budget
from memspan.core.changes import Change, State
from memspan.core.protocols import Progress
from memspan.core.records import Link, Record, Turn
from memspan.text.consolidate.candidates import Candidates
from memspan.text.consolidate.decay import HALF_LIFE_S
from memspan.text.consolidate.jobs import Job, Reflected
from memspan.text.consolidate.reconcile import Judge
from memspan.text.index.fates import Moment
from memspan.text.index.scope import ScopeIndex
from memspan.text.store import erase, job_rows, past
from memspan.text.store.erase import Selector
from memspan.text.store.store import Store

JOB = "reflect"
_CAPACITY = "capacity"
Write = Callable[[str, Sequence[Change]], object]


def reflect(
    store: Store,
    index: ScopeIndex,
    write: Write,
    now: float,
    budget: Budget,
    progress: Progress | None,
    judge: Judge | None,
) -> Reflected:
    """Run the job, where anything was written since it last came to its end.

    write: applies changes under a verb, in one transaction;  judge: of what new turns replace, None = rules
    """
    scope = index.scope
    erase.finish(store, scope)
    noted = job_rows.read(store, scope, JOB)
    if noted.get("head") == past.head(store, scope) and not _due(index, now):
        return Reflected(finished=True)
    job_rows.write(store, scope, JOB, "running", {**noted, "head": None}, now)
    desk = _Desk(store, index, write, now, noted.get("reconciled", 0), judge)
    done = Job(desk, budget, progress).run()
    note = {"head": past.head(store, scope) if done.finished else None, "reconciled": desk.reconciled}
    job_rows.write(store, scope, JOB, "done" if done.finished else "waiting", note, now)
    return done


def capacity(store: Store, scope: str) -> tuple[int | None, float]:
    """How many turns may stay, None = all, and the half-life of a memory [s]."""
    raw = store.setting(_CAPACITY, scope)
    if raw is None:
        return None, HALF_LIFE_S
    most, half_life_s = json.loads(raw)
    return most, half_life_s


def set_capacity(store: Store, scope: str, most: int | None, half_life_s: float) -> None:
    """Keep it in the file."""
    store.set_setting(_CAPACITY, json.dumps([most, half_life_s]), scope)


def _due(index: ScopeIndex, now: float) -> bool:
    index.refresh()
    return any(end <= now for _, end in index.fates.expiring)


def _said_better(state: State | None) -> bool:
    """Whether another turn says the same, or what should have been said: a repetition, an echo, a correction."""
    return state is not None and state.status == "superseded"


class _Desk:
    """What the job sees of a memory."""

    def __init__(
        self, store: Store, index: ScopeIndex, write: Write, now: float, reconciled: int, judge: Judge | None
    ) -> None:
        self.scope, self.reconciled = index.scope, reconciled
        self._store, self._index, self._write, self._now, self._judge = store, index, write, now, judge
        self._seqs: dict[str, int] = {}

    def now(self) -> float:
        return self._now

    def capacity(self) -> tuple[int | None, float]:
        return capacity(self._store, self.scope)

    def living(self) -> tuple[list[Turn], Mapping[str, State]]:
        self._index.refresh()
        view, fates = self._index.view(Moment(self._now)), self._index.fates
        replaced = {link.target for link in self._store.links(self.scope, "supersedes")}
        turns: list[Turn] = []
        states: dict[str, State] = {}
        after = 0
        while some := self._store.numbered(self.scope, after):
            for seq, turn in some:
                unit = self._index.unit_of(seq)
                state = fates.states.get(unit)
                if not view.sees(unit) or (_said_better(state) and turn.id not in replaced):
                    continue
                turns.append(turn)
                self._seqs[turn.id] = seq
                if state is not None:
                    states[turn.id] = state
            after = some[-1][0]
        return turns, states

    def records(self, kind: str | None = None) -> list[Record]:
        return self._store.records(self.scope, kind)

    def links(self) -> list[Link]:
        return self._store.links(self.scope)

    def write(self, changes: Sequence[Change]) -> None:
        self._write(JOB, changes)

    def erase_expired(self) -> int:
        self._index.refresh()
        gone = [unit for unit, end in self._index.fates.expiring if end <= self._now]
        ids = [turn.id for turn in self._store.fetch(self.scope, self._index.seq[gone].tolist()).values()]
        free = [wanted for wanted in ids if not self._store.item(self.scope, wanted)[1].held]
        if not free:
            return 0
        told = Selector(ids=tuple(free), told="expired")
        self._index.written()
        return erase.forget(self._store, self.scope, told, self._now).rows.get("turn", 0)

    def reconcile(self, turns: Sequence[Turn], go_on: Callable[[], bool]) -> Iterator[list[Change]]:
        units = [self._index.unit_of(self._seqs[turn.id]) for turn in turns]
        known = int(np.searchsorted(self._index.seq, self.reconciled, side="right")) - 1
        for unit, changes in Candidates(self._index, turns, units, self._judge).decided(known, go_on):
            yield changes
            self.reconciled = int(self._index.seq[unit])
