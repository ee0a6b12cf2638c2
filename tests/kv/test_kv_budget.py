"""Rows are shared out to the last one: sums, caps, floors and proportions, whatever the weights."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan import Budget
from memspan.core.errors import UsageError
from memspan.kv.budget import Room, allocate


@st.composite
def _asked(draw):
    """Weights, caps and floors of some layers, and a total that the floors allow."""
    count = draw(st.integers(1, 12))
    caps = draw(st.lists(st.integers(0, 300), min_size=count, max_size=count))
    floors = [draw(st.integers(0, cap)) for cap in caps]
    weight = st.one_of(st.just(0.0), st.integers(1, 50).map(float), st.floats(1e-9, 1e9))
    weights = draw(st.lists(weight, min_size=count, max_size=count))
    total = draw(st.integers(sum(floors), sum(caps) + 50))
    return total, weights, caps, floors


@given(_asked())
@settings(deadline=None)
def test_the_sum_is_exact_and_caps_and_floors_hold(asked):
    total, weights, caps, floors = asked
    shares = allocate(total, weights, caps=caps, floors=floors)
    assert sum(shares) == min(total, sum(caps))
    assert all(low <= share <= high for low, share, high in zip(floors, shares, caps, strict=True))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(0, 5000))
@settings(deadline=None)
def test_shares_are_proportional_where_nothing_is_capped(weights, total):
    """Each within one row of its exact part."""
    shares = allocate(total, weights, caps=[total] * len(weights), floors=[0] * len(weights))
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - total * weight / sum(weights)) < 1 + 1e-6


@given(_asked(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_matters_by_one_row_at_most(asked, random):
    """A remainder goes to one of those that have the same claim to it; nothing else depends on the order."""
    total, weights, caps, floors = asked
    order = list(range(len(weights)))
    random.shuffle(order)
    turned = [[part[place] for place in order] for part in (weights, caps, floors)]
    shares = allocate(total, weights, caps=caps, floors=floors)
    other = allocate(total, turned[0], caps=turned[1], floors=turned[2])
    assert all(abs(shares[place] - share) <= 1 for place, share in zip(order, other, strict=True))


@given(_asked(), st.integers(1, 40))
@settings(deadline=None)
def test_more_room_takes_nothing_away(asked, more):
    total, weights, caps, floors = asked
    shares = allocate(total, weights, caps=caps, floors=floors)
    wider = allocate(total + more, weights, caps=caps, floors=floors)
    assert all(one <= other + 1 for one, other in zip(shares, wider, strict=True))


def test_what_caps_cut_off_goes_to_the_others_by_weight():
    """By hand: 12 rows, the first may have 2; the rest share 10 as 4 to 1."""
    assert allocate(12, [100, 4, 1], caps=[2, 99, 99], floors=[0, 0, 0]) == [2, 8, 2]


def test_no_weight_gets_what_the_others_leave():
    """The heavy one is full at 5; the two without weight share what is left evenly."""
    assert allocate(9, [1, 0, 0], caps=[5, 9, 9], floors=[0, 0, 0]) == [5, 2, 2]
    assert allocate(4, [1, 0, 0], caps=[5, 9, 9], floors=[0, 0, 0]) == [4, 0, 0]
    assert allocate(6, [0, 0, 0], caps=[9, 9, 9], floors=[0, 0, 0]) == [2, 2, 2]


def test_weights_far_apart_do_not_overflow():
    assert allocate(10, [1e-320, 1.0], caps=[9, 6], floors=[0, 0]) == [4, 6]
    assert allocate(10, [1e308, 1e308], caps=[9, 9], floors=[0, 0]) == [5, 5]


@pytest.mark.parametrize(
    ("total", "weights", "caps", "floors", "why"),
    [
        (3, [1, 1], [9, 9], [2, 2], "4 have to stay"),
        (9, [1, 1], [1, 9], [2, 0], "above its cap"),
        (9, [1, -1], [9, 9], [0, 0], "weight"),
        (9, [1, float("nan")], [9, 9], [0, 0], "weight"),
        (9, [1, float("inf")], [9, 9], [0, 0], "weight"),
    ],
)
def test_what_cannot_be_shared_is_told(total, weights, caps, floors, why):
    with pytest.raises(UsageError, match=why):
        allocate(total, weights, caps=caps, floors=floors)


# -- a budget in rows


def _room(**more) -> Room:
    return Room(row_bytes=100, heads=4, budget=Budget(**more), seconds_per_byte=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_a_ratio_is_of_what_was_read(seen, percent):
    """Whole percents of whole tokens, rounded down, with no error of floating point."""
    assert _room(ratio=percent / 100).rows(seen) == seen * percent // 100


@given(st.integers(0, 500), st.integers(1, 400), st.integers(1, 8))
def test_no_unit_holds_more_than_was_read_or_allowed(seen, tokens, batch):
    """Tokens are a head's; bytes and seconds are the whole cache's and are shared by its sequences."""
    row = 100 * 4 * batch
    assert _room(tokens=tokens).rows(seen, batch) == min(seen, tokens)
    assert _room(bytes=tokens * row).rows(seen, batch) == min(seen, tokens)
    assert _room(bytes=tokens * row - 1).rows(seen, batch) == min(seen, tokens - 1)
    assert abs(_room(seconds=tokens * row * 1e-6).rows(seen, batch) - min(seen, tokens)) <= 1


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({}, "not in none"),
        ({"tokens": 3, "ratio": 0.5}, "ratio and tokens"),
        ({"tokens": 0}, "holds nothing"),
        ({"bytes": 0}, "holds nothing"),
        ({"seconds": 0.0}, "holds nothing"),
    ],
)
def test_one_unit_is_given(limits, why):
    with pytest.raises(UsageError, match=why):
        _room(**limits)


def test_seconds_need_to_know_how_long_a_byte_takes():
    with pytest.raises(UsageError, match="how long a byte takes"):
        Room(row_bytes=1, heads=1, budget=Budget(seconds=0.1))
