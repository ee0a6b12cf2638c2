"""Consolidation as a job in the file: stages in order, each written in batches, each batch one transaction.

Every stage is a pure function of the turns (episodes.py, tree.py, entities.py, standing.py, duplicates.py) and gives
only what changed, so a job that was killed goes on, and a second run writes nothing. Nothing is done at all where
nothing was written since the last run came to its end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from time import perf_counter
from typing import Protocol

from memspan.core.budget import Budget, Cost
from memspan.core.changes import Change, Patch, State
from memspan.core.protocols import Progress
from memspan.core.records import Link, Record, Turn
from memspan.text.consolidate import decay, duplicates, entities, episodes, standing, tree
from memspan.text.consolidate.derived import Basis, Derived
from memspan.text.safety.trust import trust_of

KINDS = ("episode", "day", "week", "month", "entity", "instruction", "preference")
STAGES = ("expire", "reconcile", "duplicates", "capacity", "episodes", "tree", "entities", "standing")
"""What changes the state of turns comes before what is derived from them, so that a second run finds nothing to do."""

TURN = "turn"
BORN = State()
_BATCH = 200


class Desk(Protocol):
    """What the job needs of a memory."""

    scope: str

    def living(self) -> tuple[list[Turn], Mapping[str, State]]:
        """Turns that count, as they came, and the states of those that have one."""
        ...

    def records(self, kind: str | None = None) -> list[Record]:
        """Records of a kind."""
        ...

    def links(self) -> list[Link]:
        """All links."""
        ...

    def write(self, changes: Sequence[Change]) -> None:
        """Apply changes in one transaction."""
        ...

    def erase_expired(self) -> int:
        """Forget what has expired; how many."""
        ...

    def reconcile(self, turns: Sequence[Turn], go_on: Callable[[], bool]) -> Iterator[list[Change]]:
        """Decide what new turns replace; the changes of some turns at a time."""
        ...

    def capacity(self) -> tuple[int | None, float]:
        """How many turns may stay, None = all, and the half-life of a memory [s]."""
        ...

    def now(self) -> float:
        """The clock's time [s]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflected:
    """What reflect() did.

    finished: whether all stages came to their end within the budget;  turns: how many were looked at
    derived: records written, by kind;  retired: records whose turns are gone;  links: how many are new
    superseded: turns found to be replaced;  expired: forgotten because their time was over;  archived: for room
    """

    finished: bool
    turns: int = 0
    derived: Mapping[str, int] = field(default_factory=dict)
    retired: int = 0
    links: int = 0
    superseded: int = 0
    expired: int = 0
    archived: int = 0
    cost: Cost = field(default_factory=Cost)

    def __bool__(self) -> bool:
        return bool(self.derived or self.retired or self.links or self.superseded or self.expired or self.archived)


class Job:
    """One run of the stages. desk: the memory;  budget: only its seconds count here"""

    def __init__(self, desk: Desk, budget: Budget, progress: Progress | None) -> None:
        self._desk, self._budget, self._progress = desk, budget, progress
        self._began = perf_counter()
        self._done = Reflected(finished=False)
        self._counts: dict[str, int] = {}

    def run(self) -> Reflected:
        """Run all stages, or as many as the budget allows; what was done is on disk."""
        finished = all(self._in_time() for _ in self._steps())
        cost = Cost(seconds=perf_counter() - self._began)
        return replace(self._done, finished=finished, derived=dict(self._counts), cost=cost)

    def _steps(self) -> Iterator[None]:
        """Does the work; gives a step after each batch, where it may be stopped."""
        for number, stage in enumerate(STAGES):
            self._tell(number)
            yield from getattr(self, f"_{stage}")()
            yield
        self._tell(len(STAGES))

    def _tell(self, stage: int) -> None:
        if self._progress is not None:
            self._progress(stage, len(STAGES))

    def _in_time(self) -> bool:
        return self._budget.allows(Cost(seconds=perf_counter() - self._began))

    def _count(self, **more: int) -> None:
        self._done = replace(self._done, **{name: getattr(self._done, name) + count for name, count in more.items()})

    # -- stages

    def _expire(self) -> Iterator[None]:
        self._count(expired=self._desk.erase_expired())
        yield

    def _reconcile(self) -> Iterator[None]:
        self._read()
        yield
        for changes in self._desk.reconcile(self._turns, self._in_time):
            if changes:
                self._desk.write(changes)
            self._count(
                superseded=sum(
                    isinstance(change.item, Patch) and change.item.status == "superseded" for change in changes
                ),
                links=sum(isinstance(change.item, Link) for change in changes),
            )
        self._read()  # again: some have been superseded now

    def _read(self) -> None:
        self._turns, self._states = self._desk.living()
        self._count(turns=len(self._turns) - self._done.turns)
        told = {
            wanted: f"{state.status} {state.heir}" for wanted, state in self._states.items() if state.status != "active"
        }
        self._basis = Basis(scope=self._desk.scope, trust=_trust, states=told)

    def _knowing(self, *kinds: str) -> Basis:
        self._known = [record for kind in kinds for record in self._desk.records(kind) if "of" in record.payload]
        known = {record.id: record.payload["of"] for record in self._known if record.status != "archived"}
        return replace(self._basis, known=known)

    def _episodes(self) -> Iterator[None]:
        basis = self._knowing("episode")
        stands: set[str] = set()
        for some in _by_session(self._turns):
            found = episodes.episodes(some, basis)
            stands.update(found.standing)
            yield from self._write(found)
            yield
        yield from self._retire(stands)

    def _tree(self) -> Iterator[None]:
        basis = self._knowing("day", "week", "month")
        yield from self._put(tree.tree(self._live("episode"), basis))

    def _entities(self) -> Iterator[None]:
        basis = self._knowing("entity")
        yield from self._put(entities.entities(self._turns, self._live("episode"), basis))

    def _standing(self) -> Iterator[None]:
        basis = self._knowing("instruction", "preference")
        yield from self._put(standing.standing(self._turns, basis))

    def _duplicates(self) -> Iterator[None]:
        found = duplicates.duplicates(self._turns)
        yield from self._links(duplicates.duplicate_links(found))
        merged = [
            Change("set", Patch(id=pair.other, status="superseded", heir=pair.kept, why="said again"))
            for pair in found
            if pair.other not in self._basis.states
        ]
        yield from self._batches(merged)
        self._count(superseded=len(merged))
        if merged:
            self._read()

    def _capacity(self) -> Iterator[None]:
        most, half_life_s = self._desk.capacity()
        if most is None:
            return
        items = [_item(turn, self._states.get(turn.id, BORN)) for turn in self._turns]
        gone = decay.evict(items, {TURN: most}, self._desk.now(), half_life_s=half_life_s)
        patches = (Patch(id=wanted, status="archived", why="for room") for wanted in gone)
        yield from self._batches([Change("set", patch) for patch in patches])
        self._count(archived=len(gone))
        if gone:
            self._read()

    # -- writing

    def _live(self, kind: str) -> list[Record]:
        return [record for record in self._desk.records(kind) if record.status != "archived"]

    def _put(self, found: Derived) -> Iterator[None]:
        yield from self._write(found)
        yield from self._retire(found.standing)

    def _write(self, found: Derived) -> Iterator[None]:
        for record in found.records:
            self._counts[record.kind] = self._counts.get(record.kind, 0) + 1
        yield from self._batches([Change("renew", record) for record in found.records])
        yield from self._links(found.links)

    def _links(self, links: Iterable[Link]) -> Iterator[None]:
        if not (links := list(links)):
            return
        there = {(link.source, link.kind, link.target): link.weight for link in self._desk.links()}
        fresh = [link for link in links if there.get((link.source, link.kind, link.target)) != link.weight]
        yield from self._batches([Change("add", link) for link in fresh])
        self._count(links=len(fresh))

    def _retire(self, stands: Iterable[str]) -> Iterator[None]:
        gone = {record.id for record in self._known if record.status != "archived"}.difference(stands)
        yield from self._batches(
            [Change("set", Patch(id=wanted, status="archived", why="its turns are gone")) for wanted in sorted(gone)]
        )
        self._count(retired=len(gone))

    def _batches(self, changes: Sequence[Change]) -> Iterator[None]:
        for start in range(0, len(changes), _BATCH):
            self._desk.write(changes[start : start + _BATCH])
            yield


def _trust(turn: Turn) -> float:
    return trust_of(turn.role, turn.meta)


def _item(turn: Turn, state: State) -> decay.Item:
    born = turn.seen_at or 0.0
    return decay.Item(turn.id, TURN, state.uses, state.used_at, born, state.pinned, state.held)


def _by_session(turns: Sequence[Turn], least: int = 1000) -> Iterator[list[Turn]]:
    """Turns in runs of whole sessions, each of at least so many turns where there are so many."""
    whole: list[Turn] = []
    for _, some in groupby(sorted(turns, key=lambda turn: turn.session), key=lambda turn: turn.session):
        whole += some
        if len(whole) >= least:
            yield whole
            whole = []
    if whole:
        yield whole
