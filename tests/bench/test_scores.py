"""Figures worked out by hand."""

import numpy as np
import pytest

from memspan.bench.cases import Question, Unit
from memspan.bench.runner import BUDGETS, Reply
from memspan.bench.scores import figures
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
    units = {f"u{n}": Unit(f"u{n}", "x", session=f"s{n // 2}") for n in range(12)}
    row = figures(question({"s4"}), reply(["u0", "u1", "u2", "u3", "u8", "u9"], ["u9"]), "session", units)
    assert (row["MRR"], row["R@5"], row["T250"]) == (pytest.approx(1 / 3), 1.0, 1.0)


def test_what_no_longer_holds_before_what_does():
    """stale: the old one stands first, or only the old one is found; nothing found is neither."""
    asked = Question(id="q", text="?", gold=frozenset({"new"}), visible=9, stale=frozenset({"old"}))
    stale = [figures(asked, reply(ranked), "unit", {})["stale"] for ranked in (["old", "new"], ["old"], ["new"], [])]
    assert stale == [1.0, 1.0, 0.0, 0.0]
    assert "negative" not in figures(asked, reply(["new"]), "unit", {})


def test_ndcg_is_the_standard_form():
    """Ranks 2 and 3 of two: (1/log2 3 + 1/log2 4) / (1 + 1/log2 3); rank 2 weighs less than rank 1."""
    row = figures(question({"b", "c"}), reply(["a", "b", "c"]), "unit", {})
    assert row["nDCG@10"] == pytest.approx((0.63093 + 0.5) / (1 + 0.63093), abs=1e-4)
    assert figures(question({"a"}), reply(["a"]), "unit", {})["nDCG@10"] == 1.0


def test_precision_and_price_of_a_context():
    """One of four units is gold; standing instructions are part of the context."""
    row = figures(question({"u0"}), reply([], ["u0", "u1", "u2"], ["u3"]), "unit", {})
    assert (row["P1000"], row["tokens"]) == (0.25, 0.0)


def test_the_rule_reader_reads_what_was_packed():
    """Its answer counts where the context holds it; the oracle always, nothing never."""
    units = {"u0": Unit("u0", "Ann's cat is called Tom."), "u1": Unit("u1", "Ann's cat is called Kit.")}
    asked = Question(
        id="q", text="?", gold=frozenset({"u1"}), visible=2, answers=("Kit",), reads=r"cat is called (\w+)"
    )
    right = figures(asked, reply(["u1"], ["u1", "u0"]), "unit", units)
    wrong = figures(asked, reply(["u0"], ["u0", "u1"]), "unit", units)
    assert [(row["EM"], row["EM oracle"], row["EM nothing"]) for row in (right, wrong)] == [(1, 1, 0), (0, 1, 0)]


def test_packing_skips_what_is_dear_and_goes_on():
    """What does not fit, and what costs more than max(160, 40 %), is skipped."""
    assert fill([("a", 401), ("b", 400), ("c", 390), ("d", 250), ("e", 210)], 1000).ranked == ("b", "c", "e")
    assert fill([("a", 161), ("b", 160)], 200).ranked == ("b",)


def test_the_best_are_newest_first_among_equals():
    """Zero and less is not found."""
    assert best(np.array([0.0, 2.0, -1.0, 2.0, 1.0]), k=2) == [3, 1]
    assert best(np.array([0.0, 2.0, -1.0, 2.0, 1.0]), k=9) == [3, 1, 4]
