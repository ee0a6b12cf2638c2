"""The same thing said again."""

import time

import pytest
from hypothesis import given
from tests.text.consolidate.talk import DAY_S, MAY_8, conversations

from memspan import Turn
from memspan.text.consolidate.duplicates import LIKE, duplicate_links, duplicates

LONG = (
    "The river walk starts behind the old mill, passes three wooden bridges, climbs through the beech forest to a "
    "small chapel with green doors, and ends at the bakery where the bus stops; bring water, boots, bread and a map."
)


def _pair(older, newer, **other):
    return [
        Turn(older, speaker="Ana", at=MAY_8, id="old"),
        Turn(newer, **{"speaker": "Ana", "at": MAY_8 + 2 * DAY_S, "id": "new"} | other),
    ]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("My sister lives near Porto, by the river.", "my sister lives near Porto by the river!"),
        ("My sister lives near Porto, by the river.", "My   sister lives NEAR Porto, by a river."),
        (LONG, LONG.replace("small", "really small")),
        ("我的妹妹住在波尔图附近的河边。", "我的妹妹住在波尔图附近的河边！"),
    ],
)
def test_the_same_words_are_duplicates_and_the_newest_is_kept(older, newer):
    """Whatever the case, the marks and the small words; a harmless word more in a long text."""
    (found,) = duplicates(_pair(older, newer))
    assert (found.kept, found.other) == ("new", "old") and LIKE <= found.likeness <= 1
    assert [(link.source, link.target, link.kind) for link in duplicate_links([found])] == [("new", "old", "same-as")]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("My train leaves at 10:30 from Porto station.", "My train leaves at 10:45 from Porto station."),
        ("My budget for the trip is $500 all in.", "My budget for the trip is €500 all in."),
        ("Anna beat Bob at chess on the old board.", "Bob beat Anna at chess on the old board."),
        ("I moved from Porto to Lisbon by train.", "I moved to Porto from Lisbon by train."),
        ("My sister likes green tea every morning.", "My sister likes black tea every morning."),
        ("We take milk or sugar with coffee here.", "We take milk and sugar with coffee here."),
        ("You take the river walk every morning.", "You take the river walk every morning?"),
        ("My sister paints wooden boats.", "Your sister paints wooden boats."),
        (LONG, LONG.replace("passes", "never passes")),
        (LONG, LONG.replace("three", "3")),
        (LONG, LONG.replace("bakery", "Anna bakery")),
        (LONG, LONG.replace("bus stops", "bus no longer stops")),
        (LONG.replace("small", "really small"), LONG),
        ("My sister paints boats in Porto.", "My sister paints boats in Porto with friends."),
        ("我的妹妹住在波尔图附近的河边。", "我的妹妹不住在波尔图附近的河边。"),
        ("Ich trage gerne grüne Schuhe beim Wandern, Laufen, Klettern, Tanzen, Kochen und Lesen daheim.",) * 2,
    ],
)
def test_two_statements_are_no_duplicates(older, newer):
    """A number, sign, name, order, word, choice, question, person or negation differs; or the older says more."""
    if older == newer:
        newer = newer.replace("gerne", "nicht gerne")
    assert duplicates(_pair(older, newer)) == []


@pytest.mark.parametrize("other", [{"speaker": "Ben"}, {"role": "assistant"}])
def test_two_who_say_the_same_say_two_things(other):
    """Each of them lives near Porto."""
    assert duplicates(_pair("I live near Porto by the river.", "I live near Porto by the river.", **other)) == []


def test_what_was_said_of_today_is_another_thing_tomorrow():
    """On one day it is a repetition."""
    said = "Went for a long run in the forest today."
    assert duplicates(_pair(said, said)) == []
    assert len(duplicates(_pair(said, said, at=MAY_8 + 60))) == 1


@pytest.mark.parametrize("said", ["Yes.", "Thanks a lot!", "Sounds good to me."])
def test_small_talk_is_no_duplicate(said):
    """It was said again because it was meant again."""
    assert duplicates(_pair(said, said)) == []


def test_all_of_a_cluster_point_at_the_newest():
    """A star, not a chain."""
    said = "My sister lives near Porto, by the river."
    turns = [Turn(said, at=MAY_8 + n * DAY_S, id=f"t{n}") for n in range(20)]
    assert {(one.kept, one.other) for one in duplicates(turns)} == {("t19", f"t{n}") for n in range(19)}


@given(turns=conversations())
def test_what_is_kept_is_no_other_ones_duplicate(turns):
    """Each other points at one kept turn, which stays."""
    found = duplicates([*turns, *(Turn(turn.text, at=turn.at, seen_at=0.0, id=f"again {turn.id}") for turn in turns)])
    others = [one.other for one in found]
    assert len(others) == len(set(others)) and not set(others) & {one.kept for one in found}


@given(
    turns=conversations(timed=True),
)
def test_order_does_not_matter_where_times_tell(turns):
    """The same pairs."""
    assert duplicates(turns[::-1]) == duplicates(turns)


def test_many_near_copies_take_linear_time():
    """A flood of copies costs as much as other turns: four times as many, not sixteen times the time."""

    def seconds(count):
        turns = [Turn(f"Item {n} of the list: {LONG}", id=f"t{n}", at=float(n)) for n in range(count)]
        start = time.process_time()
        duplicates(turns)
        return time.process_time() - start

    seconds(50)
    assert seconds(1200) < 10 * seconds(300)
