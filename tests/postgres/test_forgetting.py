"""Forgetting on a server: no row version is left in any page; where a reader is in the way, the receipt says so."""

import psycopg
import pytest
from tests.conformance.stores import NOW

from memspan import Turn

WORD = "quixotry"


@pytest.fixture
def memory(place):
    """With something to forget, and much that stays."""
    with place.memory(lambda: NOW) as opened:
        opened.remember([Turn(f"Nothing to see, number {n}.") for n in range(50)])
        opened.remember(f"The word is {WORD}.", session="gone")
        yield opened


def test_control_a_deleted_row_is_still_in_the_pages(place, memory):
    """Negative control: what SQL deletes can be read in the file until VACUUM has been there."""
    assert WORD.encode() in place.image()
    with place.server.admin(place.name) as connection:
        connection.execute("DELETE FROM memspan.turn")
    assert WORD.encode() in place.image()


def test_no_version_of_the_row_is_left(place, memory):
    """Nor of the log's rows that told of it; the receipt says what it does not cover."""
    [wanted] = [kept.id for kept in memory.turns() if WORD in kept.text]
    memory.archive(wanted, reason=f"no more {WORD}")
    receipt = memory.forget(wanted)
    assert receipt.status == "erased" and WORD.encode() not in place.image()
    assert b"Nothing to see" in place.image() and "replicas" in receipt.not_covered
    assert memory.receipts()[0] == receipt


def test_a_reader_in_the_way_is_told_and_waited_for(place, memory):
    """An old snapshot can still see the row, so it is pending; once it has gone, the next look finishes it."""
    with psycopg.connect(place.place.url) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        receipt = memory.forget(session="gone")
        assert receipt.status == "pending" and WORD.encode() in place.image()
        assert [kept.text for kept in memory.turns(session="gone")] == []
        assert memory.receipts()[0].status == "pending"
    assert memory.receipts()[0].status == "erased" and WORD.encode() not in place.image()


def test_it_is_finished_by_whoever_opens_the_memory_next(place, memory):
    """Where the process that forgot did not come to it."""
    with psycopg.connect(place.place.url) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        assert memory.forget(session="gone").status == "pending"
    with place.memory(lambda: NOW):
        pass
    assert WORD.encode() not in place.image()
