"""Intervals of means over clustered questions: against SciPy, by hand, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.bench.resampling import draws, intervals, mean_interval, t_interval, t_quantile, wilson
from memspan.core.errors import UsageError


def clustered(seed, clusters, size, alike):
    """Normal values with mean 0; `alike`: the share of their variance that is common to a cluster."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(clusters), rng.integers(size // 2, size * 3 // 2 + 1, size=clusters))
    common = rng.normal(size=clusters)[codes] * np.sqrt(alike)
    return common + rng.normal(size=len(codes)) * np.sqrt(1 - alike), codes


def coverage(clustered_by, runs=200):
    """Share of simulated runs whose interval holds the true mean 0."""
    held = 0
    for run in range(runs):
        values, codes = clustered(run, clusters=24, size=8, alike=0.4)
        _, low, high = mean_interval(values, clustered_by(codes), seed=run, resamples=300)
        held += low <= 0 <= high
    return held / runs


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """95 of 100, give or take what 200 runs can tell."""
    assert 0.90 <= coverage(lambda codes: codes) <= 0.99


def test_without_clusters_the_interval_is_too_sure():
    """The control: the same values with each question for itself."""
    assert coverage(lambda codes: np.arange(len(codes))) < 0.85


def test_bca_is_scipys_where_every_question_is_its_own_cluster():
    """Skewed values, so that the correction moves both ends."""
    bootstrap = pytest.importorskip("scipy.stats", reason="the reference; pip install scipy").bootstrap
    values = np.random.default_rng(3).exponential(size=60)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    plain = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    _, low, high = mean_interval(values, np.arange(60), seed=2, resamples=20_000)
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.012)
    assert abs(plain.confidence_interval.high - high) > 0.02


def test_t_quantiles_are_those_of_the_tables():
    """The values printed in every textbook, for few and for many degrees of freedom."""
    tables = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 8: 2.306, 9: 2.262, 30: 2.042, 999: 1.962}
    assert {freedom: round(t_quantile(0.975, freedom), 3) for freedom in tables} == tables


def test_t_interval_by_hand():
    """Means 1, 2 and 6 of three clusters of different sizes: 3 +- 4.303 * sqrt(7) / sqrt(3)."""
    low, high = t_interval([[1.0], [1.0], [2.0], [5.0], [6.0], [7.0]], [9, 9, 4, 0, 0, 0])
    assert low[0] == pytest.approx(3 - 4.3027 * np.sqrt(7 / 3), abs=1e-3)
    assert high[0] == pytest.approx(3 + 4.3027 * np.sqrt(7 / 3), abs=1e-3)


def test_wilson_by_hand():
    """Eight of ten: Wilson's published form, worked with 1.96."""
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-3)


@pytest.mark.parametrize(
    ("values", "clusters", "method"),
    [
        ([[1.0], [0.0], [1.0]], [0, 1, 2], "wilson"),
        ([[1.0], [1.0], [1.0]], [0, 0, 1], "wilson"),
        ([[1.0], [0.5], [1.0]], [0, 1, 2], "percentile"),
        ([[float(n % 2)] for n in range(60)], [n // 2 for n in range(60)], "bca"),
        ([[1.0], [0.0]], [5, 5], "none"),
    ],
)
def test_each_table_gets_its_method(values, clusters, method):
    """Few trials of 0 and 1 by Wilson, 20 clusters by BCa, one cluster not at all."""
    assert intervals(values, clusters, seed=7).method == (method,)


def test_what_all_questions_agree_on_is_not_certain():
    """Two hundred questions of ten conversations, all right: as sure as ten trials, not as two hundred."""
    mean, low, high = mean_interval(np.ones(200), np.arange(200) % 10, seed=7)
    assert (mean, round(low, 3), high) == (1.0, 0.722, 1.0)


def test_differences_are_not_counted_as_rates():
    """A difference that is 0 everywhere has no spread."""
    found = intervals(np.zeros((30, 1)), np.arange(30), seed=7, rates=False)
    assert found.low[0] == found.high[0] == 0.0


def test_t_stands_beside_below_ten_clusters_only():
    """From ten on it is left out."""
    nine, ten = (intervals(np.arange(20.0)[:, None], np.arange(20) % count, seed=7) for count in (9, 10))
    assert nine.t_low is not None and nine.t_low[0] < nine.mean[0] < nine.t_high[0]
    assert ten.t_low is None and ten.t_high is None


def test_draws_have_the_variance_of_two_levels():
    """Clusters of one value each: nothing varies within, so it is the bootstrap of the cluster values."""
    values = np.repeat([0.0, 1.0, 5.0], 4)[:, None]
    drawn = draws(values, np.repeat([0, 1, 2], 4), seed=7, resamples=20_000)
    assert set(np.unique(drawn.round(6))) == {round(total / 3, 6) for total in (0, 1, 2, 3, 5, 6, 7, 10, 11, 15)}
    assert drawn.var() == pytest.approx(np.var([0, 1, 5]) / 3, rel=0.05)


def test_questions_are_drawn_anew_within_clusters():
    """Clusters alike, questions not: the variance is that of a mean of 40 single questions."""
    drawn = draws(np.tile([[0.0], [1.0]], (20, 1)), np.repeat(np.arange(4), 10), seed=7, resamples=20_000)
    assert drawn.var() == pytest.approx(0.25 / 40, rel=0.05)


def test_the_same_seed_draws_the_same_questions():
    """So that draws of two systems may be subtracted."""
    ours, theirs = np.random.default_rng(1).random((2, 50, 1))
    codes = np.arange(50) // 5
    apart = draws(ours, codes, seed=3) - draws(theirs, codes, seed=3)
    assert apart == pytest.approx(draws(ours - theirs, codes, seed=3), abs=1e-12)


def test_blocks_do_not_change_what_is_drawn(monkeypatch):
    """A table too large for one block draws like any other: mean and spread agree."""
    values, codes = clustered(5, clusters=12, size=10, alike=0.3)
    whole = draws(values[:, None], codes, seed=1, resamples=4000)
    monkeypatch.setattr("memspan.bench.resampling._CELLS", 1000)
    parts = draws(values[:, None], codes, seed=1, resamples=4000)
    assert parts.shape == whole.shape
    assert parts.std() == pytest.approx(whole.std(), rel=0.08)


@pytest.mark.parametrize(
    ("values", "clusters", "says"),
    [
        ([[1.0], [2.0]], [1], "do not match"),
        (np.zeros((0, 1)), [], "no question"),
        ([[float("nan")]], [1], "not finite"),
        ([1.0, 2.0], [1, 2], "do not match"),
    ],
)
def test_a_table_that_cannot_be_is_refused(values, clusters, says):
    """With the reason."""
    with pytest.raises(UsageError, match=says):
        intervals(values, clusters, seed=7)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 6)), min_size=2, max_size=40), st.integers(0, 99))
def test_the_ends_lie_around_and_within(rows, seed):
    """Between the smallest and the largest value; the numbers that clusters go by do not matter."""
    values, codes = np.array([value for value, _ in rows]), np.array([code for _, code in rows])
    mean, low, high = mean_interval(values, codes, seed=seed, resamples=100)
    assert mean == pytest.approx(values.mean())
    if low is not None and not np.isin(values, (0, 1)).all():
        assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9
        assert (mean, low, high) == mean_interval(values, codes * 10 - 3, seed=seed, resamples=100)
