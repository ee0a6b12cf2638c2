"""Figures worked out by hand, and intervals."""

import numpy as np
import pytest

from memspan.bench.cases import Question
from memspan.bench.runner import BUDGETS, Reply
from memspan.bench.scores import Table, figures
from memspan.bench.systems import Packed
from memspan.bench.systems._ranked import best, fill


def question(gold):
    return Question(id="q", text="?", gold=frozenset(gold), visible=99)


def reply(ranked, packed=(), standing=()):
    return Reply(tuple(ranked), dict.fromkeys(BUDGETS, Packed(tuple(packed), tuple(standing))), 0.0)


def test_figures_of_one_question():
    """Gold at ranks 3 and 7, a third not found."""
    ranked = [f"u{n}" for n in range(20)]
    row = figures(question({"u2", "u6", "u99"}), reply(ranked, ["u2"], ["u99"]), "unit", {})
    assert row["R@5"] == pytest.approx(1 / 3)
    assert row["R@10"] == pytest.approx(2 / 3)
    assert (row["hit@5"], row["all@20"]) == (1.0, 0.0)
    assert row["MRR"] == pytest.approx(1 / 3)
    assert row["T1000"] == pytest.approx(2 / 3)
    assert row["T1000 ranked"] == pytest.approx(1 / 3)


def test_all_is_one_where_everything_is_found():
    """all@k needs the whole evidence, hit@k any of it."""
    row = figures(question({"u0", "u4"}), reply(["u0", "u1", "u2", "u3", "u4"]), "unit", {})
    assert (row["all@5"], row["hit@5"], row["R@5"], row["MRR"]) == (1.0, 1.0, 1.0, 1.0)


def test_nothing_found_is_zero():
    """An empty ranking."""
    assert set(figures(question({"u0"}), reply([]), "unit", {}).values()) == {0.0}


def test_sessions_rank_where_their_first_unit_ranks():
    """Six units of three sessions; gold is the session met third."""
    session_of = {f"u{n}": f"s{n // 2}" for n in range(12)}
    row = figures(question({"s4"}), reply(["u0", "u1", "u2", "u3", "u8", "u9"], ["u9"]), "session", session_of)
    assert (row["MRR"], row["R@5"], row["T250"]) == (pytest.approx(1 / 3), 1.0, 1.0)


def table(values, clusters):
    return Table.of([{"x": value} for value in values], clusters)


def test_the_same_seed_gives_the_same_interval():
    """And another seed another one."""
    one = table([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], list("aabbccd"))
    assert one.means(1000, seed=3) == one.means(1000, seed=3)
    assert not np.array_equal(one.resampled(1000, seed=3), one.resampled(1000, seed=4))


def test_clusters_widen_the_interval():
    """Questions that fail together count as one observation."""
    values = [0.0] * 50 + [1.0] * 50
    alone = table(values, [str(n) for n in range(100)]).means(2000, seed=1)["x"]
    together = table(values, [str(n // 10) for n in range(100)]).means(2000, seed=1)["x"]
    assert alone.mean == together.mean == 0.5
    assert alone.high - alone.low == pytest.approx(0.196, abs=0.02)
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_one_cluster_has_no_interval():
    """Nothing can be said of other conversations from one."""
    found = table([0.0, 1.0], ["a", "a"]).means(1000, seed=1)["x"]
    assert (found.mean, found.low, found.high) == (0.5, None, None)


def test_a_paired_difference_is_narrower():
    """A constant gain has an interval of no width."""
    low = table([0.1, 0.9, 0.5], list("abc"))
    high = table([0.2, 1.0, 0.6], list("abc"))
    gain = high.minus(low).means(1000, seed=1)["x"]
    assert (gain.low, gain.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_category_keeps_its_clusters():
    """Choosing questions renumbers the clusters that are left."""
    chosen = table([0.0, 1.0, 0.5], list("abc")).only(np.array([False, True, True]))
    assert chosen.clusters.tolist() == [0, 1]
    assert chosen.values.ravel().tolist() == [1.0, 0.5]


def test_packing_skips_what_is_dear_and_goes_on():
    """What does not fit, and what costs more than max(160, 40 %), is skipped."""
    assert fill([("a", 401), ("b", 400), ("c", 390), ("d", 250), ("e", 210)], 1000).ranked == ("b", "c", "e")
    assert fill([("a", 161), ("b", 160)], 200).ranked == ("b",)


def test_the_best_are_newest_first_among_equals():
    """Zero and less is not found."""
    assert best(np.array([0.0, 2.0, -1.0, 2.0, 1.0]), k=2) == [3, 1]
    assert best(np.array([0.0, 2.0, -1.0, 2.0, 1.0]), k=9) == [3, 1, 4]
