"""What every stage of consolidation promises, on any conversation."""

import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.text.consolidate.talk import MAY_8, conversations, talk

from memspan import Turn
from memspan.text.consolidate.derived import CITED, Basis, Derived, lines_in
from memspan.text.consolidate.entities import entities
from memspan.text.consolidate.episodes import episodes
from memspan.text.consolidate.standing import standing
from memspan.text.consolidate.tree import tree

BASIS = Basis(scope="s")


def _tree(turns, basis):
    return tree(episodes(turns, replace(basis, known={})).records, basis)


def _entities(turns, basis):
    return entities(turns, episodes(turns, replace(basis, known={})).records, basis)


STAGES = {"episodes": episodes, "tree": _tree, "entities": _entities, "standing": standing}
stages = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
few = settings(max_examples=30, deadline=None)  # times four stages
OURS = re.compile(
    r"\b(?:turns?|episodes?|days?|about|and|more|named|speaks|in|to|Week|of|Mon|Tues|Wednes|Thurs|Fri|Satur|Sun"
    r"|January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:day)?\b|\d+|…"
)


@stages
@few
@given(turns=conversations())
def test_every_record_cites_turns_that_are_there(stage, turns):
    """Sources are ids of turns given, at most 100, and each line shown is of one of them, verbatim."""
    texts = {turn.id: " ".join(turn.text.split()) for turn in turns}
    for record in stage(turns, BASIS).records:
        assert 0 < len(record.sources) <= CITED
        assert set(record.sources) <= set(texts)
        for line in lines_in(record) if record.kind == "episode" else ():
            assert line.turn in record.sources
            assert set(line.text.removesuffix(" …").split()) <= set(texts[line.turn].split())


def _strangers(turns, records):
    """Words of records that none of their sources holds, and that are not ours."""
    by_id = {turn.id: turn for turn in turns}
    for record in records:
        cited = [by_id[source] for source in record.sources]
        there = {word for turn in cited for word in re.findall(r"\w+", f"{turn.text} {turn.speaker} {turn.role}")}
        held = [record.text, *record.keys, *record.entities, *record.payload.get("about", ())]
        yield from set(re.findall(r"\w+", OURS.sub(" ", " ".join(held)))) - there


@stages
@few
@given(turns=conversations())
def test_a_record_holds_no_word_that_its_sources_lack(stage, turns):
    """So whoever drops the records that cite a forgotten turn drops all of it."""
    assert list(_strangers(turns, stage(turns, BASIS).records)) == []


@stages
def test_a_record_of_many_turns_holds_no_word_that_its_sources_lack(stage):
    """Where not all turns can be cited, what is not cited is not told, in the title neither."""
    chance = Random(1)
    letters = "bcdfghklmnprst"
    vocabulary = ["".join(chance.choice(part) for part in (letters, "aeiou") * 3) for _ in range(2000)]
    turns = [
        Turn(
            f"I saw {' '.join(chance.sample(vocabulary, 12))} with Anna and {chance.choice(vocabulary).title()}.",
            speaker=chance.choice(["Ana", "Ben", chance.choice(vocabulary)]),
            session=f"s{n // 50}",
            at=MAY_8 + 600.0 * n,
            id=f"t{n}",
        )
        for n in range(600)
    ]
    derived = stage(turns, BASIS)
    assert list(_strangers(turns, derived.records)) == []
    assert all(len(record.sources) <= CITED for record in derived.records)


@stages
@few
@given(turns=conversations())
def test_the_same_turns_give_the_same_records(stage, turns):
    """Nothing depends on a clock or on chance."""
    assert stage(turns, BASIS) == stage(list(turns), BASIS)


@stages
@few
@given(turns=conversations())
def test_a_second_run_gives_nothing_new(stage, turns):
    """Records whose digest is known are not given again; the links and what should stand are."""
    first = stage(turns, BASIS)
    known = {record.id: record.payload["of"] for record in first.records}
    assert known == first.standing
    assert stage(turns, replace(BASIS, known=known)) == Derived([], first.links, first.standing)


@stages
@few
@given(turns=conversations(timed=True), chance=st.randoms(use_true_random=False))
def test_the_order_in_which_turns_came_does_not_matter_where_times_tell(stage, turns, chance):
    """Two devices that sent their parts in another order end with the same memory."""
    mixed = list(turns)
    chance.shuffle(mixed)
    assert stage(mixed, BASIS) == stage(turns, BASIS)


@stages
@few
@given(turns=conversations(), data=st.data())
def test_the_digest_follows_what_became_of_a_turn(stage, turns, data):
    """Another state of one turn makes the groups it is in be derived anew, and no others."""
    before = stage(turns, BASIS)
    touched = data.draw(st.sampled_from(turns)).id
    after = stage(turns, replace(BASIS, states={touched: "superseded"}, known=before.standing))
    changed = {record.id for record in after.records}
    assert changed == {key for key, of in after.standing.items() if before.standing[key] != of}
    assert {record.id for record in before.records if touched in record.sources} <= changed


@stages
@few
@given(turns=conversations())
def test_links_join_what_stands(stage, turns):
    """No link dangles: both ends are records of this stage, or episodes."""
    derived = stage(turns, BASIS)
    there = set(derived.standing) | set(episodes(turns, BASIS).standing)
    assert {end for link in derived.links for end in (link.source, link.target)} <= there


@stages
def test_another_scope_has_other_ids(stage):
    """Two scopes never share a record, whatever they hold."""
    ours, theirs = stage(talk(), BASIS), stage(talk(), Basis(scope="other"))
    assert not set(ours.standing) & set(theirs.standing)


@stages
@few
@given(turns=conversations())
def test_nothing_derived_is_trusted_more_than_its_least_source(stage, turns):
    """Trust is handed down, never up."""
    trust = {turn.id: 1 / (n + 1) for n, turn in enumerate(turns)}
    derived = stage(turns, Basis(scope="s", trust=lambda turn: trust[turn.id]))
    for record in derived.records:
        assert record.trust <= min(trust[source] for source in record.sources)


@stages
@few
@given(turns=conversations(), chance=st.randoms(use_true_random=False))
def test_the_order_in_which_sessions_came_does_not_matter(stage, turns, chance):
    """Also where all turns of a conversation carry its one time."""
    at = [replace(turn, at=MAY_8 if turn.session == "a" else turn.at and MAY_8 + 9) for turn in turns]
    sessions = [[turn for turn in at if turn.session == name] for name in ("a", "b", "")]
    straight = [turn for session in sessions for turn in session]
    chance.shuffle(sessions)
    assert stage([turn for session in sessions for turn in session], BASIS) == stage(straight, BASIS)
