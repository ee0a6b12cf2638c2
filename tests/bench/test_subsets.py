"""Which few questions stand for all, and how far off they are."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.bench import subsets
from memspan.bench.subsets import at_random, error, estimate, medoids, spaced, stratified
from memspan.core.errors import UsageError


def guttman(systems, items, flips, seed):
    """Better systems solve what weaker ones solve, and more; a share of the outcomes is turned round."""
    rng = np.random.default_rng(seed)
    solved = rng.random((systems, 1)) > rng.random(items)
    return (solved ^ (rng.random((systems, items)) < flips)).astype(float)


def by_order(others, m, seed):
    return spaced(others, m)


def by_chance(others, m, seed):
    return at_random(others.shape[1], m, seed=seed)


@pytest.mark.parametrize("flips", [0.0, 0.05])
def test_spaced_items_are_closer_than_random_ones(flips):
    """On a scale with few slips by a quarter at least."""
    outcomes = guttman(systems=80, items=1500, flips=flips, seed=1)
    assert error(outcomes, by_order, 60, seed=1) < 0.75 * error(outcomes, by_chance, 60, seed=1)


def test_order_does_not_help_where_there_is_none():
    """The control: outcomes by chance alone; both are as far off as 60 coins."""
    outcomes = (np.random.default_rng(1).random((60, 1500)) < 0.5).astype(float)
    errors = [error(outcomes, chooser, 60, seed=1) for chooser in (by_order, by_chance)]
    assert errors == pytest.approx([0.5 / np.sqrt(60) * 0.798] * 2, rel=0.25)


def test_the_system_left_out_is_not_seen():
    """A chooser that is handed the truth about itself would be exact; it never is."""
    outcomes = guttman(systems=12, items=50, flips=0.2, seed=3)
    seen = []

    def remembers(others, m, seed):
        seen.append((others.tolist(), seed))
        return at_random(50, m, seed=seed)

    error(outcomes, remembers, 5, seed=10)
    for out, (others, seed) in enumerate(seen):
        assert others == np.delete(outcomes, out, axis=0).tolist() and seed == 10 + out


def test_choosing_all_is_exact():
    """Whatever the way of choosing."""
    outcomes = guttman(systems=6, items=20, flips=0.1, seed=1)
    features = np.arange(20.0)[:, None]
    for subset in (
        spaced(outcomes, 20),
        at_random(20, 20, seed=1),
        stratified(["a", "b"] * 10, 20, seed=1),
        medoids(features, 20, seed=1),
    ):
        assert estimate(outcomes, subset) == pytest.approx(outcomes.mean(axis=1))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("aaaabbc"), min_size=1, max_size=30), st.data())
def test_strata_get_their_share_and_their_weight(categories, data):
    """Each category weighs what it weighs in all, as long as it is there at all; quotas are shares, rounded."""
    m = data.draw(st.integers(1, len(categories)))
    subset = stratified(categories, m, seed=data.draw(st.integers(0, 9)))
    kinds = sorted(set(categories))
    assert len(set(subset.chosen.tolist())) == m and subset.weights.sum() == pytest.approx(1)
    for kind in kinds if m >= len(kinds) else ():
        mine = np.array([categories[item] == kind for item in subset.chosen])
        share = categories.count(kind) / len(categories)
        assert subset.weights[mine].sum() == pytest.approx(share)
        assert 1 <= mine.sum() <= max(1, np.ceil(m * share))


def test_strata_make_up_for_difficulty():
    """Two categories, one always solved and one never: strata are exact where chance is not."""
    categories = ["easy"] * 70 + ["hard"] * 30
    outcome = np.array([1.0] * 70 + [0.0] * 30)
    assert float(estimate(outcome, stratified(categories, 7, seed=1))) == pytest.approx(0.7)
    assert {float(estimate(outcome, at_random(100, 7, seed=seed))) for seed in range(9)} != {0.7}


def test_medoids_are_the_best_there_are():
    """Against all choices of three out of fourteen: the same sum of distances."""
    features = np.random.default_rng(5).normal(size=(14, 2))
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    away = np.linalg.norm(features[:, None] - features, axis=2)
    least = min(away[:, list(choice)].min(axis=1).sum() for choice in combinations(range(14), 3))
    found = [away[:, medoids(features, 3, seed=seed).chosen].min(axis=1).sum() for seed in range(10)]
    assert min(found) == pytest.approx(least) and max(found) <= 1.15 * least


def test_groups_are_found_and_weighed():
    """Three heaps of 60, 30 and 10 items on scales a thousand times apart: one item of each, by size."""
    rng = np.random.default_rng(2)
    heaps = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1000.0]], [60, 30, 10], axis=0)
    noise = rng.normal(0, 0.02, size=(100, 2)) * [1, 1000]
    subset = medoids(heaps + noise, 3, seed=4)
    assert subset.weights.tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert [int(item >= 60) + int(item >= 90) for item in subset.chosen] == [0, 1, 2]


def test_many_items_are_clustered_by_samples(monkeypatch):
    """Beyond the limit the same three heaps are found, and every item still counts."""
    monkeypatch.setattr(subsets, "WHOLE", 60)
    heaps = np.repeat([0.0, 10.0, 30.0], [120, 60, 20])[:, None]
    subset = medoids(heaps + np.random.default_rng(1).normal(0, 0.1, size=(200, 1)), 3, seed=1)
    assert subset.weights.tolist() == pytest.approx([0.6, 0.3, 0.1])


def test_medoids_of_features_that_tell_beat_chance():
    """Difficulty follows a feature: items in the middle of groups are closer to the truth than random ones."""
    rng = np.random.default_rng(8)
    hardness = rng.random(400)
    outcomes = (rng.random((60, 1)) > hardness).astype(float)

    chosen = medoids(hardness[:, None], 15, seed=1)
    assert error(outcomes, lambda others, m, seed: chosen, 15, seed=1) < 0.6 * error(outcomes, by_chance, 15, seed=1)


@pytest.mark.parametrize("m", [0, 5])
def test_a_number_that_cannot_be_is_refused(m):
    """None, or more than there are."""
    with pytest.raises(UsageError, match=f"m={m}: choose between 1 and all 4 items"):
        spaced(np.ones((3, 4)), m)


def test_tables_that_cannot_be_are_refused():
    """One system cannot be left out; what is no table, or not finite, is none."""
    with pytest.raises(UsageError, match="left out"):
        error(np.ones((1, 4)), by_chance, 2, seed=1)
    with pytest.raises(UsageError, match="finite"):
        medoids([[1.0], [float("nan")]], 1, seed=1)
    with pytest.raises(UsageError, match="table"):
        spaced([1.0, 2.0], 1)
