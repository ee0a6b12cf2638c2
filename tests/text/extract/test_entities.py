"""Names at the head of a turn and names in a question."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.entities import MAX_HEAD_CHARS, head_entity, named

HEADS = [
    ("Lake Bohinj (Slovenia) is a lake.", "Lake Bohinj"),
    ("The Oberoi Group is a hotel company.", "The Oberoi Group"),
    ("Marie Curie, born in Warsaw, was a physicist.", "Marie Curie"),
    ("Bank of the West: founded 1874", "Bank of the West"),
    ("The Beatles are an English band", "The Beatles"),
    ('"Hey Jude" was a song', "Hey Jude"),
    ("J. R. R. Tolkien was a writer", "J. R. R. Tolkien"),
    ("Émile Zola was a novelist", "Émile Zola"),
    ("Saint-Denis is a commune", "Saint-Denis"),
    ("Well, it was fun", None),
    ("It is late", None),
    ("I was there", None),
    ("we are here", None),
    ("Paris in spring", None),
    ("(Paris)", None),
    ("12, and more", None),
    ("", None),
    ("Al: hi", None),
]


@pytest.mark.parametrize(("text", "entity"), HEADS)
def test_the_capitalised_phrase_that_opens_a_turn(text, entity):
    """A capitalised phrase followed by "(", ":", "," or is/was/are is its head; openers and pronouns are not."""
    assert head_entity(text) == entity


NAMES = [
    ("What is Caroline's job?", ["Caroline", "Melanie"], {"Caroline"}),
    ("what does CAROLINE do", ["Caroline", "Melanie"], {"Caroline"}),
    ("What do Caroline and Melanie share?", ["Caroline", "Melanie"], {"Caroline", "Melanie"}),
    ("Does Carolines count?", ["Caroline"], set()),
    ("Where did Ye go?", ["Ye Mingxuan", "Sun Yuwei"], {"Ye Mingxuan"}),
    ("Where did Ye Mingxuan go?", ["Ye Mingxuan", "Ye Xiao"], {"Ye Mingxuan"}),
    ("What did Dr. Lee say?", ["Dr. Lee", "Dr. Wu"], {"Dr. Lee"}),
    ("Will it rain?", ["Will"], set()),
    ("What did Will say?", ["Will"], {"Will"}),
    ("What did Anne-Marie say?", ["Anne-Marie"], {"Anne-Marie"}),
    ("What did O'Brien’s dog do?", ["O'Brien"], {"O'Brien"}),
    ("张伟去哪了", ["张伟", "李娜"], {"张伟"}),
    ("nobody", ["", "!!", " "], set()),
    ("", ["Caroline"], set()),
]


@pytest.mark.parametrize(("question", "names", "expected"), NAMES)
def test_which_names_a_question_names(question, names, expected):
    """Whole words, any case, possessive or not; a first name is enough unless a full name takes it."""
    assert named(question, names) == expected


@given(st.text(max_size=400), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_gives_names_of_the_list_and_short_heads(text, names):
    """Neither raises; what comes back was given."""
    assert named(text, names) <= set(names)
    entity = head_entity(text)
    assert entity is None or (entity in text and 3 <= len(entity) <= MAX_HEAD_CHARS)


@pytest.mark.parametrize("piece", ["A ", "Of the ", "A.", "' ", "ab"])
def test_long_texts_take_linear_time(piece):
    """100,000 characters take well under a second."""
    text = (piece * 100_000)[:100_000]
    started = time.perf_counter()
    head_entity(text)
    named(text, ["Caroline", "Ab Of"])
    assert time.perf_counter() - started < 0.5
