"""What a turn states of something that has one value at a time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.statements import (
    MAX_CHARS,
    columns,
    contrasts,
    corrects,
    slot,
    statement,
    value_number,
)

SAID = [
    ("My address is now 5 Elm Street.", ("alice", "address", "5 elm street")),
    ("Our new address is 9 Oak Street, and we love it.", ("alice", "address", "9 oak street")),
    ("my phone number is 555-0100", ("alice", "phone number", "555-0100")),
    ("By the way, my email is ann@example.org.", ("alice", "email", "ann@example.org")),
    ("My favourite colour is green.", ("alice", "favourite colour", "green")),
    ("My favorite color is now blue!", ("alice", "favourite colour", "blue")),
    ("My dog's name is Rex.", ("alice", "dog's name", "rex")),
    ("Bob's birthday is on May 5th.", ("bob", "birthday", "may 5")),
    ("My boss is Karen Miller.", ("alice", "boss", "karen miller")),
    ("My job title is Head of Design now", ("alice", "job title", "head of design")),
    ("The deadline is now June 5, 2024.", ("", "deadline", "june 5, 2024")),
    ("The deadline was moved from June 5 to June 12.", ("", "deadline", "june 12")),
    ("My budget has been increased to $900 because of the move.", ("alice", "budget", "900")),
    ("I changed my password from tulip to mango.", ("alice", "password", "mango")),
    ("Please change my username to ann42", ("alice", "username", "ann42")),
    ("The capital of Freedonia is Fredville.", ("freedonia", "capital", "fredville")),
    ("12. The spouse of Ada Byron is William King.", ("ada byron", "spouse", "william king")),
    ("12. The mood of the engine is Blue.", ("the engine", "mood", "blue")),
    ("7. Ada Byron was born in the city of London.", ("ada byron", "was born in", "london")),
    ("timeout = 30", ("", "timeout", "30")),
    ("db.host: server-9", ("", "db.host", "server-9")),
    ("max_tokens=4096", ("", "max_tokens", "4096")),
    ("visual art: sculpture", ("", "visual art", "sculpture")),
    ("Set retry_limit to 5.", ("", "retry_limit", "5")),
    ("I live in Lisbon now.", ("alice", "residence", "lisbon")),
    ("Oh, I just moved to New York City last month!", ("alice", "residence", "new york city")),
    ("We've moved to the Netherlands.", ("alice", "residence", "netherlands")),
    ("My sister lives in Rome.", ("alice sister", "residence", "rome")),
    ("Bob Stone lives in Rome.", ("bob stone", "residence", "rome")),
    ("I work at Acme, in sales.", ("alice", "employer", "acme")),
    ("I started a new job at Initech on Monday.", ("alice", "employer", "initech")),
    ("My budget is now $700, can you find me a phone?", ("alice", "budget", "700")),
    ("My monthly budget is $2,650, but I'm not sure if that will do.", ("alice", "monthly budget", "2,650")),
    ("I'm 31 now.", ("alice", "age", "31")),
]


@pytest.mark.parametrize(("text", "told"), SAID, ids=[text[:30] for text, _ in SAID])
def test_a_statement_is_read(text, told):
    """Subject, relation, value; nothing ended."""
    found = statement(text, "Alice")
    assert found is not None and tuple(found[:3]) == told and not found.ended


ENDED = [
    ("I no longer work at Acme.", ("alice", "employer", "acme")),
    ("I don't work at Acme anymore.", ("alice", "employer", "acme")),
    ("I left Acme.", ("alice", "employer", "acme")),
    ("I quit my job.", ("alice", "employer", "")),
    ("I don't live in Paris any more.", ("alice", "residence", "paris")),
    ("We moved out of Paris.", ("alice", "residence", "paris")),
    ("Bob got divorced.", ("bob", "spouse", "")),
    ("My name is not Bob.", ("alice", "name", "bob")),
]


@pytest.mark.parametrize(("text", "told"), ENDED, ids=[text[:30] for text, _ in ENDED])
def test_an_end_is_read(text, told):
    """Which value ended, or that whatever held ended."""
    found = statement(text, "Alice")
    assert found is not None and tuple(found[:3]) == told and found.ended


NOTHING = [
    "My friend is in Lisbon.",
    "My day was great.",
    "My plan is to move to Lisbon.",
    "The problem is the cable.",
    "My question is about Python 3.",
    "My boss is late again.",
    "My job is so stressful.",
    "My car is broken.",
    "My budget is tight.",
    "My deadline is approaching.",
    "My favorite part was the 3rd act.",
    "My favourite thing is sleeping.",
    "My old address was 5 Elm Street.",
    "My old address is 5 Elm Street.",
    "My first job was a paper round.",
    "Is my address 5 Elm Street?",
    "My budget is $700 if I sell the car.",
    "My address is 5 Elm Street?",
    "What if, say, my budget is $700, is it enough?",
    "If my address is 5 Elm Street, write there.",
    "Maybe my budget is 900.",
    "I moved to Canada when I was 12.",
    "I moved to Canada 4 years ago.",
    "I lived in Paris.",
    "I live in a small town.",
    "I moved to a new apartment.",
    "I work at night.",
    "I joined Sarah for lunch.",
    "Everyone lives in Rome.",
    "I changed my mind to be kind.",
    "The best part of the trip is the food.",
    "The goal of this project is speed.",
    "Bob: see you tomorrow",
    "Note: buy milk",
    "Question: where is it?",
    "https://example.org/a",
    "Wang Lei 2025-09-13 08:05:00",
    "Meet me at 12:45",
    "Tell me about: trains",
    "Thanks! You too.",
    "",
    "   ",
    "My address is 5 Elm Street. " + "And so it goes on. " * 20,
]


@pytest.mark.parametrize("text", NOTHING, ids=[text[:30] or "blank" for text in NOTHING])
def test_what_is_no_statement_of_one_value_is_left_alone(text):
    """Friends, moods, plans, questions, hypotheses, the past, lists, transcripts, long turns."""
    assert statement(text, "Alice") is None and columns(text, "Alice") is None


def test_updates_of_one_thing_share_a_slot():
    """However it is put, and whoever of the two says it."""
    told = [
        columns("My favourite colour is green.", "Alice"),
        columns("My favorite color is now Blue!", "Alice"),
        columns("Alice's favourite colour is red.", "Bob"),
        columns("I changed my favorite color from red to pink", "alice"),
    ]
    assert len({one[0] for one in told}) == 1 and len({one[1] for one in told}) == 4


def test_one_thing_said_twice_has_one_value():
    """Case, articles, spaces, "now", ordinals and what follows make no other value."""
    said = ["My home is the Red House.", "my home is  now the RED house", "My home is the Red House because I like it."]
    assert len({columns(text, "Ann") for text in said}) == 1
    assert columns("My birthday is May 5th", "Ann") == columns("My birthday is on May 5.", "Ann")


def test_another_speaker_or_key_is_another_slot():
    """Nobody's address supersedes another's."""
    assert columns("My address is 5 Elm Street.", "Alice")[0] != columns("My address is 5 Elm Street.", "Bob")[0]
    assert columns("a.b = 1")[0] != columns("a.c = 1")[0]


def test_the_end_of_a_value_is_its_number_below_zero():
    """So that an index can tell what ended from its columns alone; zero ends whatever there was."""
    works, left, quits = (columns(text, "Ann") for text in ("I work at Acme.", "I left Acme.", "I quit my job."))
    assert works[0] == left[0] == quits[0]
    assert works[1] > 0 and left[1] == -works[1] and quits[1] == 0


def test_corrections_are_marked():
    """A statement said as a correction carries the mark."""
    assert statement("Sorry, I was wrong: my birthday is May 6.", "Ann").correction
    assert not statement("My birthday is May 6.", "Ann").correction
    assert corrects("It's actually Tuesday, not Monday.") and corrects("Correction: Tuesday.")
    assert not corrects("I actually like Tuesdays.")


def test_contrast_is_heard():
    """No longer, never, instead, only."""
    assert contrasts("She no longer sings.") and contrasts("She only sings.") and not contrasts("She sings.")


@given(st.text(max_size=MAX_CHARS + 10), st.text(max_size=20))
def test_any_text_gives_a_sound_answer(text, speaker):
    """Never an error; numbers of 63 bits; the same each time."""
    found = columns(text, speaker)
    assert found == columns(text, speaker)
    if found is not None:
        assert 0 < found[0] < 2**63 and -(2**63) < found[1] < 2**63


@given(st.text(max_size=40), st.text(max_size=40))
def test_numbers_are_of_63_bits_and_never_zero(subject, value):
    """Zero means something else."""
    assert 0 < slot(subject, "address") < 2**63 and 0 < value_number(value) < 2**63


@pytest.mark.parametrize(
    "piece",
    ["my my my ", "The a of ", "A's ", "1. The a of a ", "a: a: ", "no longer ", "I left A ", "one more ", "news: "],
)
def test_hostile_repetition_ends_at_once(piece):
    """No pattern takes long over a turn made to keep it busy."""
    start = time.perf_counter()
    statement((piece * 400)[:MAX_CHARS], "Ann")
    assert time.perf_counter() - start < 0.2


def test_a_line_of_a_log_is_no_key_with_a_value():
    """What a ticket's line tells stands beside its other lines; a setting's line replaces the one before."""
    told = ("PAY-86: moved from todo to done", "PAY-86: status open", "#412: merged", "PAY-86 comment by Ann: fine")
    assert [statement(text) for text in told] == [None] * 4
    assert statement("db.pool_size: 20") is not None and statement("MAX_RETRIES: 5") is not None


LED_IN = [
    "News: ",
    "Update: ",
    "Things have changed: ",
    "Quick update - ",
    "By the way, ",
    "New habit: ",
    "That's over now: ",
    "From now on it is different: ",
    "I've changed my mind: ",
    "Small change of plans — ",
    "For your records: ",
    "Oh, one more thing: actually, ",
    "Heads up: ",
]


@pytest.mark.parametrize("led_in", LED_IN)
def test_what_leads_in_hides_no_statement(led_in):
    """News, changes and notes are announced; what follows is the statement."""
    for text in ("My phone number is now 555-0100.", "I live in Oslo.", "Nora's dentist is Dr Egger."):
        assert statement(led_in + text, "Ann")[:3] == statement(text, "Ann")[:3]
    assert statement(f"{led_in}My groceries come from Grano.", "Ann") is None


@pytest.mark.parametrize(
    "text",
    [
        "Bob: I live in Oslo.",
        "My sister said: I live in Oslo.",
        "Good news from Bob: my phone number is 555-0100.",
        "Imagine this: my phone number is 555-0100.",
        "Title of the song: My name is Luka.",
        "If things have changed: my phone number is 555-0100.",
    ],
)
def test_what_others_say_or_one_imagines_is_not_led_in(text):
    """Who speaks, what is imagined or quoted stands before a colon too."""
    assert statement(text, "Ann") is None


LOGGED = [
    ("PAY-84: owner changed from Bruno to Fatou by Fatou", ("pay-84", "owner", "fatou")),
    ("PAY-84: priority set to high by Ana", ("pay-84", "priority", "high")),
    ("PAY-86: due date changed from 2025-06-16 to 2025-06-25", ("pay-86", "due date", "2025-06-25")),
    ("PAY-84 status: in review", ("pay-84", "status", "in review")),
    ("PAY-84: status: todo -> in review", ("pay-84", "status", "in review")),
    ("#412 milestone was moved from 1.2 to 1.3", ("412", "milestone", "1.3")),
    ("#412: colour of the button set to red", ("412", "colour of the button", "red")),
]


@pytest.mark.parametrize(("text", "told"), LOGGED, ids=[text[:30] for text, _ in LOGGED])
def test_a_line_of_a_log_gives_a_field_of_its_ticket_a_value(text, told):
    """So that only a line about the same field of the same ticket replaces it."""
    found = statement(text, "linear")
    assert found is not None and tuple(found[:3]) == told


def test_a_ticket_says_of_its_fields_what_a_sentence_says():
    """One slot for the log and for who tells of it; each field has its own."""
    told = ("PAY-84: owner set to Bruno", "The owner of PAY-84 is Bruno.", "PAY-84's owner is now Bruno.")
    assert len({columns(text) for text in told}) == 1
    assert columns("PAY-84: owner set to Bruno")[0] != columns("PAY-84: status set to done")[0]


@pytest.mark.parametrize(
    "text", ["PAY-84: I changed it from A to B", "PAY-84: they set to work", "PAY-84 comment: set", "84: what to do"]
)
def test_what_people_say_under_a_ticket_is_no_field(text):
    """Pronouns name no field; nor does what is not known to have one value, unless the line says that it was set."""
    found = statement(text)
    assert found is None or found.subject == ""
