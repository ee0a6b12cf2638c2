"""Which slots a question asks for."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.asked import MAX_ASKED_CHARS, asked_slots
from memspan.text.extract.statements import columns, slot

PAIRS = [
    ("My address is now 5 Elm Street.", "What is my address?"),
    ("My address is now 5 Elm Street.", "What's Alice's current address now?"),
    ("My favourite colour is green.", "so what is my favorite color these days?"),
    ("My dog's name is Rex.", "What is my dog's name?"),
    ("The deadline was moved to June 12.", "When is the deadline?"),
    ("The capital of Freedonia is Fredville.", "What is the capital of Freedonia?"),
    ("9. The country of citizenship of Ada Byron is Norland.", "What is the country of citizenship of Ada Byron?"),
    ("visual art: sculpture", "What is visual art now?"),
    ("visual art: sculpture", "What is the current value of visual art?"),
    ("max_tokens = 4096", "What was max_tokens in May 2024?"),
    ("I moved to Lisbon.", "Where do I live now?"),
    ("I moved to Lisbon.", "Where does Alice live?"),
    ("I moved to Lisbon.", "Which city is Alice based in?"),
    ("I moved to Lisbon.", "Do you remember where did Alice move to?"),
    ("My sister lives in Rome.", "Where does my sister live?"),
    ("I work at Acme.", "Who does Alice work for?"),
    ("I work at Acme.", "Where am I working at the moment?"),
    ("I'm married to Bob Stone.", "Who is Alice married to?"),
    ("I'm 31.", "How old is Alice?"),
]


@pytest.mark.parametrize(("told", "question"), PAIRS, ids=[question for _, question in PAIRS])
def test_the_question_leads_to_the_slot_of_what_was_told(told, question):
    """Whoever asks, of whichever wording; "my" is any of the speakers."""
    stated = columns(told, "Alice")
    assert stated is not None and stated[0] in asked_slots(question, ["Bob", "Alice"])


@pytest.mark.parametrize(
    "question", ["Why did it rain?", "Did Ann move?", "What did Ann say about her address?", "", "What is it? " * 40]
)
def test_other_questions_ask_for_no_slot(question):
    """Why, whether, what was said, and long questions."""
    assert asked_slots(question, ["Ann"]) == []


def test_long_questions_are_not_read():
    """Past the limit there is a text, not a question."""
    short, long = (f"What is{' ' * spaces}my address?" for spaces in (MAX_ASKED_CHARS - 18, MAX_ASKED_CHARS - 17))
    assert asked_slots(short) and not asked_slots(long)


def test_my_address_is_not_that_of_a_stranger():
    """Only the speakers given, and whoever has no name."""
    assert columns("My address is 5 Elm Street.", "Alice")[0] not in asked_slots("What is my address?", ["Bob"])


@given(st.text(max_size=MAX_ASKED_CHARS + 5))
def test_any_question_gives_a_sound_answer(question):
    """Distinct numbers, never an error."""
    found = asked_slots(question, ["Ann"])
    assert len(found) == len(set(found)) and all(0 < one < 2**63 for one in found)


@pytest.mark.parametrize("piece", ["what is ", " of ", "where do ", "now ", "a's ", "the a of "])
def test_hostile_repetition_ends_at_once(piece):
    """No pattern takes long over a question made to keep it busy."""
    start = time.perf_counter()
    asked_slots(f"what is {piece * 300}"[:MAX_ASKED_CHARS], ["Ann"], lambda _: "it")
    assert time.perf_counter() - start < 0.2


KNOWN = {
    slot("Ann", "employer"): "acme",
    slot("Ann", "residence"): "hague",
    slot("Ann", "boss"): "karen miller",
    slot("Karen Miller", "university"): "old hall",
    slot("Acme", "owner"): "bob",
    slot("Old Hall", "founder"): "eve",
    slot("Karen Miller", "residence"): "rome",
    slot("The Hague", "mayor"): "jan",
    slot("Ann sister", "employer"): "acme",
}
HOPS = [
    ("Who is the owner of the company Ann works for?", ("Acme", "owner")),
    ("Who is the owner of the company that I work at?", ("Acme", "owner")),
    ("Who is the mayor of the city where Ann lives?", ("The Hague", "mayor")),
    ("Where does Ann's boss live?", ("Karen Miller", "residence")),
    ("Where does the boss of Ann live now?", ("Karen Miller", "residence")),
    ("Who is the founder of the university of the boss of Ann?", ("Old Hall", "founder")),
    ("Who is my boss's university's founder?", ("Old Hall", "founder")),
    ("Who is the owner of my sister's employer?", ("Acme", "owner")),
]


@pytest.mark.parametrize(("question", "leads"), HOPS, ids=[question for question, _ in HOPS])
def test_a_described_subject_is_followed_to_what_it_is(question, leads):
    """Through one description or two; what leads there is asked for too."""
    found, plainly = (asked_slots(question, ["Ann"], value_of) for value_of in (lambda one: KNOWN.get(one, ""), None))
    assert slot(*leads) in found and slot(*leads) not in plainly
    assert found[: len(plainly)] == plainly and KNOWN.keys() & set(found) > {slot(*leads)}


@pytest.mark.parametrize(
    "question",
    ["Who is the owner of the company Bob works for?", "Where does Ann's boss work?", "What is the colour of my car?"],
)
def test_what_leads_nowhere_asks_for_nothing_more(question):
    """A first step or a last one that nothing is known of."""
    known = KNOWN | {slot("Ann", "car"): "honda"}
    assert asked_slots(question, ["Ann"], lambda one: known.get(one, "")) == asked_slots(question, ["Ann"])
