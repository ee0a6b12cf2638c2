"""The memories a server keeps open: one a scope, none closed in use."""

import threading

import pytest

from memspan.core.errors import BadScope, ClosedStore
from memspan.doors.memories import Memories
from memspan.text.memory import Memory


@pytest.fixture
def opened():
    """Scopes in the order they were opened."""
    return []


@pytest.fixture
def memories(tmp_path, opened):
    def open(scope):
        opened.append(scope)
        return Memory(tmp_path / "m.mem", scope=scope)

    held = Memories(open, most=2)
    yield held
    held.close()


def test_a_scope_is_opened_once(memories, opened):
    for _ in range(3):
        with memories.of("ann") as memory:
            memory.remember("I live in Oslo.")
    assert opened == ["ann"]


def test_the_one_unused_longest_is_closed(memories, opened):
    for scope in ("ann", "ben", "ann", "cleo", "ann", "ben"):
        with memories.of(scope):
            pass
    assert opened == ["ann", "ben", "cleo", "ben"]


def test_none_is_closed_in_use(memories):
    with memories.of("ann") as ann, memories.of("ben"), memories.of("cleo"), memories.of("dan"):
        ann.remember("I live in Oslo.")
    with memories.of("ann") as ann:
        assert ann.stats().turns == 1


def test_a_scope_that_is_none_opens_nothing(memories, opened):
    with pytest.raises(BadScope), memories.of("ann/../ben"):
        pytest.fail("opened")
    assert opened == []


def test_closing_closes_all(memories):
    with memories.of("ann") as ann:
        pass
    memories.close()
    with pytest.raises(ClosedStore):
        ann.stats()


def test_many_threads_share_them(memories):
    """More scopes than may stay open, all written at once: nothing is lost."""

    def write(number):
        for nth in range(5):
            with memories.of(f"s{number}") as memory:
                memory.remember(f"note {nth}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        with memories.of(f"s{number}") as memory:
            assert memory.stats().turns == 5
