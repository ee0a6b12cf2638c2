"""Summaries of sentences that were said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.text.consolidate.talk import conversations, talk

from memspan import Turn
from memspan.core.tokens import estimate
from memspan.text.consolidate.derived import Line
from memspan.text.consolidate.summarise import (
    MAX_SENTENCE_CHARS,
    READ_CHARS,
    choose,
    lines_of,
    sentences,
    summarise,
    telling,
    topics,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I met Dr. Lee. She left.", ["I met Dr. Lee.", "She left."]),
        ("See e.g. Porto. It is 3.5 km away!", ["See e.g. Porto.", "It is 3.5 km away!"]),
        ('He said "Go." Then he left.', ['He said "Go."', "Then he left."]),
        ("1. Buy bread\n2) Pay\n- Rest", ["Buy bread", "Pay", "Rest"]),
        ("Try this:\n```\nx = 1.\n```\nDone.", ["Try this:", "Done."]),
        ("我搬到里斯本。天气很好！", ["我搬到里斯本。", "天气很好！"]),
        ("no end", ["no end"]),
        ("```only code```", []),
    ],
)
def test_a_text_falls_into_its_sentences(text, found):
    """Abbreviations, numbers, quotes, lists, code and other scripts."""
    assert sentences(text) == found


def test_a_long_text_is_read_from_its_beginning_and_never_cut_inside_a_sentence():
    """What the cut would leave of a sentence is left out."""
    text = "The first one is whole. " + "word " * READ_CHARS
    assert sentences(text) == ["The first one is whole."]


def test_a_sentence_without_an_end_is_cut_between_words():
    """A cut is shown."""
    (line,) = lines_of(Turn("word " * 200))
    assert line.text.endswith("word …") and len(line.text) <= MAX_SENTENCE_CHARS + 2


def test_a_summary_holds_what_is_told_and_leaves_greetings_and_questions():
    """In the order in which it was said, with who said it."""
    said = [(line.who, line.text) for line in summarise(talk()[:6], tokens=45)]
    assert said == [
        ("Ben", "I'm swamped, my pottery class started yesterday."),
        ("Ben", "She showed us her blue bowls from Kyoto."),
        ("Ana", "I moved to Lisbon in March, and I miss the river at home."),
        ("Ben", "My sister lives near Porto."),
    ]


def test_the_second_telling_of_a_thing_is_left_out():
    """What is covered is worth little the second time."""
    turns = [
        Turn("I moved to Lisbon in March.", id="1"),
        Turn("In March I moved to Lisbon!", id="2"),
        Turn("My sister paints boats.", id="3"),
    ]
    assert [line.turn for line in summarise(turns, tokens=14)] == ["1", "3"]


def test_what_the_user_said_comes_before_what_was_answered():
    """The memory is the user's."""
    turns = [
        Turn("Kilns fire pottery at a thousand degrees.", role="assistant", id="1"),
        Turn("Kilns fired pottery at a thousand degrees.", role="user", id="2"),
    ]
    assert [line.turn for line in summarise(turns, tokens=11)] == ["2"]


@given(turns=conversations(), tokens=st.integers(1, 200))
def test_a_summary_keeps_to_its_tokens(turns, tokens):
    """One sentence is always given where there is any; all together cost no more than asked for."""
    lines = [line for turn in turns for line in lines_of(turn)]
    said = summarise(turns, tokens)
    assert bool(said) == bool(lines)
    assert len(said) <= 1 or sum(estimate(line.text) for line in said) <= tokens
    rest = iter(lines)
    assert all(line in rest for line in said)


def test_nothing_gives_nothing():
    """No lines, no summary."""
    assert choose([], 10) == [] and topics([]) == []


def test_small_talk_alone_is_kept():
    """Where nothing else was said, that is what was said."""
    assert [line.text for line in summarise([Turn("Hi there!"), Turn("Hello.")])] == ["Hi there!", "Hello."]


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("I moved to Lisbon.", "Did you move to Lisbon?"),
        ("I start on 12 May.", "I start soon."),
        ("We met last week.", "We met."),
        ("My class was fun.", "Your class was fun."),
        ("The bowl broke.", "Great bowl."),
    ],
)
def test_statements_tell_more_than_questions_and_reactions(more, less):
    """By names, numbers, times and person."""
    assert telling(more) > telling(less) > 0


def test_topics_are_pairs_names_and_words_in_small_letters_where_they_are_words():
    """A capital at the head of a sentence makes no name; the speakers' names are no topics."""
    lines = [
        Line("1", "Ana", None, "Pottery class was fun, Ben."),
        Line("2", "Ben", None, "My pottery class is in Porto."),
        Line("3", "Ana", None, "Bowls break."),
    ]
    assert topics(lines, most=3, without=["Ana", "Ben"]) == ["pottery class", "Porto", "Bowls"]
