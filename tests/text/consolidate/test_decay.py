"""Strength and capacity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.consolidate.decay import HALF_LIFE_S, Item, evict, strength

TIMES = st.floats(0, 4e9)
ITEMS = st.lists(
    st.builds(
        Item,
        id=st.integers(0, 10**6).map(str),
        kind=st.sampled_from(["turn", "episode"]),
        uses=st.integers(0, 9),
        last_used=st.none() | TIMES,
        born=TIMES,
        pinned=st.booleans(),
        held=st.booleans(),
    ),
    unique_by=lambda item: item.id,
    max_size=40,
)
CAPACITY = st.dictionaries(st.sampled_from(["turn", "episode", "day"]), st.integers(0, 20))


@given(uses=st.integers(0, 30), born=TIMES, now=TIMES, half_life=st.floats(1e5, 1e9))
def test_use_strengthens(uses, born, now, half_life):
    """Each use more, the stronger; always from 0 to 1."""
    less, more = (strength(count, None, born, now, half_life) for count in (uses, uses + 1))
    assert 0 <= less <= more <= 1 and (less < more or more == 0)


@given(uses=st.integers(0, 30), born=TIMES, idle=st.floats(0, 1e8), half_life=st.floats(1e5, 1e9))
def test_a_half_life_without_use_halves(uses, born, idle, half_life):
    """From wherever one starts."""
    one, later = (strength(uses, None, born, born + idle + wait, half_life) for wait in (0.0, half_life))
    assert later == pytest.approx(one / 2, rel=1e-3)


@given(born=TIMES, now=TIMES)
def test_a_clock_that_went_back_changes_nothing(born, now):
    """Nothing is stronger than when it was just used."""
    assert strength(3, born, born, min(now, born), HALF_LIFE_S) == strength(3, born, born, born, HALF_LIFE_S)


def test_the_last_use_counts_and_not_the_birth():
    """What was used yesterday is present, however old."""
    assert strength(1, 1e9, 0.0, 1e9, HALF_LIFE_S) == 0.75 > strength(1, None, 0.0, 1e9, HALF_LIFE_S)


def test_any_number_of_uses_can_be_counted():
    """A memory recalled a billion times is as strong as can be."""
    assert strength(10**9, 0.0, 0.0, 0.0, 1.0) == pytest.approx(1.0)


@given(items=ITEMS, capacity=CAPACITY, now=TIMES)
def test_capacity_holds_and_what_is_pinned_or_held_stays(items, capacity, now):
    """No kind keeps more than fits, unless pinned or held ones alone are more; kinds without a limit keep all."""
    gone = evict(items, capacity, now)
    assert len(gone) == len(set(gone))
    assert not {item.id for item in items if item.pinned or item.held} & set(gone)
    for kind in ("turn", "episode"):
        there = [item for item in items if item.kind == kind]
        stay = [item for item in there if item.id not in gone]
        fixed = [item for item in there if item.pinned or item.held]
        most = capacity.get(kind, len(there))
        assert len(stay) == min(len(there), max(most, len(fixed)))


@given(items=ITEMS, capacity=CAPACITY, now=TIMES, chance=st.randoms(use_true_random=False))
def test_the_weakest_go_whatever_the_order(items, capacity, now, chance):
    """What goes is never stronger than what stays, and a shuffled list gives the same."""
    gone = evict(items, capacity, now)
    mixed = list(items)
    chance.shuffle(mixed)
    assert evict(mixed, capacity, now) == gone

    def presence(item):
        return strength(item.uses, item.last_used, item.born, now, HALF_LIFE_S), item.born, item.id

    for kind in capacity:
        loose = [item for item in items if item.kind == kind and not (item.pinned or item.held)]
        left = [presence(item) for item in loose if item.id in gone]
        kept = [presence(item) for item in loose if item.id not in gone]
        assert not left or not kept or max(left) <= min(kept)


def test_among_equals_the_oldest_go_first():
    """Then by id."""
    items = [Item("b", "turn", born=1.0), Item("a", "turn", born=1.0), Item("c", "turn", born=0.0)]
    assert evict([item._replace(last_used=5.0) for item in items], {"turn": 1}, now=9.0) == ["c", "a"]
