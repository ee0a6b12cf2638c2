"""Everything said of a name."""

import pytest
from hypothesis import given
from tests.text.consolidate.talk import DAY_S, MAY_8, conversations, talk

from memspan import Turn
from memspan.text.consolidate.derived import CITED, Basis
from memspan.text.consolidate.entities import entities, gather, same
from memspan.text.consolidate.episodes import episodes

BASIS = Basis(scope="s")


def _said(*texts, session="a", speaker="", role="user"):
    return [Turn(text, session=session, speaker=speaker, role=role, id=f"{session} {text}") for text in texts]


def _of(turns):
    return entities(turns, episodes(turns, BASIS).records, BASIS)


def test_an_entity_holds_what_was_said_of_it_in_order_of_time():
    """A title with counts and dates, then sentences that name it."""
    lisbon = next(record for record in _of(talk()).records if record.entities == ("Lisbon",))
    assert lisbon.text.splitlines() == [
        "Lisbon: named in 5 turns, 8 May 2023 to 7 Jun 2023",
        "8 May 2023, Ana: I moved to Lisbon in March, and I miss the river at home.",
        "8 May 2023, Ben: You will like Lisbon.",
        "11 May 2023, Ana: I met Lee at the market in Lisbon, she sells bowls.",
        "7 Jun 2023, Ben: My sister visited from Porto, and we took the train to Lisbon.",
        "7 Jun 2023, Ana: I was at the Lisbon film festival then.",
    ]
    assert lisbon.sources == ("t4", "t5", "t6", "t8", "t9")
    assert (lisbon.valid_from, lisbon.valid_to) == (MAY_8 + 240, MAY_8 + 30 * DAY_S + 60)


def test_a_name_needs_two_turns():
    """Kyoto was said once."""
    assert sorted(gather(talk())) == ["ana", "ben", "lisbon", "porto"]


def test_what_speakers_say_of_themselves_is_said_of_them():
    """Sentences in the first person."""
    ana = next(record for record in _of(talk()).records if record.entities == ("Ana",))
    assert "8 May 2023, Ana: I moved to Lisbon in March, and I miss the river at home." in ana.text
    assert "Ben: " not in ana.text
    assert (ana.payload["named"], ana.payload["spoken"]) == (1, 5)


@pytest.mark.parametrize(
    "texts",
    [
        ("He saw Anna.", "Her name is ANNA."),
        ("He saw Anna.", "That is Anna's bike."),
        ("He saw Anna.", "Anna left."),
        ("He saw Anna.", "I saw Anna’s bike."),
        ("He saw Anna.", "He saw Anna again.", "More Anna!"),
    ],
)
def test_case_possessive_and_place_in_the_sentence_make_no_other_name(texts):
    """One entity."""
    assert list(gather(_said(*texts))) == ["anna"]


@pytest.mark.parametrize(
    "texts",
    [
        ("Running is fun.", "Running helps."),
        ("We love Running.", "We went running.", "I am running."),
        ("It is on the Agenda today.", "Was it on the Agenda again?", "Her agenda is full.", "An agenda helps."),
        ("I met him on Monday in May.", "See you on Monday in May."),
        ("I'm here.", "Then I'm there.", "OK, I'm fine."),
    ],
)
def test_ordinary_words_with_a_capital_are_no_names(texts):
    """At the head of a sentence, in a heading, months, days and pronouns."""
    assert gather(_said(*texts)) == {}


def test_what_only_the_assistant_capitalises_is_no_name():
    """Its headings are; a name that the user says is found in its answers, too."""
    answers = _said("You could visit Porto Plaza with Anna.", "Then visit Porto Plaza.", role="assistant", session="b")
    assert gather(answers) == {}
    found = gather([*_said("I met Anna."), *answers])
    assert list(found) == ["anna"] and len(found["anna"].turns) == 2


def _same(turns):
    return [(variant, name) for variant, name, _ in same(gather(turns))]


def test_a_title_and_a_first_name_lead_to_the_same_person_and_stay_records_of_their_own():
    """By letters only, joined by a link that can be taken back."""
    turns = _said("I saw Dr. Lee.", "We like Dr. Lee.", "So Lee came.", "Then Lee left.")
    assert _same(turns) == [("dr. lee", "lee")]
    turns = _said("I met Maria Silva.", "So Maria Silva sang.", "I like Maria.", "Yes, Maria sang.")
    assert _same(turns) == [("maria", "maria silva")]
    links = [(link.kind, link.weight) for link in _of(turns).links if link.kind == "same-as"]
    assert links == [("same-as", 0.8)]


@pytest.mark.parametrize(
    "turns",
    [
        _said("My friend Bob is also known as Alice.", "So Bob and Alice are one.", "Bob is Alice."),
        _said(
            "I met Maria Silva.", "So Maria Silva sang.", "I saw Maria Costa.", "So Maria Costa left.", "I like Maria."
        )
        + _said("Yes, Maria sang."),
        [
            *_said("We heard Bob Marley.", "More Bob Marley!", session="b", speaker="Bob"),
            *_said("Hello Bob.", session="b", speaker="Ana"),
        ],
        _said("I met Maria Silva.", "So Maria Silva sang.")
        + _said("My aunt Maria came.", "So Maria left.", session="b"),
    ],
    ids=["a claim in the text", "two full names", "a speaker and a namesake", "another conversation"],
)
def test_two_persons_are_never_joined_on_what_may_be_chance(turns):
    """A wrong join cannot be seen by who reads it; a missing one costs little."""
    assert _same(turns) == []


def test_a_name_said_often_cites_a_hundred_turns_and_says_of_how_many():
    """Those of the lines shown, and the latest others."""
    turns = [Turn(f"Thing {n} is with Anna.", id=f"t{n}", session="a", at=60.0 * n) for n in range(250)]
    (record,) = _of(turns).records
    assert len(record.sources) == CITED and record.payload["turns"] == 250
    assert {turn for turn, _, _ in record.payload["lines"]} <= set(record.sources)
    assert record.sources[-1] == "t249"


@given(turns=conversations())
def test_episodes_mention_what_is_said_in_them(turns):
    """The weight is the share of an episode's turns."""
    below = episodes(turns, BASIS).records
    derived = entities(turns, below, BASIS)
    members = {record.id: set(record.sources) for record in [*below, *derived.records]}
    mentions = [link for link in derived.links if link.kind == "mentions"]
    for link in mentions:
        both = members[link.source] & members[link.target]
        assert link.weight == len(both) / len(members[link.source]) > 0
    assert {link.target for link in mentions} == {record.id for record in derived.records}
