"""Instructions and preferences as records."""

import pytest
from tests.text.consolidate.talk import DAY_S, MAY_8

from memspan import Turn
from memspan.text.consolidate.derived import Basis
from memspan.text.consolidate.standing import standing

BASIS = Basis(scope="s")


def _said(*texts, **fields):
    return [Turn(text, at=MAY_8 + n * DAY_S, id=f"t{n}", **fields) for n, text in enumerate(texts)]


def test_each_turn_that_states_a_wish_is_a_record():
    """The instruction whole, of a longer turn the sentences that state a preference."""
    turns = _said(
        "Always answer in French.",
        "We went to the sea. I prefer small hotels. It rained.",
        "The train left.",
    )
    records = standing(turns, BASIS).records
    assert [(record.kind, record.text, record.sources) for record in records] == [
        ("instruction", "Always answer in French.", ("t0",)),
        ("preference", "I prefer small hotels.", ("t1",)),
    ]
    assert {record.status for record in records} == {"active"}


def test_who_is_not_the_user_or_not_trusted_has_no_wishes():
    """A tool's output and an import do not speak for the user."""
    assert standing(_said("Always answer in French.", role="tool"), BASIS).records == []
    assert standing(_said("Always answer in French.", role="assistant"), BASIS).records == []
    doubted = Basis(scope="s", trust=lambda turn: 0.25)
    assert standing(_said("Always answer in French."), doubted).records == []
    assert len(standing(_said("Always answer in French."), doubted, floor=0.25).records) == 1


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("My favourite colour is blue.", "My favourite colour is green now."),
        ("I like green tea.", "I don't like green tea any more."),
        ("Always answer in French.", "Always answer in English instead."),
        ("Always answer in French.", "always answer in French."),
    ],
)
def test_a_wish_that_says_that_it_replaces_takes_the_older_ones_place(older, newer):
    """It is superseded, not dropped, and held until the newer one was said."""
    derived = standing(_said(older, newer), BASIS)
    first, second = derived.records
    assert (first.status, first.valid_to, second.status) == ("superseded", MAY_8 + DAY_S, "active")
    assert [(link.source, link.target, link.kind) for link in derived.links] == [(second.id, first.id, "supersedes")]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I like green tea.", "I like black tea."),
        ("I prefer window seats.", "Actually, I prefer small hotels."),
        ("I like tea.", "Actually, I like jazz now."),
        ("Always answer in French.", "From now on, always cite your sources."),
        ("Always answer in French.", "I don't like French wine any more."),
    ],
)
def test_both_stand_where_the_newer_may_be_about_something_else(older, newer):
    """Hiding a wish that still holds costs more than showing one that does not."""
    derived = standing(_said(older, newer), BASIS)
    assert [record.status for record in derived.records] == ["active", "active"] and derived.links == []


def test_two_people_do_not_replace_each_others_wishes():
    """Ana's colour says nothing of Ben's."""
    turns = [
        *_said("My favourite colour is blue.", speaker="Ana"),
        Turn("My favourite colour is green now.", speaker="Ben", at=MAY_8 + DAY_S, id="b"),
    ]
    assert {record.status for record in standing(turns, BASIS).records} == {"active"}


def test_a_newer_wish_makes_the_older_ones_record_be_written_again():
    """Same id, other digest."""
    turns = _said("My favourite colour is blue.", "My favourite colour is green now.")
    before = standing(turns[:1], BASIS)
    again = standing(turns, Basis(scope="s", known=before.standing))
    assert [record.status for record in again.records] == ["superseded", "active"]
    assert again.records[0].id == before.records[0].id


def test_a_chain_of_wishes_ends_in_one():
    """Each is superseded by the next."""
    turns = _said(*(f"My favourite colour is {colour} now." for colour in ("blue", "green", "red", "white")))
    assert [record.status for record in standing(turns, BASIS).records] == ["superseded"] * 3 + ["active"]
