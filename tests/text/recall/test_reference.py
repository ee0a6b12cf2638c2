"""The reference itself, on numbers worked out by hand."""

import math

import numpy as np
import pytest
from tests.text.recall.reference import Dense, Unit, bridge_boost, cosines, lexical, neighbours, scores, z


def test_neighbours_stay_in_the_session():
    """Turns of another session in between do not count."""
    near = neighbours([Unit("a", session="1"), Unit("b", session="2"), Unit("c", session="1")])
    assert near == [{0: 0, 1: 2}, {0: 1}, {-1: 0, 0: 2}]


def test_lexical_by_hand():
    """Two units of one session, lengths 1 and 3, the term once in the first."""
    units = [Unit("cat"), Unit("dog dog dog")]
    found = lexical(units, "cat", str.split, neighbours(units))
    tf = 1 / (0.1 + 0.9 * 1 / 2)
    idf = math.log(1 + 1.5 / 1.5)
    expected = [idf * 2.2 * y / (1.2 + y) for y in (tf, 0.3 * tf)]
    assert found == pytest.approx(expected)


def test_dense_by_hand():
    """The neighbour's vector comes in by .3 and the sum is made unit."""
    arm = Dense(np.eye(2), np.array([1.0, 0.0]), 1.0)
    found = cosines(arm, neighbours([Unit("a"), Unit("b")]))
    assert found == pytest.approx([1 / math.sqrt(1.09), 0.3 / math.sqrt(1.09)])


def test_boosts_add_up():
    """Date, speaker and role add 3, .8 and .3; the total is the sum of its parts."""
    units = [Unit("cat", "Ann", at=1683504000.0), Unit("cat", "Bob", "assistant"), Unit("dog", "Bob", at=0.0)]
    found = scores(units, "What did Ann see on May 8, 2023?", str.split, {})
    assert found["date"].tolist() == [3, 0, 0]
    assert found["speaker"].tolist() == [0.8, 0, 0]
    assert found["role"].tolist() == [0.3, 0, 0.3]
    assert found["total"] == pytest.approx(found["fused"] + found["date"] + found["speaker"] + found["role"])


def test_bridge_reaches_the_page_that_the_best_unit_names():
    """The unit that opens with a name standing in the best unit gets 2, never passes it; nobody bridges to itself."""
    units = [Unit("It was shot on Lake Bohinj in May"), Unit("Lake Bohinj is a lake"), Unit("Rain")]
    assert bridge_boost(units, np.array([3.0, 0.0, 1.0])).tolist() == [0, 2, 0]
    assert bridge_boost(units, np.array([1.5, 0.0, 1.0])).tolist() == pytest.approx([0, 1.499, 0])


def test_nothing_to_score():
    """No units, no words and no spread give zeros and no error."""
    assert scores([], "x", str.split, {})["total"].shape == (0,)
    assert scores([Unit("!")], "", lambda _: [], {})["total"].tolist() == [0.3]
    assert z(np.ones(3)).tolist() == [0, 0, 0]
