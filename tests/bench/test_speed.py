"""The speed run on a few turns, and the text it makes up."""

from itertools import islice

import pytest

from memspan.bench.speech import conversations, questions, vocabulary
from memspan.bench.speed import SpeedPlan, measure, percentiles, ratios
from memspan.bench.tables import speed_markdown


def test_made_up_talk_repeats_by_seed():
    """The same seed gives the same turns; sessions have twenty, told by two."""
    first, again, other = (list(islice(conversations(seed), 50)) for seed in (1, 1, 2))
    assert first == again != other
    assert [unit.session for unit in first] == ["s0"] * 20 + ["s1"] * 20 + ["s2"] * 10
    assert {unit.speaker for unit in first[:20]} == {"Ann", "Ben"}
    assert 15 < sum(len(unit.text.split()) for unit in first) / 50 < 45


def test_made_up_words_follow_zipf():
    """Common words are common, and there are many rare ones."""
    words = [word for unit in islice(conversations(3), 400) for word in unit.text.split()]
    assert len(vocabulary(3)) == len(set(vocabulary(3))) == 24_000
    assert words.count("the") > 50
    assert len(set(words)) > 2000


def test_real_texts_come_once_and_are_then_recombined():
    """Real turns in order, then halves of two."""
    texts = [unit.text for unit in islice(conversations(1, ["one two", "three four"]), 6)]
    assert texts[:2] == ["one two", "three four"]
    assert all(len(text.split()) == 3 for text in texts[2:])


def test_questions_ask_after_what_was_said():
    """Words of a turn, and its speaker."""
    turns = list(islice(conversations(1), 20))
    assert len(asked := questions(turns, 5, seed=2)) == 5
    assert all(one.startswith("What did ") for one in asked)


def test_percentiles_and_ratios():
    """By hand."""
    assert percentiles("t", [0.001 * n for n in range(1, 102)]) == {"t_p50": 51.0, "t_p95": 96.0, "t_p99": 100.0}
    ours = {"recall_ms_p50": 2.0, "recall_ms_p95": 4.0, "remember_ms_p50": 1.0, "bulk_turns_per_s": 100}
    theirs = {"recall_ms_p50": 4.0, "recall_ms_p95": 4.0, "remember_ms_p50": 3.0, "bulk_turns_per_s": 50}
    assert list(ratios(ours, theirs).values()) == [2.0, 1.0, 3.0, 2.0]


def test_a_small_speed_run(tmp_path):
    """Every figure of both stores is there, and nothing is left behind."""
    heard = []
    plan = SpeedPlan(records=[60], folder=tmp_path, asked=10, told=10)
    result = measure(plan, ["memspan", "bench", "speed"], heard.append)
    (size,) = result["sizes"]
    assert size["memspan"].keys() == size["diy"].keys()
    assert size["memspan"]["recall_ms_p50"] > 0
    assert size["memspan"]["fdatasync_ms_p50"] > 0
    assert size["ratio"]["recall_ms_p50"] == pytest.approx(
        size["diy"]["recall_ms_p50"] / size["memspan"]["recall_ms_p50"], abs=0.01
    )
    assert "remember_ms_p50" in speed_markdown(result)
    assert len(heard) == 2
    assert list(tmp_path.iterdir()) == []
