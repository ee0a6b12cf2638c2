"""Which turns are claims that a later claim can overtake."""

import pytest

from memspan.text.extract.claims import MAX_CLAIM_CHARS, is_claim, names

CLAIMS = [
    "Ada Byron is based in Berlin.",
    '"Ada Byron and Mary Somerville collaborated on a calculating engine."',
    "Dr. Ada Byron has never taught in Berlin; instead, she taught in Rome.",
    "In 2021, Ada Byron won the Green Engine Award",
]
OTHERS = [
    "I am based in Berlin, and Ada is too.",
    "Where is Ada Byron based?",
    "Your friend Ada called.",
    "We met Ada.",
    "Ada is based in Berlin. She likes it there.",
    "Ada is based in Berlin\nand likes it",
    "she is based there",
    "Ada swam in the lake on May 5.",
    "Ada swam in the lake on 2024-05-05.",
    "Ada called at 12:45.",
    "Ada " + "wrote " * 60,
    "",
]


@pytest.mark.parametrize("text", CLAIMS)
def test_one_sentence_about_something_named_is_a_claim(text):
    """One declarative sentence in the third person, with a name in it."""
    assert is_claim(text)


@pytest.mark.parametrize("text", OTHERS)
def test_chat_questions_and_days_are_no_claims(text):
    """First and second person, questions, several sentences, no name, a day or clock time, too long."""
    assert not is_claim(text)


def test_the_longest_claim_counts_its_characters():
    """The limit itself is still a claim, one more is not."""
    claim = "Ada " + "x" * (MAX_CLAIM_CHARS - 4)
    assert is_claim(claim) and not is_claim(claim + "x")


def test_names_are_compared_without_case_and_possessive():
    """Ada's and Ada are one name."""
    assert names("Ada's engine") == names("ADA engine") == {"ada"}
