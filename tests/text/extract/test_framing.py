"""What a question is about, without its frame."""

import pytest

from memspan.text.extract.framing import MAX_CHARS, matter


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("Can you summarize how Ann has helped me over time?", "how Ann has helped me ?"),
        ("Please give me a short, clear overview of the kitchen plans we discussed.", "the kitchen plans ."),
        ("Can you list the order in which I brought up different ideas for the roof throughout our chats?",
         "ideas for the roof ?"),
        ("In what order did we talk about the trips to Rome in our conversations (mention 5 items)?",
         "did the trips to Rome ?"),
        ("How many different hotels have I named across our conversations?", "How many hotels have I named ?"),
    ],
)  # fmt: skip
def test_the_frame_is_left_out(question, about):
    assert matter(question) == about


@pytest.mark.parametrize(
    "question",
    [
        "What was the order I placed in May?",
        "Where did I save the summary of the meeting?",
        "Give me the number of the plumber.",
        "What did I do in order to sleep better?",
        "How did my plans for the garden develop?",
        "Can you recommend a different hotel?",
        "Summarize it.",
        "",
    ],
)
def test_other_questions_stay_as_they_are(question):
    assert matter(question) == question


def test_a_long_text_is_no_question():
    """What is longer than a question is searched for whole."""
    text = "Can you summarize how Ann has helped me? " + "x" * MAX_CHARS
    assert matter(text) == text
