"""What a call reads does not grow with what was done and forgotten before it."""

from itertools import count

import pytest

from memspan import Memory, Turn, load
from memspan.text.index import words

MORE = 300  # steps of SQLite; a row takes at least one


class Ticking:
    """A clock that goes on by a second with every look."""

    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def clock():
    return Ticking()


@pytest.fixture
def memory(tmp_path, clock):
    hashing = load("embed", "hashing")()
    with Memory(tmp_path / "m.mem", scope="ana", embedders=[hashing], clock=clock, durability="process") as made:
        yield made


def told(memory, thing, many):
    return memory.remember([Turn(f"Turn {n} is about the {thing}.") for n in range(many)]).ids


def steps(memory, call):
    """How many steps SQLite takes for a call, counted at its branches; nothing of before is left to be taken in."""
    memory.recall("lake")
    taken = count()
    connection = memory._store._connection
    connection.set_progress_handler(lambda: next(taken) < 0, 1)
    call()
    connection.set_progress_handler(None)
    return next(taken)


def corrected(memory, ids, clock):
    memory.correct(memory.remember(f"Wrong at {clock.now}.").ids[0], f"Right at {clock.now}.")


def pinned(memory, ids, clock):
    memory.pin(ids[0])
    memory.pin(ids[0], False)


def taken_back(memory, ids, clock):
    memory.pin(ids[1])
    memory.undo()


def taken_in(memory, ids, clock):
    pinned(memory, ids, clock)
    memory.recall("lake")


def changed(memory, ids, clock):
    pinned(memory, ids, clock)
    assert len(memory.changes(since=clock.now - 1.5)) == 2


def told_of(memory, ids, clock):
    assert memory.history(ids[2])[0].what == "added"


def known(memory, ids, clock):
    memory.recall("lake", known_at=clock.now)


def remembered(memory, ids, clock):
    memory.remember(f"Something new at {clock.now}.")


CALLS = (corrected, pinned, taken_back, taken_in, changed, told_of, known, remembered)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_long_log_is_not_read_through(memory, clock, call):
    """Each verb reads as much after 3,000 rows of the log about other turns as it did before."""
    ids = told(memory, "lake", 40)
    early = steps(memory, lambda: call(memory, ids, clock))
    for _ in range(100):
        memory.used(ids[10:])
    assert steps(memory, lambda: call(memory, ids, clock)) < early + MORE


def test_what_was_forgotten_is_not_read_through(memory):
    """Remembering looks up its own words among those that were forgotten, however many these are."""
    told(memory, "lake", 10)
    early = steps(memory, lambda: memory.remember("Something new."))
    ids = told(memory, "hill", 2000)
    memory.forget(ids)
    assert steps(memory, lambda: memory.remember("Something else.")) < early + MORE
    assert len(memory.remember([Turn(f"Turn {n} is about the hill.") for n in range(2100)]).refused) == 2000


def test_history_finds_what_came_in_one_call(memory):
    """A turn in the middle of a batch was added by it, whatever was done to its neighbours since."""
    ids = told(memory, "lake", 40)
    memory.pin(ids[7])
    new = memory.correct(ids[8], "Turn 8 is about the hill.")
    assert [event.what for event in memory.history(ids[9])] == ["added"]
    assert [event.what for event in memory.history(ids[7])] == ["added", "pinned"]
    assert memory.history(ids[8]) == memory.history(new)
    assert [event.what for event in memory.history(new)] == ["added", "added", "corrected"]


def test_changes_begin_and_end_where_they_are_asked_to(memory, clock):
    """The range is half-open, and what lies before it, behind it or nowhere is left out."""
    moments = []
    for n in range(5):
        memory.remember(f"Thing number {n}.")
        moments.append(memory.changes()[-1].at)
    found = [event.text for event in memory.changes(since=moments[1], until=moments[3])]
    assert found == ["Thing number 1.", "Thing number 2."]
    assert len(memory.changes(since=moments[0] - 1)) == 5 and not memory.changes(since=clock.now + 10)


def test_words_once_seen_take_bounded_room():
    """Made-up words by the thousand push each other out of what is kept of words."""
    most = 1 << 14
    for n in range(most + 3000):
        words.bag(f"zq{n}zq")
    assert words._stem.cache_info().currsize <= most and words.word_hash.cache_info().currsize <= most
