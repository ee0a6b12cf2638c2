"""Paired comparisons: against SciPy, by enumeration in plain Python, and by hand."""

from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.bench.compare import compare, detectable, holm, mcnemar, sign_flip, signal_to_noise
from memspan.core.errors import UsageError

few_clusters = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5)), min_size=1, max_size=20)


@settings(deadline=None, max_examples=40)
@given(few_clusters)
def test_exact_p_is_the_count_of_all_sign_patterns(rows):
    """Every pattern gone through, one by one; whole clusters change their sign."""
    sums = {code: sum(value for value, other in rows if other == code) for _, code in rows}
    seen = abs(sum(sums.values()))
    patterns = list(product((-1, 1), repeat=len(sums)))
    reached = sum(
        abs(sum(sign * one for sign, one in zip(signs, sums.values(), strict=True))) >= seen for signs in patterns
    )
    got = sign_flip([value for value, _ in rows], [code for _, code in rows], seed=7)
    assert got == pytest.approx(reached / len(patterns))


def test_drawn_p_is_scipys():
    """Forty clusters, too many to go through: SciPy's permutation test on the cluster sums."""
    stats = pytest.importorskip("scipy.stats", reason="the reference; pip install scipy")
    rng = np.random.default_rng(4)
    values, codes = rng.normal(0.15, 1, size=120), np.arange(120) % 40
    sums = [values[codes == code].sum() for code in range(40)]
    theirs = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=20_000, rng=rng)
    assert sign_flip(values, codes, seed=7) == pytest.approx(theirs.pvalue, abs=0.012)


def test_drawn_p_is_never_zero():
    """The pattern that was seen counts."""
    assert sign_flip(np.ones(100), np.arange(100), seed=7) == 1 / 10_001


def test_exact_and_drawn_agree_where_they_meet():
    """Twelve clusters are gone through, thirteen drawn; a thirteenth that adds next to nothing changes little."""
    values = [0.91, -0.23, 0.42, 0.57, -0.64, 0.33, 0.82, -0.12, 0.26, 0.71, -0.37, 0.14]
    exact = sign_flip(values, range(12), seed=7)
    assert 0.02 < exact < 0.2
    assert sign_flip([*values, 1e-6], range(13), seed=7) == pytest.approx(exact, abs=0.012)


def test_questions_that_go_together_are_no_evidence_of_their_own():
    """A hundred equal questions of two conversations are two flips, not a hundred."""
    differences = np.ones(100)
    assert sign_flip(differences, np.arange(100) % 2, seed=7) == 0.5
    assert sign_flip(differences, np.arange(100), seed=7) < 0.001


def test_p_keeps_its_promise_where_nothing_differs():
    """Of 300 comparisons of equals with strong clusters, at most 8 in 100 come out below 0.05; of questions, more."""
    below = {"clusters": 0, "questions": 0}
    for run in range(300):
        rng = np.random.default_rng(run)
        codes = np.repeat(np.arange(8), 10)
        differences = rng.normal(size=8)[codes] + rng.normal(size=80)
        below["clusters"] += sign_flip(differences, codes, seed=run) < 0.05
        below["questions"] += sign_flip(differences, np.arange(80), seed=run, flips=200) < 0.05
    assert below["clusters"] <= 24
    assert below["questions"] > 90


def test_a_comparison_says_what_it_rests_on():
    """A clear gain over twelve conversations, as JSON would hold it."""
    ours, theirs = np.ones(48), np.tile([1.0, 0.0, 0.0, 1.0], 12)
    found = asdict(compare(ours, theirs, np.arange(48) // 4, seed=7))
    assert found["difference"] == 0.5 and found["low"] > 0.3 and found["high"] < 0.7
    assert found["p"] == 2 / 2**12 and found["mcnemar"] == mcnemar(24, 0)
    assert (found["questions"], found["clusters"]) == (48, 12)
    assert found["t_low"] is None and found["t_high"] is None


def test_swapping_the_two_turns_the_sign():
    """Difference and ends change sign and place; p, power and the check stay."""
    rng = np.random.default_rng(2)
    ours, theirs = rng.random((2, 60))
    one, other = (compare(*pair, np.arange(60) % 6, seed=7) for pair in ((ours, theirs), (theirs, ours)))
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
    assert (one.p, one.mdd) == pytest.approx((other.p, other.mdd))
    assert one.t_low is not None and one.mcnemar is None


def test_one_conversation_proves_nothing():
    """No interval, no power, p = 1, however large the difference."""
    found = compare(np.ones(50), np.zeros(50), np.zeros(50), seed=7)
    assert (found.low, found.high, found.t_low, found.mdd, found.p) == (None, None, None, None, 1.0)


def test_what_can_be_detected_is_detected_four_times_in_five():
    """Ten clusters, a true difference of that size: the t-test on cluster sums finds it in about 80 of 100 runs."""
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(10), 12)
    plain = [rng.normal(size=10)[codes] * 0.5 + rng.normal(size=120) for _ in range(300)]
    size = np.mean([detectable(one, codes) for one in plain])
    found = sum(sign_flip(one + size, codes, seed=7) < 0.05 for one in plain)
    assert 0.7 < found / 300 < 0.9


def test_detectable_by_hand():
    """Four questions, each its own cluster: (3.182 + 0.978) * sd / 2."""
    sd = np.std([0.0, 1.0, 1.0, 2.0], ddof=1)
    assert detectable([0.0, 1.0, 1.0, 2.0], range(4)) == pytest.approx((3.1824 + 0.9785) * sd / 2, abs=1e-3)


def test_mcnemar_by_hand():
    """Eight gained, one lost: 2 * (1 + 9) / 512; none at all: 1."""
    assert mcnemar(8, 1) == 20 / 512 == mcnemar(1, 8)
    assert mcnemar(0, 0) == 1.0 == mcnemar(3, 3)


def test_holm_by_hand():
    """Holm 1979 on 0.01, 0.04, 0.03, 0.005: times 4, 3, 2, 1 in ascending order, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.7]) == [0.7] and holm([0.9, 0.8]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=12), st.randoms(use_true_random=False))
def test_holm_keeps_order_and_never_lowers(ps, random):
    """Between p and Bonferroni, as ordered as before, whatever the order they come in."""
    adjusted = holm(ps)
    for p, mine in zip(ps, adjusted, strict=True):
        assert p <= mine <= min(1.0, len(ps) * p) or mine == max(adjusted[n] for n, q in enumerate(ps) if q <= p)
    ordered = [mine for _, mine in sorted(zip(ps, adjusted, strict=True))]
    assert ordered == sorted(ordered)
    places = list(range(len(ps)))
    random.shuffle(places)
    assert holm([ps[place] for place in places]) == [adjusted[place] for place in places]


def test_a_task_that_tells_systems_apart_and_one_that_does_not():
    """Means 0.9 and 0.1 over forty conversations decide; 0.5 and 0.52 do not."""
    codes = np.arange(400) // 10
    clear = signal_to_noise([np.arange(400) % 10 < 9, np.arange(400) % 10 < 1], codes, seed=7)
    assert clear.signal == pytest.approx(0.8 / 0.5) and clear.snr > 3 and not clear.informational
    rng = np.random.default_rng(1)
    vague = signal_to_noise(rng.random((2, 400)) < [[0.5], [0.52]], codes, seed=7)
    assert vague.snr < 3 and vague.informational


def test_noise_is_the_relative_error_of_a_mean():
    """For single questions: the standard deviation over the root of their number, over the mean."""
    values = np.array([[0.0, 1.0] * 200, [1.0, 0.0] * 200])
    found = signal_to_noise(values, np.arange(400), seed=7, resamples=5000)
    assert found.noise == pytest.approx(0.5 / 20 / 0.5, rel=0.05)
    assert (found.signal, found.snr, found.informational) == (0.0, 0.0, True)


@pytest.mark.parametrize(("values", "snr", "informational"), [(0.0, None, True), (1.0, None, False)])
def test_noise_that_is_not_to_be_had(values, snr, informational):
    """Nobody finds anything: nothing to tell. One always, one never: certain, so no ratio, but it decides."""
    found = signal_to_noise([np.full(9, values), np.zeros(9)], np.arange(9), seed=7)
    assert (found.snr, found.informational) == (snr, informational)


def test_what_does_not_pair_is_refused():
    """Different numbers of questions; a roster of one."""
    with pytest.raises(UsageError, match="do not pair"):
        compare([1.0, 2.0], [1.0], [0, 1], seed=7)
    with pytest.raises(UsageError, match="two systems"):
        signal_to_noise([[1.0, 0.0]], [0, 1], seed=7)
