"""The queue: against known formulas, and against a simulation of the very thing."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.plan.queue import erlang_c, quantile, queue

MIX = [(0.4, 0.002), (0.1, 0.04), (0.5, 0.003)]


def test_erlang_c_is_as_in_the_books():
    """Ten servers, nine of them busy on average: two thirds of the calls wait."""
    assert erlang_c(10, 9.0) == pytest.approx(0.6687, abs=1e-4)
    assert erlang_c(1, 0.9) == pytest.approx(0.9)


def test_one_worker_waits_by_pollaczek_and_khinchine():
    """M/G/1 has an exact mean: rate x E[S^2] / (2 (1 - load)), over all calls."""
    rate = 60.0
    mean = sum(share * took for share, took in MIX)
    squares = sum(share * took**2 for share, took in MIX)
    found = queue(1, rate, MIX)
    assert found.waits * found.wait_s == pytest.approx(rate * squares / (2 * (1 - rate * mean)))


def simulated(workers, rate, calls, seed):
    """Times from coming to being answered, first come, first served."""
    dice = random.Random(seed)
    free, now, times = [0.0] * workers, 0.0, []
    for _ in range(calls):
        now += dice.expovariate(rate)
        took = dice.choices([took for _, took in MIX], [share for share, _ in MIX])[0]
        begin = max(now, heapq.heappop(free))
        heapq.heappush(free, begin + took)
        times.append(begin + took - now)
    return sorted(times)


@pytest.mark.parametrize(("workers", "load"), [(1, 0.5), (4, 0.6), (16, 0.6), (16, 0.85)])
def test_quantiles_are_those_of_a_simulation(workers, load):
    """p99 within a sixth of 60,000 simulated calls; p50 too, but for one worker, before whom half the calls wait."""
    mean = sum(share * took for share, took in MIX)
    rate = load * workers / mean
    times = simulated(workers, rate, 60_000, seed=workers)
    found = queue(workers, rate, MIX)
    assert found.load == pytest.approx(load)
    for share in (0.99,) if workers == 1 else (0.5, 0.99):
        assert quantile(found, MIX, share) == pytest.approx(times[int(share * len(times))], rel=1 / 6)


def test_too_much_to_do_never_ends():
    found = queue(2, 1000.0, MIX)
    assert found.load > 1 and quantile(found, MIX, 0.5) == float("inf")


@given(st.integers(1, 64), st.floats(0.01, 0.95), st.floats(0.01, 0.99), st.floats(0.001, 0.009))
def test_more_of_the_calls_never_takes_less(workers, load, share, more):
    """Quantiles rise with their share and with the load."""
    mean = sum(part * took for part, took in MIX)
    quiet, busy = (queue(workers, some * workers / mean, MIX) for some in (load / 2, load))
    assert quantile(busy, MIX, share + more) >= quantile(busy, MIX, share) - 1e-9
    assert quantile(busy, MIX, share) >= quantile(quiet, MIX, share) - 1e-9
