"""Instructions, preferences, and questions that ask for advice."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.standing import MAX_INSTRUCTION_CHARS, advice_seeking, is_instruction, is_preference

INSTRUCTIONS = [
    "Always answer in French.",
    "Please always cite your sources.",
    "never use emojis when I ask about work",
    "From now on, call me Al.",
    "Going forward, keep it short.",
    "Whenever I ask about code, show tests.",
    "Remember to include units.",
    "Also, please never mention my ex.",
    "Don't ever suggest seafood.",
    "In the future, always use metric units.",
    "You should always greet me.",
    "**Always** format dates as ISO.",
]
NO_INSTRUCTIONS = [
    "Never mind.",
    "Never heard of it!",
    "Always wanted to go there.",
    "Always a pleasure.",
    "I always eat late.",
    "Do you remember to lock the door?",
    "Nevertheless we went.",
    "",
]


@pytest.mark.parametrize("text", INSTRUCTIONS)
def test_a_rule_for_all_time_is_an_instruction(text):
    """It counts from the user, in under 250 characters, and from nobody else."""
    assert is_instruction(text, "user") and is_preference(text, "user")
    assert not is_instruction(text, "assistant")
    assert not is_instruction(text + " x" * MAX_INSTRUCTION_CHARS, "user")


@pytest.mark.parametrize("text", NO_INSTRUCTIONS)
def test_common_phrases_are_no_instructions(text):
    """The same words as small talk or further inside are not one."""
    assert not is_instruction(text, "user")


@pytest.mark.parametrize(
    "text",
    [
        "I prefer window seats.",
        "I don't like loud places",
        "I really love hiking",
        "My favourite band is Can",
        "my favorite food",
        "I'd rather take the train.",
        "I always eat late",
        "I never drink coffee",
        "I hate horror films",
        "I'm allergic to nuts",
        "I can't stand crowds",
        "Please don't recommend seafood.",
        "I’m not a fan of jazz",
    ],
)
def test_likings_and_dislikes_are_preferences(text):
    """A user's liking counts; the assistant's does not."""
    assert is_preference(text, "user") and not is_preference(text, "assistant")


@pytest.mark.parametrize("text", ["The train left.", "She likes it", "What would I like?", "I went home", ""])
def test_plain_statements_are_no_preferences(text):
    """What happened, or what another likes, is none."""
    assert not is_preference(text, "user")


ADVICE = [
    "Can you recommend a hotel?",
    "What should I cook tonight?",
    "How should I arrange my tools?",
    "Any tips for Rome?",
    "Help me plan my trip",
    "I'm looking for a new gym. What factors matter?",
    "What are some good novels?",
    "Which bikes would suit me?",
    "Suggest a book.",
    "What kind of pet would be a good companion for me?",
]
FACTS = [
    "Who recommended the hotel?",
    "When did Anna suggest it?",
    "What did I ask you to recommend?",
    "Did Jon help me with the move?",
    "How many books did you suggest?",
    "What advice did James receive?",
    "Which book did Anna recommend to me?",
    "Can you list the order in which I brought up my hobbies?",
    "Where does Alice live?",
    "",
]


@pytest.mark.parametrize("question", ADVICE)
def test_questions_for_advice(question):
    """Asking what to do is advice-seeking."""
    assert advice_seeking(question)


@pytest.mark.parametrize("question", FACTS)
def test_questions_for_facts(question):
    """Asking what was is not, even where advice is the subject."""
    assert not advice_seeking(question)


@given(st.text(max_size=300), st.sampled_from(["user", "assistant", "system", "tool"]))
def test_any_text_is_judged(text, role):
    """No text raises; only users instruct and prefer."""
    of_user = is_instruction(text, role), is_preference(text, role)
    assert {type(found) for found in (*of_user, advice_seeking(text))} == {bool}
    assert role == "user" or not any(of_user)


@pytest.mark.parametrize("piece", ["did ", "my a b ", "any a ", "which a ", "i really ", "I ", "please ", " "])
def test_a_question_of_any_length_is_judged_in_linear_time(piece):
    """100,000 characters take well under a second."""
    text = (piece * 100_000)[:100_000]
    started = time.perf_counter()
    advice_seeking(text)
    is_preference(text[:1_999], "user")
    assert time.perf_counter() - started < 0.5
