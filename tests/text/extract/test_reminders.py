"""Reminders: what they wait for, and when an event meets them."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.reminders import LATEST, Reminder, fires, reminder

WEDNESDAY = datetime(2025, 3, 5, 14, 30, tzinfo=UTC).timestamp()
DAY, WEEK = 86_400.0, 604_800.0


def read(text, at=WEDNESDAY):
    return reminder(text, "user", at)


AT_A_TIME = {
    "Remind me to call Ann on Friday.": ("call Ann", "2025-03-07 00:00"),
    "remind me at 5pm to take the bread out": ("take the bread out", "2025-03-05 17:00"),
    "Remind me in 3 days to water the ferns": ("water the ferns", "2025-03-08 14:30"),
    "Please remind me tomorrow morning to send the form.": ("send the form", "2025-03-06 06:00"),
    "Could you remind me to pay the rent tomorrow at 9?": ("pay the rent", "2025-03-06 09:00"),
    "remind me in half an hour to check the oven": ("check the oven", "2025-03-05 15:00"),
    "On Monday at 10am remind me to submit the report.": ("submit the report", "2025-03-10 10:00"),
    "It rains. Remind me about the dentist next Tuesday at 15:30": ("the dentist", "2025-03-11 15:30"),
    "Remind me on March 3rd to renew the passport": ("renew the passport", "2026-03-03 00:00"),
    "remind me on Wednesday to call": ("call", "2025-03-12 00:00"),
    "remind me on Wednesday at 6pm to call": ("call", "2025-03-05 18:00"),
    "Remind me at 9 to stretch": ("stretch", "2025-03-06 09:00"),
    "Remind me tonight at 8 to lock up": ("lock up", "2025-03-05 20:00"),
    "Don't let me forget to buy milk before Friday": ("buy milk", "2025-03-06 00:00"),
    "Remind me before 5pm to leave": ("leave", "2025-03-05 16:00"),
    "Don't forget to remind me on Friday to vote": ("vote", "2025-03-07 00:00"),
    "Set a reminder to call the bank on 2025-04-01 at 8:15": ("call the bank", "2025-04-01 08:15"),
    "Make sure I don't forget the cake tomorrow.": ("the cake", "2025-03-06 00:00"),
    "Remind me to take the 5 boxes at 7:30 tomorrow": ("take the 5 boxes", "2025-03-06 07:30"),
}


@pytest.mark.parametrize("text", AT_A_TIME)
def test_a_time_is_a_moment_from_the_turns_own_time(text):
    """The next return of a weekday, a time of day, a date; "before" a day is the day before."""
    what, when = AT_A_TIME[text]
    found = read(text)
    assert (found.what, found.at) == (what, datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp())
    assert not found.event


@pytest.mark.parametrize(
    ("text", "what", "every"),
    [
        ("Remind me every Monday to take out the bins", "take out the bins", WEEK),
        ("Remind me to take the pill every day at 8", "take the pill", DAY),
    ],
)
def test_every_says_after_how_long_it_comes_back(text, what, every):
    """A week or a day."""
    found = read(text)
    assert (found.what, found.every) == (what, every) and found.at > WEDNESDAY


ON_AN_EVENT = {
    "Remind me to ask about the invoice when Peter calls": ("ask about the invoice", {"peter", "call"}),
    "Remind me when I get home to feed the cat": ("feed the cat", {"home"}),
    "When we talk about the garden, remind me to order soil.": ("order soil", {"garden"}),
    "whenever I mention the budget remind me to check the tax": ("check the tax", {"budget"}),
    "If it rains remind me to close the window": ("close the window", {"rain"}),
    "When Anna calls could you remind me to ask about May?": ("ask about May", {"anna", "call"}),
    "Remind me once the parcel arrives to tip the courier": ("tip the courier", {"parcel"}),
    "remind me to bring the keys next time we talk": ("bring the keys", set()),
}


@pytest.mark.parametrize("text", ON_AN_EVENT)
def test_an_event_is_the_words_that_say_it(text):
    """Verbs of coming and talking say nothing of their own."""
    found = read(text)
    assert (found.what, found.event, found.at) == (*ON_AN_EVENT[text], None)


@pytest.mark.parametrize(
    "text",
    [
        "Can you remind me what we decided?",
        "Remind me when the meeting is.",
        "That reminds me of Paris.",
        "Don't remind me of Friday!",
        "You never remind me when Ann calls.",
        "She had to remind me to pay on Friday.",
        "No need to remind me on Friday.",
        "Remind me to call mum.",
        "Remind me yesterday to go",
        "Remind me to buy 5 apples",
        "I forgot the keys on Monday.",
        "",
    ],
)
def test_a_question_a_denial_and_what_cannot_come_are_none(text):
    """Nothing waits for them."""
    assert read(text) is None


def test_only_a_user_is_reminded():
    """What an assistant offers is no order."""
    assert reminder("Remind me on Friday to call.", "assistant", WEDNESDAY) is None


def test_without_a_time_of_its_own_only_a_date_counts():
    """ "Tomorrow" of an undated turn is no day."""
    assert read("Remind me tomorrow to call", None) is None
    assert read("Remind me on March 3, 2026 to call", None).at == datetime(2026, 3, 3, tzinfo=UTC).timestamp()
    assert read("Remind me when Peter calls to ask", None).event == {"peter", "call"}


@pytest.mark.parametrize(
    ("order", "later", "met"),
    [
        ("Remind me to pay when I am at the bank", "I'm at the bank, finally.", True),
        ("Remind me to pay when I am at the bank", "The bench in the park is green.", False),
        ("Remind me to pay when I am at the bank", "I was not at the bank.", False),
        ("Remind me to ask when Peter calls", "Peter just called!", True),
        ("Remind me to ask when Peter calls", "Peter is ill. Somebody calls.", False),
        ("If it doesn't rain, remind me to water the lawn", "It won't rain today.", True),
        ("If it doesn't rain, remind me to water the lawn", "It will rain today.", False),
        (
            "Remind me to tip when the plumber confirms the bathroom appointment",
            "Plumber confirmed the appointment",
            True,
        ),
        ("Remind me to tip when the plumber confirms the bathroom appointment", "The bathroom is cold.", False),
        ("remind me to bring the keys next time we talk", "Hello again", True),
        ("Remind me on Friday to call Ann", "It is Friday, call Ann", False),
    ],
)
def test_an_event_is_met_by_its_words_in_one_sentence(order, later, met):
    """All of one or two, two thirds of more; a moment is never met by words."""
    assert fires(read(order), later) is met


WORDS = st.sampled_from(
    [
        "remind",
        "me",
        "to",
        "don't",
        "let",
        "forget",
        "when",
        "if",
        "before",
        "after",
        "next",
        "time",
        "on",
        "in",
        "at",
        "5",
        "17:00",
        "friday",
        "tomorrow",
        "3",
        "days",
        "9999",
        "weeks",
        "9999",
        "years",
        "every",
        "monday",
        "pm",
        ".",
        ",",
        "!",
        "not",
        "the",
        "bank",
        "2025-02-30",
        "31st",
        "february",
        "noon",
        "half",
        "an",
        "hour",
    ]
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=30).map(" ".join))
TIMES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(TEXTS, st.sampled_from(["user", "assistant"]), TIMES, TEXTS)
def test_any_text_at_any_time_is_read(text, role, at, later):
    """Nothing raises; a moment can be stored, and a reminder waits for a moment or for words, never both."""
    found = reminder(text, role, at)
    assert found is None or role == "user"
    if found is not None:
        assert found.at is None or (abs(found.at) < LATEST and not found.event and not fires(found, later))
        assert found == reminder(text, role, at)
        assert fires(found, later) in (True, False)


@given(st.lists(WORDS, max_size=25).map(" ".join), st.floats(0, 4e9))
def test_what_waits_for_a_moment_waits_for_a_later_one(text, at):
    """What was asked for in the past has its next return, or none; a day that has begun is due at once."""
    found = reminder(f"remind me {text}", "user", at)
    assert found is None or found.at is None or found.at > at - 2 * DAY or "2025" in text or "february" in text


@pytest.mark.parametrize(
    "piece", ["remind me ", "when a ", "remind me to x before ", "if ", "at 5 ", "don't ", "to a ", ". "]
)
def test_a_text_of_any_length_is_read_in_linear_time(piece):
    """100,000 characters take well under a second."""
    text = (piece * 100_000)[:100_000]
    started = time.perf_counter()
    reminder(text, "user", WEDNESDAY)
    fires(Reminder("x", event=frozenset(["bank"])), text)
    assert time.perf_counter() - started < 1
