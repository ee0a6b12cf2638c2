"""Files of every earlier format open, hold what they held, and pass a check."""

import shutil
from pathlib import Path

import pytest

from memspan import Change, Link, Memory, Patch, load
from memspan.text.store import schema

FILES = Path(__file__).parent / "files"


@pytest.fixture
def old(tmp_path):
    """A file written by format 1: three turns, two records and a link of alice, a turn of bob."""
    return shutil.copy(FILES / "format1.mem", tmp_path / "old.mem")


def opened(path, scope="alice"):
    return Memory(path, scope=scope, embedders=[load("embed", "hashing")()], clock=lambda: 2e9)


def test_there_is_a_file_of_each_earlier_format():
    """A new format brings the file of the one before."""
    assert {path.name for path in FILES.iterdir()} == {f"format{n}.mem" for n in range(1, schema.FORMAT)}


def test_a_file_of_format_1_holds_what_it_held(old):
    """Turns, vectors, records with their uses and status, and links come along; the check finds nothing."""
    with opened(old) as memory:
        assert next(turn.text for turn in memory.turns()) == "I live in Lisbon."
        assert memory.recall("Lisbon", tokens=None).hits[0].session == "s1"
        found = {record.id: record for record in memory.records()}
        assert (found["f1"].uses, found["f1"].keys, len(found["f1"].sources)) == (3, ("home",), 2)
        assert (found["f0"].status, found["f0"].retired_at) == ("superseded", 5.0)
        assert memory.links() == [Link(source="f1", target="f0", kind="supersedes", weight=0.5)]
        assert memory.rebuild() == 3
        assert memory.check().ok
    with opened(old, "bob") as memory:
        assert [turn.text for turn in memory.turns()] == ["I like tea."]


def test_a_migrated_file_is_written_on(old):
    """New numbers follow the old ones, and what was there can be changed."""
    with opened(old) as memory:
        made = memory.remember("I moved to Porto.", speaker="Alice").ids[0]
        memory.apply([Change("set", Patch(id="f1", used=1)), Change("set", Patch(id=made, pinned=True))])
        assert {record.id: record.uses for record in memory.records()} == {"f1": 4, "f0": 0}
        assert memory.check().ok
