"""Names, titles and identifiers in a turn."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.text.extract.identifiers import MAX_CHARS, identifiers
from memspan.text.extract.names import MAX_NAMES, Name, names

NAMED = [
    ("I met Caroline in the park.", ["Caroline"]),
    ("Hey Caroline! How are Ann Lee and Bo?", ["Caroline", "Ann Lee", "Bo"]),
    ("Caroline's sister and Melanie's dog saw Dr. Wu.", ["Melanie", "Dr. Wu"]),
    ("We flew to New York City, then to Rio de Janeiro.", ["New York City", "Rio de Janeiro"]),
    ("She studies at the University of Oslo near Lake Bohinj.", ["University of Oslo", "Lake Bohinj"]),
    ("J. R. R. Tolkien wrote it; so says J.K. Rowling.", ["J. R. R. Tolkien", "J.K. Rowling"]),
    ("I love O'Brien, Anne-Marie and AT&T.", ["O'Brien", "Anne-Marie", "AT&T"]),
    ("my iPhone shows YouTube", ["iPhone", "YouTube"]),
    ("Émile met Zoë in Łódź", ["Zoë", "Łódź"]),
    ("He works for NASA.", ["NASA"]),
    ("Alex is nice. I like Alex.", ["Alex"]),
    ('We read “Charlotte\'s Web” and "The Lord of the Rings."', ["Charlotte's Web", "The Lord of the Rings"]),
    ("我读了《三体》", ["三体"]),
    ("The ticket ABC-123 and @ann, see v2.1", ["ABC-123", "@ann", "v2.1"]),
]


@pytest.mark.parametrize(("text", "expected"), NAMED)
def test_names_are_found_where_they_stand_plainly(text, expected):
    """Inside a sentence, with more than one word, in quotation marks, or in a form of their own."""
    assert [one.text for one in names(text)] == expected


NOTHING = [
    "",
    "Thanks! That's great. Really, I'm glad.",
    "Painting is fun.",
    "It was SO GOOD, I LOVE it!!!",
    "WHAT A DAY FOR ANN",
    "On Monday in March I said OK to Mom and Dad.",
    'He said "Hello there!" and "go now"',
    "## Next Steps For Your Plan\n1. Set Goals\n- **Track Progress**: weekly\n",
    "```\nfrom Foo import Bar\n```",
    "I don't think I'd go. Maybe You're right, We'll see.",
]


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_has_a_capital_is_no_name(text):
    """Openers, shouting, weekdays, headings, code and contractions."""
    assert names(text) == []


def test_a_known_name_counts_even_where_a_sentence_begins():
    """Without it, a lone first word is not believed; with it, it is a person."""
    assert names("Melanie paints.") == []
    assert names("Melanie paints.", known=["Melanie"]) == [Name("Melanie", "person")]
    assert names("Melanie: hi", known=["melanie"]) == [Name("Melanie", "person")]


KINDS = [
    ("Thanks, Jon, for this", "Jon", "person"),
    ("it was Jon's wife", "Jon", "person"),
    ("and Jon said no", "Jon", "person"),
    ("we saw Dr. Wu", "Dr. Wu", "person"),
    ("my sister Ann came", "Ann", "person"),
    ("a trip to Oslo", "Oslo", "place"),
    ("we saw Fenway Park", "Fenway Park", "place"),
    ("she left Acme Inc", "Acme Inc", "organisation"),
    ("I use Excel", "Excel", "name"),
    ("at the UN", "UN", "acronym"),
    ('I saw "Home Alone" again', "Home Alone", "title"),
]


@pytest.mark.parametrize(("text", "name", "kind"), KINDS)
def test_the_words_around_a_name_say_what_it_is(text, name, kind):
    """Where they do not, it is just a name."""
    assert Name(name, kind) in names(text)


FORMS = [
    ("see https://a.org/b?c=1, ok", "https://a.org/b?c=1", "url"),
    ("(www.a.org/x)", "www.a.org/x", "url"),
    ("mail Al.B+c@mail.x-y.org.", "Al.B+c@mail.x-y.org", "email"),
    ("ask @al_b!", "@al_b", "handle"),
    ("so #goals2024.", "#goals2024", "hashtag"),
    ("fix PROJ-42 now", "PROJ-42", "ticket"),
    ("use v3 of it", "v3", "version"),
    ("numpy 2.4.6 is out", "2.4.6", "version"),
    ("1.0.0-rc1 shipped", "1.0.0-rc1", "version"),
    ("open src/a_b/c-d.py.", "src/a_b/c-d.py", "path"),
    ("in ~/notes/2024/ lies", "~/notes/2024/", "path"),
    ("at /usr/local/bin/x", "/usr/local/bin/x", "path"),
    (r"in C:\tmp\a.txt", r"C:\tmp\a.txt", "path"),
    ("read README.md first", "README.md", "path"),
    ("id 123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000", "uuid"),
    ("commit 1fef6f4 broke it", "1fef6f4", "hash"),
]


@pytest.mark.parametrize(("text", "found", "kind"), FORMS)
def test_identifiers_have_a_form_of_their_own(text, found, kind):
    """Without the punctuation around them."""
    assert [(one.text, one.kind) for one in identifiers(text)] == [(found, kind)]
    assert [one.text for one in names(text)] == [found]


PLAIN = [
    "and/or, he/she, 24/7, 5/8/2024, 10:30",
    "it cost $3.50 or 1,000.25 or 2.5",
    "#1 fan @ home, a@b",
    "call 555-0123 or +49 170 1234567",
    "at 3.30 p.m. e.g. this, i.e. that",
    "well-known face-to-face feedback",
    "2023-05-08 and 08-May-2023",
]


@pytest.mark.parametrize("text", PLAIN)
def test_everyday_figures_are_no_identifiers(text):
    """Dates, prices, phone numbers, fractions and abbreviations."""
    assert list(identifiers(text)) == []


@given(st.text(max_size=400), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_gives_names_that_stand_in_it(text, known):
    """It never raises, each name comes once, and each stands in the text as it is written."""
    found = names(text, known)
    assert len(found) <= MAX_NAMES and len({one.key for one in found}) == len(found)
    assert all(one.text and one.text in text for one in found)
    assert found == names(text, known)
    assert all(len(one.text) <= MAX_CHARS + 10 and text[one.start : one.end] == one.text for one in identifiers(text))


JUMBLE = [
    "Ann",
    "the",
    "of",
    "de",
    '"',
    "“",
    "”",
    "```",
    "\n",
    "**",
    ":",
    "Dr.",
    "NASA",
    "I'd",
    ", ",
    "A-1",
    "@a",
    "/b/",
    ".",
]


@given(st.lists(st.sampled_from(JUMBLE), max_size=20).map(" ".join))
def test_any_jumble_of_name_words_gives_names_that_stand_in_it(text):
    """Nor does a jumble of names, quotation marks and connecting words."""
    assert all(one.text in text for one in names(text, ["Ann"]))


PIECES = [
    "A ",
    "Ann ",
    "Of the ",
    '"',
    '"A ',
    "“",
    "a@",
    "@a ",
    "A.",
    "A-1",
    "/a",
    "a.",
    "```",
    "aA",
    "1.",
    "Ab\n",
    "W: ",
]


@pytest.mark.parametrize("piece", [*PIECES, "www.", "http://", "f1", "-", "Ann's ", "Ann de ", "A&", "v1", "~/"])
def test_a_very_long_text_takes_linear_time(piece):
    """300,000 characters take a fraction of a second, whatever they are made of."""
    text = (piece * 300_000)[:300_000]
    started = time.perf_counter()
    assert len(names(text, ["Ann"])) <= MAX_NAMES
    assert time.perf_counter() - started < 2.0
