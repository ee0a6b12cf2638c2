"""What every store keeps of a memory that changes: states, history, undo and forgetting, the same on each backend."""

import pytest
from tests.conformance.stores import BACKENDS, NOW, Place, apply, fresh

from memspan import Link, Memory, Record, Turn
from memspan.core.changes import Change, Patch
from memspan.core.errors import AlreadyCorrected, CannotUndo, Held, UnknownId

KETTLE = "The blue kettle stands on the shelf."
STOVE = "The blue kettle stands on the stove."


class Ticking:
    """A clock that a test turns on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def later(self, by: float = 100.0) -> float:
        self.now += by
        return self.now


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def place(request, tmp_path) -> Place:
    """Where a fresh store lies."""
    return fresh(request.param, tmp_path)


def _found(memory: Memory, **moment) -> list[str]:
    return [hit.text for hit in memory.recall("the blue kettle", tokens=None, **moment).hits]


def _corrected(memory: Memory, clock: Ticking) -> tuple[str, str]:
    [old] = memory.remember(KETTLE).ids
    clock.later()
    return old, memory.correct(old, STOVE, reason="I looked")


def test_a_correction_is_a_version(place, clock):
    """The new words come first; the old ones are there for the time they were believed, and after opening anew."""
    with place.memory(clock) as memory:
        old, new = _corrected(memory, clock)
    with place.memory(clock) as memory:
        assert _found(memory)[0] == STOVE and _found(memory, known_at=NOW + 50) == [KETTLE]
        assert [turn.text for turn in memory.turns()] == [KETTLE, STOVE]
        said = [(event.what, event.id) for event in memory.history(old)]
        assert ("added", old) in said and ("added", new) in said and ("corrected", old) in said
        assert memory.history(new) == memory.history(old)
        with pytest.raises(AlreadyCorrected):
            memory.correct(old, "The kettle is gone.")


def test_an_operation_is_taken_back_and_had_again(place, clock):
    """By a memory that was opened since; what was known in between stays known."""
    with place.memory(clock) as memory:
        _corrected(memory, clock)
    with place.memory(clock) as memory:
        clock.later()
        undone = memory.undo()
        assert undone.verb == "correct" and _found(memory) == [KETTLE]
        assert STOVE in _found(memory, known_at=clock.now - 50)
        clock.later()
        memory.undo(undone.by)
        assert _found(memory)[0] == STOVE
    with place.memory(clock) as memory:
        assert _found(memory)[0] == STOVE
        with pytest.raises(CannotUndo):
            memory.undo(999)


def test_changes_are_told_in_order(place, clock):
    """Between two moments, half open; a scope tells its own."""
    with place.memory(clock) as memory, place.memory(clock, scope="tom") as other:
        [first] = memory.remember("Ana waters the ferns.").ids
        other.remember("Tom feeds the fish.")
        moment = clock.later()
        memory.archive(first, reason="done")
        clock.later()
        memory.restore(first)
        assert [event.what for event in memory.changes()] == ["added", "archived", "restored"]
        assert [event.why for event in memory.changes(since=moment, until=clock.now)] == ["done"]
        assert [event.text for event in other.changes()] == ["Tom feeds the fish."]


def test_what_is_archived_is_out_of_the_way(place, clock):
    """And is there again when it is restored; both outlive the process."""
    with place.memory(clock) as memory:
        [wanted] = memory.remember(KETTLE).ids
        clock.later()
        memory.archive(wanted)
    with place.memory(clock) as memory:
        assert _found(memory) == [] and memory.get(wanted).text == KETTLE
        clock.later()
        memory.restore(wanted)
    with place.memory(clock) as memory:
        assert _found(memory) == [KETTLE]


def test_what_is_forgotten_is_gone(place, clock):
    """From every table and from the bytes, with the records that cite it; a receipt stays, the neighbour too."""
    with place.memory(clock) as memory:
        gone, stays = memory.remember([Turn("The word is quixotry."), Turn("The other word is marzipan.")]).ids
        memory.apply(
            [
                Change("add", Record(id="r", kind="fact", text="quixotry is a word", sources=(gone, stays))),
                Change("add", Link(source="r", target=stays, kind="about")),
            ]
        )
        receipt = memory.forget(gone)
        assert receipt.status == "erased" and receipt.items == 2
        with pytest.raises(UnknownId):
            memory.get(gone)
        assert memory.records() == [] and memory.links() == []
    assert b"quixotry" not in place.image() and b"marzipan" in place.image()
    with place.memory(clock) as memory:
        assert [turn.id for turn in memory.turns()] == [stays] and memory.check().ok
        assert [kept.digest for kept in memory.receipts()] == [receipt.digest]
        assert all("quixotry" not in event.text for event in memory.changes())


def test_what_was_forgotten_does_not_come_back(place, clock):
    """Not by undo, not when the same words come again in another dress; only on request."""
    with place.memory(clock) as memory:
        receipt = memory.forget(memory.remember(KETTLE).ids[0])
        with pytest.raises(CannotUndo):
            memory.undo(receipt.operation)
    with place.memory(clock) as memory:
        again = memory.remember("the blue  KETTLE stands on the shelf.")
        assert again.added == 0 and again.refused == again.ids and list(memory.turns()) == []
        assert memory.remember(KETTLE, again=True).added == 1


def test_a_scope_forgets_its_own(place, clock):
    """The same words of another scope stay, and may be said there again."""
    with place.memory(clock) as memory, place.memory(clock, scope="tom") as other:
        memory.remember(KETTLE)
        other.remember(KETTLE)
        memory.forget(everything=True)
        assert [turn.text for turn in other.turns()] == [KETTLE] and list(memory.turns()) == []
        assert other.remember(KETTLE, session="another").added == 1


def test_what_is_held_is_not_forgotten(place, clock):
    """By name it is refused, in a selection it is left and named; the hold outlives the process."""
    with place.memory(clock) as memory:
        held, loose = memory.remember([Turn(KETTLE, session="s"), Turn("The pan is red.", session="s")]).ids
        memory.hold(held, reason="lawsuit")
    with place.memory(clock) as memory:
        with pytest.raises(Held):
            memory.forget(held)
        receipt = memory.forget(session="s")
        assert receipt.kept == (held,) and [turn.id for turn in memory.turns()] == [held] and loose != held
        memory.release(held)
        assert memory.forget(held).items == 1


def test_what_expires_hides_then_goes(place, clock):
    """Hidden from its moment on, erased by the next reflect()."""
    with place.memory(clock) as memory:
        [wanted] = memory.remember(KETTLE).ids
        memory.expire(wanted, clock.now + 50)
        assert _found(memory) == [KETTLE]
        clock.later()
        assert _found(memory) == [] and memory.get(wanted).text == KETTLE
        memory.reflect()
        with pytest.raises(UnknownId):
            memory.get(wanted)
    assert b"blue kettle" not in place.image()


def test_what_was_consolidated_stays_and_is_not_made_twice(place, clock):
    """Records that cite their turns; a second reflect(), by a memory opened since, changes nothing."""
    with place.memory(clock) as memory:
        for number in range(6):
            memory.remember(f"Ana and Tom painted door {number} of the barn.", session="barn", at=clock.later())
        memory.reflect()
        made = memory.records()
        assert made and all(set(record.sources) <= {turn.id for turn in memory.turns()} for record in made)
    with place.memory(clock) as memory:
        before = memory.changes()
        memory.reflect()
        assert memory.records() == made and memory.changes() == before and memory.check().ok


def test_a_call_that_fails_changes_nothing(place, clock):
    """An unknown id among several takes all of them back, and leaves no line in the log."""
    with place.memory(clock) as memory:
        [wanted] = memory.remember(KETTLE).ids
        before = memory.changes()
    store = place.open()
    with pytest.raises(UnknownId):
        apply(store, [Change("set", Patch(id=wanted, status="archived")), Change("set", Patch(id="no", pinned=True))])
    store.close()
    with place.memory(clock) as memory:
        assert memory.changes() == before and _found(memory) == [KETTLE] and memory.check().ok
