"""After something was erased the index is as if it had never been there, at the price of what changed."""

import random

import numpy as np
import pytest

from memspan import Memory, Turn, load
from memspan.text.index.before import Before
from memspan.text.index.flat import Flat
from memspan.text.index.scope import ScopeIndex

TURNS, SESSIONS = 300, 7


@pytest.fixture
def memory(tmp_path):
    hashing, common = load("embed", "hashing")(), load("embed", "hashing")(dim=32)
    common.name, common.remove_common = "common", True
    with Memory(tmp_path / "m.mem", scope="ana", embedders=[hashing, common], durability="process") as made:
        turns = (Turn(f"Turn {n} is about lake {n % 13}.", session=f"s{n % SESSIONS}") for n in range(TURNS))
        made.remember(turns)
        made.recall("lake")
        yield made


def fresh(memory):
    index = ScopeIndex(memory._store, "ana", list(zip(memory._embedders, memory._keys, strict=True)))
    index.refresh()
    return index


def assert_same(index, other):
    np.testing.assert_array_equal(index.seq, other.seq)
    np.testing.assert_array_equal(index.neighbours, other.neighbours)
    for name, (_, flat) in index.flats.items():
        built = other.flats[name][1]
        assert flat.count == built.count and flat.common_of == built.common_of
        np.testing.assert_allclose(
            flat.rows(np.arange(flat.count + 1)), built.rows(np.arange(flat.count + 1)), atol=0.01
        )


def read(memory, monkeypatch):
    """Vectors read from the file from now on, in a list of one number."""
    found = [0]

    def counting(whole):
        def counted(*told):
            rows = whole(*told)
            found[0] += len(rows)
            return rows

        return counted

    for name in ("halves", "halves_of"):
        monkeypatch.setattr(memory._store, name, counting(getattr(memory._store, name)))
    return found


def ids(memory):
    return [turn.id for turn in memory.turns()]


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_a_fresh_index_is(memory, seed):
    """Whatever is forgotten, early or late, and whatever comes meanwhile."""
    dice = random.Random(seed)
    for round in range(6):
        here = ids(memory)
        latest = here[256:] or here
        memory.forget(dice.sample(latest if round % 2 else here, dice.randrange(1, 5)))
        memory.remember([Turn(f"New {round} {n}.", session=f"s{n}") for n in range(dice.randrange(3))])
        memory.recall("lake")
        assert_same(memory._index, fresh(memory))


def test_vectors_of_what_stays_are_not_read_again(memory, monkeypatch):
    """A turn behind those that make the common direction takes its neighbours' vectors, not all."""
    found = read(memory, monkeypatch)
    memory.forget(ids(memory)[290])
    memory.recall("lake")
    assert 0 < found[0] <= 2 * 12


def test_a_turn_that_makes_the_common_direction_takes_all(memory, monkeypatch):
    """Then every row of such a plane is another."""
    found = read(memory, monkeypatch)
    memory.forget(ids(memory)[3])
    memory.recall("lake")
    assert found[0] >= TURNS - 1


def test_nothing_of_what_was_forgotten_is_held(memory):
    """Neither rows of some that went nor, where nothing is left, of all."""
    for gone in ({"id": ids(memory)[290]}, {"everything": True}):
        memory.forget(**gone)
        memory.recall("lake")
        assert memory._index._before is None


def test_a_plane_that_was_not_finished_is_not_taken_over():
    """Reading may have failed in the middle."""
    near = np.zeros((4, 7), np.int32)
    near[:, 0] = range(4)
    old, new = (Flat(8, (1.0, 0.3, 0.15, 0.075), remove_common=False) for _ in range(2))
    seq = np.arange(4)
    assert not len(Before(seq, near, {"a": old}).give("a", new, seq, near)) and new.count == 0
