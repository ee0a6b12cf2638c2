"""T9: memory that changes behaves like a small model of dicts: correct, undo, forget, hold, archive, any moment.

Hypothesis plays the calls against both; after each step all that can be seen of either scope must be equal.
"""

import copy
import random
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play
from tests.faults.workload import memory

from memspan import Turn
from memspan.core.errors import AlreadyCorrected, CannotUndo, Held
from memspan.text.store import change_rows

SCOPES = st.sampled_from(["alice", "alice", "alice", "bob"])  # the other one is there to stay as it is
NUMBERS = st.integers(0, 4)  # few, so that calls meet each other
PLACES = st.integers(0, 9)
VERBS = ("pin", "hold", "release", "archive", "restore")


@dataclass
class Item:
    """A turn as the model has it. corrects: id of what it is a version of"""

    id: str
    text: str
    at: float
    seen: float
    session: str
    corrects: str = ""
    status: str = "active"
    heir: str = ""
    pinned: bool = False
    held: bool = False
    retired: float | None = None

    @property
    def state(self):
        return self.status, self.heir, self.pinned, self.held, self.retired

    @state.setter
    def state(self, new):
        self.status, self.heir, self.pinned, self.held, self.retired = new

    def but(self, now, **changed):
        """Its state with some of it changed. now: when"""
        other = replace(self, **changed)
        if other.status != self.status:
            other.retired = None if other.status == "active" else now
        return other.state


@dataclass
class Operation:
    """What a call did. sets: [id, before, after], None where forgetting has emptied it;  undoes: the operation"""

    verb: str
    adds: list = field(default_factory=list)
    sets: list = field(default_factory=list)
    undoes: "Operation | None" = None


class World:
    """One scope of the model."""

    def __init__(self):
        self.items, self.log, self.forgotten, self.past = {}, [], set(), []
        self.receipts, self.murky = 0, set()

    def set(self, operation, item, new):
        if item.state != new:
            operation.sets.append([item.id, item.state, new])
            item.state = new

    def done(self, operation, now):
        if operation.adds or operation.sets or operation.undoes or operation.verb == "forget":
            self.log.append(operation)
        self.past.append((now, {wanted: item.status for wanted, item in self.items.items()}))

    def visible(self):
        return {wanted: item.status for wanted, item in self.items.items() if item.status != "archived"}

    def family(self, wanted):
        known, waiting = {wanted}, [wanted]
        while waiting:
            here = self.items[waiting.pop()]
            near = {here.corrects} if here.corrects in self.items else set()
            near |= {item.id for item in self.items.values() if item.corrects == here.id}
            waiting += near - known
            known |= near
        return known

    def forget(self, wanted):
        gone = {wanted for each in wanted for wanted in self.family(each)}
        gone = {each for each in gone if not self.items[each].held}
        back = {item.id for item in self.items.values() if item.heir in gone} - gone
        self.forgotten |= {self.items[each].text for each in gone}
        self.items = {each: item for each, item in self.items.items() if each not in gone}
        for each in back:
            item = self.items[each]
            item.state = replace(item, heir="", retired=None).state
            item.status = "active" if item.status == "superseded" else item.status
        for operation in self.log:
            operation.adds = [each for each in operation.adds if each not in gone]
            for told in operation.sets:
                if told[0] in gone | back or {told[1] and told[1][1], told[2] and told[2][1]} & gone:
                    self.murky.add(told[0])
                    told[1] = told[2] = None
        self.receipts += bool(gone)
        return len(gone)

    def last(self):
        """The operation that a plain undo takes back, None where there is none."""
        taken = set()
        for operation in reversed(self.log):
            if operation.undoes is not None and id(operation) not in taken:
                taken.add(id(operation.undoes))
            elif operation.undoes is None and id(operation) not in taken:
                return operation
        return None

    def undoing(self, operation):
        """The last operation that took this one back, None where none did."""
        return next((later for later in reversed(self.log) if later.undoes is operation), None)

    def undo(self, operation, now):
        """The new operation. Raises CannotUndo; then nothing was changed."""
        if operation.verb == "forget":
            raise CannotUndo(0, "forgotten")
        by = self.undoing(operation)
        if by is not None and self.undoing(by) is None:
            raise CannotUndo(0, "taken back already")
        before, undoing = copy.deepcopy(self.items), Operation("undo", undoes=operation)
        try:
            for wanted, old, new in reversed(operation.sets):
                if new is None or self.items[wanted].state != new:
                    raise CannotUndo(0, "changed again or forgotten")
                self.set(undoing, self.items[wanted], old)
            for item in (self.items[wanted] for wanted in operation.adds if wanted in self.items):
                if item.held:
                    raise CannotUndo(0, "held")
                self.set(undoing, item, item.but(now, status="archived"))
        except CannotUndo:
            self.items = before
            raise
        return undoing


class Model(RuleBasedStateMachine):
    """Two scopes on one file, and a World for each."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.now, self.versions = 1000.0, 0
        self.worlds = {scope: World() for scope in ("alice", "bob")}
        self.open()

    def open(self):
        path = self.folder / "m.mem"
        self.memories = {scope: memory(path, scope=scope, clock=lambda: self.now) for scope in self.worlds}

    def teardown(self):
        if hasattr(self, "folder"):
            for each in self.memories.values():
                each.close()
            shutil.rmtree(self.folder)

    def both(self, scope):
        """The memory, its model and the time, which has gone on."""
        self.now += 10.0
        return self.memories[scope], self.worlds[scope]

    def one(self, scope, place):
        items = list(self.worlds[scope].items.values())
        return items[place % len(items)] if items else None

    @rule(scope=SCOPES, number=NUMBERS, again=st.booleans())
    def remember(self, scope, number, again):
        here, world = self.both(scope)
        text, wanted = f"Note {number} is about heron {number * 37}.", f"n{number}"
        turn = Turn(text, id=wanted, session=f"s{number % 3}", at=100.0 * number)
        done, operation = here.remember(turn, again=again), Operation("remember")
        if again:
            world.forgotten.discard(text)
        if wanted in world.items:
            assert done.known == 1
            item = world.items[wanted]
            if item.status == "archived":
                world.set(operation, item, item.but(self.now, status="active", heir=""))
        elif text in world.forgotten:
            assert done.refused == (wanted,)
        else:
            assert done.added == 1
            operation.adds.append(wanted)
            world.items[wanted] = Item(wanted, text, turn.at, self.now, turn.session)
        world.done(operation, self.now)

    @rule(scope=SCOPES, place=PLACES)
    def correct(self, scope, place):
        here, world = self.both(scope)
        if (old := self.one(scope, place)) is None:
            return
        self.versions += 1
        text, operation = f"Note version {self.versions} is about heron {self.versions}.", Operation("correct")
        if old.heir:
            with pytest.raises(AlreadyCorrected):
                here.correct(old.id, text)
            return
        fresh = here.correct(old.id, text)
        operation.adds.append(fresh)
        world.items[fresh] = Item(fresh, text, old.at, self.now, old.session, corrects=old.id)
        world.set(operation, old, old.but(self.now, status="superseded", heir=fresh))
        world.done(operation, self.now)

    @rule(scope=SCOPES, place=PLACES, verb=st.sampled_from(VERBS))
    def change(self, scope, place, verb):
        here, world = self.both(scope)
        if (item := self.one(scope, place)) is None:
            return
        getattr(here, verb)(item.id)
        changed = {
            "pin": {"pinned": True},
            "hold": {"held": True},
            "release": {"held": False},
            "archive": {"status": "archived"},
            "restore": {"status": "active", "heir": ""},
        }[verb]
        operation = Operation(verb)
        world.set(operation, item, item.but(self.now, **changed))
        world.done(operation, self.now)

    @rule(scope=SCOPES, place=PLACES)
    def forget_one(self, scope, place):
        here, world = self.both(scope)
        if (item := self.one(scope, place)) is None:
            return
        if item.held:
            with pytest.raises(Held):
                here.forget(item.id)
            return
        self.forget(here, world, [item.id], here.forget(item.id))

    @rule(scope=SCOPES, number=st.integers(0, 2))
    def forget_session(self, scope, number):
        here, world = self.both(scope)
        wanted = [item.id for item in world.items.values() if item.session == f"s{number}"]
        self.forget(here, world, wanted, here.forget(session=f"s{number}"))

    def forget(self, here, world, wanted, receipt):
        count = world.forget(wanted)
        assert (receipt.items, receipt.status) == (count, "erased")
        if count:
            world.done(Operation("forget"), self.now)

    @rule(scope=SCOPES, again=st.booleans())
    def undo(self, scope, again):
        here, world = self.both(scope)
        operation = world.last()
        try:
            undoing = None if operation is None else world.undo(operation, self.now)
        except CannotUndo:
            undoing = None
        if undoing is None:
            with pytest.raises(CannotUndo):
                here.undo()
            return
        undone = here.undo()
        assert undone.verb == operation.verb
        world.done(undoing, self.now)
        if again:  # what was added comes back as it was; what was there is changed again
            self.now += 10.0
            here.undo(undone.by)
            world.done(world.undo(undoing, self.now), self.now)

    @rule(scope=SCOPES, place=PLACES)
    def undo_one(self, scope, place):
        """Any operation, by its number."""
        here, world = self.both(scope)
        if not world.log:
            return
        with here._store.snapshot() as connection:
            log = change_rows.after(connection, here._store.scope_key(scope), 0, here._store.path)
            numbers = list(dict.fromkeys(row.operation for row in log))
        assert len(numbers) == len(world.log)
        place %= len(numbers)
        try:
            undoing = world.undo(world.log[-1 - place], self.now)
        except CannotUndo:
            with pytest.raises(CannotUndo):
                here.undo(numbers[-1 - place])
            return
        here.undo(numbers[-1 - place])
        world.done(undoing, self.now)

    @rule()
    def reopen(self):
        for each in self.memories.values():
            each.close()
        self.open()

    @rule(scope=SCOPES)
    def rebuild(self, scope):
        assert self.memories[scope].rebuild() == len(self.worlds[scope].items)

    @precondition(lambda self: hasattr(self, "folder"))
    @rule()
    def check(self):
        assert self.memories["alice"].check().ok

    @rule(scope=SCOPES, moment=st.integers(-1, 5).map(lambda number: 100.0 * number + 50))
    def as_of(self, scope, moment):
        world = self.worlds[scope]
        expected = {wanted for wanted in world.visible() if world.items[wanted].at <= moment}
        assert set(self.seen(scope, as_of=moment)) == expected

    @rule(scope=SCOPES, place=PLACES)
    def known_at(self, scope, place):
        world = self.worlds[scope]
        if not world.past:
            return
        then, statuses = world.past[place % len(world.past)]
        told = {
            wanted: status for wanted, status in self.seen(scope, known_at=then).items() if wanted not in world.murky
        }
        assert told == {
            wanted: status
            for wanted, status in statuses.items()
            if status != "archived" and wanted in world.items and wanted not in world.murky
            if world.items[wanted].seen <= then  # it may have been forgotten since, and learned again
        }

    def seen(self, scope, **moment):
        count = 2 + len(self.worlds[scope].items)
        hits = self.memories[scope].recall("note heron", tokens=None, limit=count, **moment).hits
        return {hit.id: hit.status for hit in hits}

    @invariant()
    def all_that_is_seen_is_equal(self):
        if not hasattr(self, "folder"):
            return
        for scope, here in self.memories.items():
            world = self.worlds[scope]
            assert [(turn.id, turn.text) for turn in here.turns()] == [(i.id, i.text) for i in world.items.values()]
            assert self.seen(scope) == world.visible()
            assert [receipt.status for receipt in here.receipts()] == ["erased"] * world.receipts


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


STEPS = (
    (9, lambda model, scope, chance: model.remember(scope, chance.randrange(5), chance.random() < 0.2)),
    (4, lambda model, scope, chance: model.correct(scope, chance.randrange(10))),
    (9, lambda model, scope, chance: model.change(scope, chance.randrange(10), chance.choice(VERBS))),
    (3, lambda model, scope, chance: model.forget_one(scope, chance.randrange(10))),
    (1, lambda model, scope, chance: model.forget_session(scope, chance.randrange(3))),
    (5, lambda model, scope, chance: model.undo(scope, chance.random() < 0.3)),
    (3, lambda model, scope, chance: model.undo_one(scope, chance.randrange(8))),
    (3, lambda model, scope, chance: model.as_of(scope, 100.0 * chance.randrange(5) + 50)),
    (4, lambda model, scope, chance: model.known_at(scope, chance.randrange(1000))),
    (1, lambda model, scope, chance: model.reopen()),
)


def walk(seed, steps):
    """A long random walk over all rules: Hypothesis leaves rules out of most of its runs, so that few meet."""
    chance, model = random.Random(seed), Model()
    model.begin()
    weights, calls = zip(*STEPS, strict=True)
    try:
        for call in chance.choices(calls, weights, k=steps):
            call(model, chance.choice(["alice", "alice", "alice", "bob"]), chance)
            model.all_that_is_seen_is_equal()
        model.check()
    finally:
        model.teardown()


@pytest.mark.parametrize("seed", range(6))
def test_a_long_walk_stays_with_the_model(seed):
    """Every kind of call, one after the other, on what the ones before have left."""
    walk(seed, 150)


@pytest.mark.slow
def test_long_walks_stay_with_the_model():
    """The long form."""
    for seed in range(100, 150):
        walk(seed, 400)


def test_memory_that_changes_behaves_like_dicts():
    """The quick form."""
    play(Model, settings=settings(max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=QUIET))


@pytest.mark.slow
def test_memory_that_changes_behaves_like_dicts_for_long():
    """The long form."""
    play(Model, settings=settings(max_examples=300, stateful_step_count=60, deadline=None, suppress_health_check=QUIET))
