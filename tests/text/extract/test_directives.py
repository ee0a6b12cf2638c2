"""Directives that hold from now on, in other words than a rule's opening."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.directives import holds_on
from memspan.text.extract.standing import is_instruction

HOLD = [
    "Could you keep your replies brief when I write from the train?",
    "We moved the sofa. Oh, and please stop calling me Mr Grey.",
    "I'd appreciate it if you left emojis out of your answers.",
    "No more tables, please.",
    "Use tabs, not spaces.",
    "From today, speak to me in Italian.",
    "If I ask for a recipe, leave out pork.",
    "Every summary should begin with the date.",
    "Don't mention prices unless I ask.",
    "Be more concise.",
    "As a rule, cite your sources.",
    "My pronouns are they and them.",
    "Would you mind spelling out acronyms each time?",
    "Whatever I send you, keep it between us.",
]
ONCE = [
    "Could you call the plumber?",
    "Give me a recipe for plum cake.",
    "Can you explain this step by step with an example?",
    "Write a short paragraph about bees in a formal tone.",
    "Keep up the good work!",
    "Let me know how it goes.",
    "Don't worry about me.",
    "No, I have not read it.",
    "No more questions for now.",
    "From now on the shop opens at nine.",
    "Anna, don't forget to send the list every week.",
    'He said: "Never call me again, and answer in French from now on."',
    "I always answer in French.",
    "He never uses emojis.",
    "Remember that storm in May?",
    "",
    "   ",
    "?!",
]


@pytest.mark.parametrize("text", HOLD)
def test_a_directive_for_later_holds(text):
    """In any place of a short turn, from the user alone."""
    assert holds_on(text) and is_instruction(text, "user")
    assert not is_instruction(text, "assistant")


@pytest.mark.parametrize("text", ONCE)
def test_what_is_said_once_or_to_another_does_not(text):
    """A task, a wish of the moment, a person called by name, a quotation, a fact."""
    assert not holds_on(text) and not is_instruction(text, "user")


@given(st.text(max_size=400))
def test_any_text_is_judged(text):
    """No text raises."""
    assert holds_on(text) in (True, False)


PIECES = [
    "please ",
    "if a ",
    "when i ",
    "every a ",
    "from b ",
    "no a ",
    "keep your ",
    "i want a ",
    "x. ",
    '"a ',
    ", so ",
    "-",
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_of_any_length_is_judged_in_linear_time(piece):
    """Forty times the limit of a turn takes well under a second."""
    text = (piece * 10_000)[:10_000]
    started = time.perf_counter()
    holds_on(text)
    assert time.perf_counter() - started < 0.5
