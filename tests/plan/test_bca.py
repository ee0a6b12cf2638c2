"""The knee: against the closed form of a device that only reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.bca import Point, given_back, knee, memory_bound


@given(st.floats(1e8, 1e11), st.floats(1e6, 1e10), st.floats(0.01, 0.9))
def test_the_knee_is_where_the_curve_says(weights, kv, gain):
    """The b-th sequence brings W (W + K) / ((W + bK) (W + (b - 1)K)) of what the first does."""
    found = knee(memory_bound(weights, kv, 1e12, range(1, 400)), gain=gain).batch
    worth = [weights * (weights + kv) / ((weights + b * kv) * (weights + (b - 1) * kv)) for b in range(2, 400)]
    expected = 1 + next((at for at, share in enumerate(worth) if share < gain), len(worth))
    assert abs(found - expected) <= (1 if min(abs(share - gain) for share in worth) < 1e-9 else 0)


def test_a_limit_on_the_step_cuts_earlier():
    """The largest batch within the time; none at all is an error that says so."""
    points = memory_bound(16e9, 1e9, 300e9, (1, 2, 4, 8, 16, 32))
    assert knee(points, gain=0).batch == 32
    assert knee(points, gain=0, limit_s=24e9 / 300e9).batch == 8
    with pytest.raises(UsageError, match="allow more"):
        knee(points, limit_s=0.01)


def test_a_measured_plateau_gives_its_memory_back():
    """Past 64 nothing is gained, past 16 a fiftieth: the memory of the others is free. Order does not matter."""
    points = [Point(128, 0.2), Point(1, 0.01), Point(64, 0.1), Point(16, 0.03)]
    assert [knee(points, gain=gain).batch for gain in (0.02, 0.1, 0.4)] == [64, 16, 1]
    assert given_back(128, knee(points).batch, 2.0) == 224.0


def test_what_cannot_be_is_refused():
    """A batch measured twice, no time, more chosen than fit."""
    for made in (
        lambda: knee([Point(1, 1.0), Point(1, 2.0)]),
        lambda: knee([Point(1, 0.0)]),
        lambda: knee([]),
        lambda: given_back(1, 2, 1.0),
    ):
        with pytest.raises(UsageError):
            made()
