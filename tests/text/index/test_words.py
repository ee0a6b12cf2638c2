"""Index words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.index.words import BAG, MAX_COUNT, STOP_WORDS, bag, query_words, word_hash, words


def test_possessives_stop_words_and_stems():
    """Lower case, no possessive, no stop words, Porter stems."""
    assert words("Alice's dogs were running to the relational databases") == ["alic", "dog", "run", "relat", "databas"]


def test_accents_fold_and_unspaced_scripts_become_pairs():
    """Marks come off Latin words; runs of unspaced scripts become pairs, a single character stays."""
    assert words("Café MAÑANA") == ["cafe", "manana"]
    assert words("AI模型真好, 中") == ["ai", "模型", "型真", "真好", "中"]


@given(st.text())
def test_any_text_has_words_without_stop_words(text):
    """Never fails; never gives a stop word or an empty one."""
    assert "" not in words(text)
    assert all(word not in STOP_WORDS for word in words(text) if not word.isascii())


@given(st.lists(st.sampled_from(["tea", "cup", "run"]), max_size=400))
def test_a_bag_counts_every_word_up_to_its_limit(spoken):
    """A bag holds each word once with its count, ascending by hash."""
    entries = np.frombuffer(bag(" ".join(spoken)), BAG)
    wanted = {word_hash(word): min(MAX_COUNT, spoken.count(word)) for word in set(spoken)}
    assert dict(zip(entries["word"].tolist(), entries["count"].tolist(), strict=True)) == wanted
    assert entries["word"].tolist() == sorted(wanted)


def test_query_words_are_distinct_in_order():
    """A question's words, each once."""
    assert query_words("tea and tea with cup").tolist() == [word_hash("tea"), word_hash("cup")]


@pytest.mark.parametrize(
    "text",
    ["on 2021-05-03", "May 3, 2021", "may 3rd 2021", "3 May 2021", "the 3rd of May, 2021", "3. Mai; 03 May 2021"],
)
def test_a_day_is_one_word_however_it_is_written(text):
    """Beside its pieces: a file written before has the pieces only."""
    assert "2021-05-03" in words(text)
    assert "2021" in words(text)


@pytest.mark.parametrize(("text", "number"), [("3,160 crowns", "3160"), ("été: 1,200,000", "1200000")])
def test_a_number_with_marks_is_one_word_too(text, number):
    """And keeps its pieces."""
    assert number in words(text) and number[-3:] in words(text)


@pytest.mark.parametrize("text", ["1,2,3", "12,34", "1,2345", "0.3,160", "in 1999, 200 came", "May 2021", "3 May"])
def test_what_is_no_such_number_or_day_is_left_alone(text):
    assert not [word for word in words(text) if "-" in word or len(word) > 4]
