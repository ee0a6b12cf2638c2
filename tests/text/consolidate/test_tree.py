"""Days, weeks and months."""

import pytest
from hypothesis import given
from tests.text.consolidate.talk import MAY_8, conversations, talk

from memspan import Turn
from memspan.core.clock import EARLIEST, LATEST
from memspan.text.consolidate.derived import Basis
from memspan.text.consolidate.episodes import episodes
from memspan.text.consolidate.tree import KINDS, day_key, month_key, tree, week_key

BASIS = Basis(scope="s")


def _grown(turns):
    below = episodes(turns, BASIS).records
    grown = tree(below, BASIS)
    return {record.id: record for record in [*below, *grown.records]}, grown


def test_windows_are_days_iso_weeks_and_months():
    """Three sessions on two days of one week and one of another month."""
    records, grown = _grown(talk())
    assert [(record.kind, record.payload["group"]) for record in grown.records] == [
        ("day", "2023-05-08"),
        ("day", "2023-05-11"),
        ("day", "2023-06-07"),
        ("week", "2023-W19"),
        ("week", "2023-W23"),
        ("month", "2023-05"),
        ("month", "2023-06"),
    ]
    week = next(record for record in records.values() if record.payload["group"] == "2023-W19")
    title = "Week of 8 May 2023: Ben and Ana, 8 turns in 2 days, about Lisbon, pottery class and bowl"
    assert week.text.splitlines()[0] == title
    assert week.text.splitlines()[-1] == "11 May, Ben: Tell her that my second bowl broke in the kiln."
    assert (week.valid_from, week.payload["turns"]) == (MAY_8, 8)


def test_titles_read_as_people_write_dates():
    """By kind."""
    records, _ = _grown(talk())
    titles = {record.payload["group"]: record.text.split(":")[0] for record in records.values()}
    assert titles["2023-05-11"] == "Thursday 11 May 2023"
    assert titles["2023-06"] == "June 2023"
    assert titles["2023-W23"] == "Week of 5 Jun 2023"


@given(turns=conversations())
def test_a_parent_spans_its_children(turns):
    """And every episode that has a time has one day, each day one week and one month."""
    records, grown = _grown(turns)
    parents = [(records[link.source], records[link.target]) for link in grown.links if link.kind == "parent"]
    for child, parent in parents:
        assert parent.valid_from <= child.valid_from and child.valid_to <= parent.valid_to
        assert parent.trust <= child.trust
    found = sorted((child.id, parent.kind) for child, parent in parents)
    timed = [record for record in records.values() if record.valid_from is not None]
    assert found == sorted(
        [(record.id, "day") for record in timed if record.kind == "episode"]
        + [(record.id, kind) for record in timed if record.kind == "day" for kind in ("week", "month")]
    )


@given(turns=conversations())
def test_each_level_is_one_chain_in_order_of_time(turns):
    """next joins neighbours, and nothing else."""
    records, grown = _grown(turns)
    joined = {link.source: link.target for link in grown.links if link.kind == "next"}
    for kind in ("episode", *KINDS):
        level = [record for record in records.values() if record.kind == kind]
        ends = {record.id for record in level} - {joined.get(record.id) for record in level}
        place, seen = (ends or {None}).pop(), []
        while place is not None:
            seen.append(records[place])
            place = joined.get(place)
        assert sorted(record.id for record in seen) == sorted(record.id for record in level)
        times = [record.valid_from for record in seen if record.valid_from is not None]
        assert times == sorted(times)


def test_turns_without_a_time_are_left_out_of_the_tree():
    """Nobody knows their day."""
    _, grown = _grown([Turn("I moved to Lisbon.", session="a", id="1")])
    assert grown.records == [] and grown.links == []


@pytest.mark.parametrize("at", [EARLIEST, LATEST, -86400.0 * 365 * 1000])
def test_the_ends_of_time_have_days_weeks_and_months(at):
    """Years 1 to 9999."""
    _, grown = _grown([Turn("I moved to Lisbon.", session="a", at=at, id="1")])
    assert [record.kind for record in grown.records] == ["day", "week", "month"]
    assert (day_key(EARLIEST), week_key(EARLIEST), month_key(EARLIEST)) == ("0001-01-01", "0001-W01", "0001-01")
