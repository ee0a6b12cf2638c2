"""Baselines against numbers worked out apart."""

import math

import pytest

from memspan.bench.cases import Ask
from memspan.bench.systems import known, load
from memspan.core.errors import UnknownMethod
from memspan.core.records import Turn

TEXTS = ["The cat sat.", "A cat and a dog.", "Rain all day."]


@pytest.fixture
def turns():
    return [Turn(text, id=f"u{n}") for n, text in enumerate(TEXTS)]


def test_bm25_is_the_formula(tmp_path, turns):
    """cat in 2 of 3 turns, lengths 2 (cat sat), 2 (cat dog), 2 (rain day); dog in one."""
    system = load("bm25")(tmp_path)
    system.remember(turns[:2])
    system.remember(turns[2:])
    cat, dog = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    assert system.scores("cats, dogs, cat?").tolist() == pytest.approx([cat, cat + dog, 0.0])
    assert system.recall(Ask("cats, dogs"), 5) == ["u1", "u0"]


def test_bm25_normalises_by_length(tmp_path):
    """b .75, k1 1.2: lengths 1 and 3 around a mean of 2."""
    system = load("bm25")(tmp_path)
    system.remember([Turn("kite", id="a"), Turn("kite wind string", id="b")])
    idf = math.log(1 + 0.5 / 2.5)
    short, long = (idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * length / 2)) for length in (1, 3))
    assert system.scores("kite").tolist() == pytest.approx([short, long])


@pytest.mark.parametrize("name", ["bm25", "dense", "recent", "default"])
def test_every_system_ranks_and_packs(tmp_path, turns, name):
    """Before anything is remembered, and after."""
    system = load(name)(tmp_path)
    try:
        assert system.recall(Ask("Who has a cat?"), 2) == []
        assert system.pack(Ask("Who has a cat?"), 500).ranked == ()
        system.remember(turns)
        ranked = system.recall(Ask("Who has a cat?"), 2)
        assert 1 <= len(ranked) <= 2
        assert set(ranked) <= {"u0", "u1", "u2"}
        assert set(system.pack(Ask("Who has a cat?"), 500).ranked) <= {"u0", "u1", "u2"}
    finally:
        system.close()


def test_recent_is_the_newest_first(tmp_path, turns):
    """Whatever is asked."""
    system = load("recent")(tmp_path)
    system.remember(turns)
    assert system.recall(Ask("anything"), 2) == ["u2", "u1"]


def test_unknown_systems_are_named(tmp_path):
    """With the nearest name there is."""
    assert {"bm25", "default", "dense", "full", "recent"} <= set(known())
    with pytest.raises(UnknownMethod, match="Did you mean 'bm25'"):
        load("bm52")
