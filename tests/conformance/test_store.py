"""What every store keeps: the same checks on each backend."""

import warnings
from collections.abc import Iterator

import pytest
from tests.conformance.stores import BACKENDS, Place, fresh, put, record, turn

from memspan import Link
from memspan.core.errors import (
    ClosedStore,
    DamagedFile,
    DuplicateId,
    MemspanError,
    ReadOnlyStore,
    StoreError,
    UnknownId,
)
from memspan.text.store import doctor
from memspan.text.store.store import Store


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def place(request, tmp_path) -> Place:
    """Where a fresh store lies."""
    return fresh(request.param, tmp_path)


@pytest.fixture
def store(place) -> Iterator[Store]:
    """A fresh store, open."""
    opened = place.open()
    yield opened
    opened.close()


def _ids(store, scope="ana", session=None):
    return [found.id for found in store.turns(scope, session)]


def test_turns_come_back_word_for_word(store):
    """Every field, by id and in the order they were written, not in that of their times."""
    given = [turn("b", "später 我 🙂", at=20.0), turn("a", at=None), turn("c", at=10.0)]
    put(store, *given)
    assert list(store.turns("ana")) == given
    assert store.get("ana", "b") == given[0]
    assert store.known("ana", ["c", "x", "a"]) == {"a", "c"}


def test_more_turns_than_one_batch_keep_their_order(store):
    """A scope of some thousand turns is read in several steps."""
    wanted = [f"t{n}" for n in range(2_500)]
    put(store, *map(turn, wanted))
    assert _ids(store) == wanted
    assert store.known("ana", wanted) == set(wanted)


def test_sessions_are_in_the_order_they_began(store):
    """And each gives its own turns."""
    put(store, turn("1", session="z"), turn("2", session="a"), turn("3", session="z"))
    assert store.sessions("ana") == ["z", "a"]
    assert _ids(store, session="z") == ["1", "3"]


def test_a_retry_changes_nothing(store):
    """The same turns again are known, whatever comes with them."""
    put(store, turn("1"), turn("2"))
    before = store.counts("ana")
    assert len(put(store, turn("2"), turn("1")).added) == 0
    assert store.counts("ana") == before and _ids(store) == ["1", "2"]


def test_one_id_for_two_contents_is_refused_whole(store):
    """Nothing of that call is stored."""
    put(store, turn("1", "as it was"))
    with pytest.raises(DuplicateId):
        put(store, turn("2"), turn("1", "another"))
    assert [found.text for found in store.turns("ana")] == ["as it was"]


def test_an_unknown_id_is_said(store):
    """To get, and to cite."""
    put(store, turn("1"))
    with pytest.raises(UnknownId):
        store.get("ana", "2")
    with pytest.raises(UnknownId):
        put(store, turn("3"), record("r", "1", "2"))
    assert _ids(store) == ["1"] and store.records("ana") == []


def test_scopes_are_apart(store):
    """The same id in two scopes is two turns; a scope nobody wrote in is empty, and made by no reading."""
    put(store, turn("1", "of Ana"))
    put(store, turn("1", "of Tom", scope="tom"), record("r", "1"), scope="tom")
    put(store, turn("2", scope="tom"), scope="tom")
    assert store.get("ana", "1").text == "of Ana" and store.get("tom", "1").text == "of Tom"
    assert store.known("ana", ["1", "2"]) == {"1"} and store.records("ana") == []
    with pytest.raises(UnknownId):
        put(store, record("r", "2"))
    assert store.counts("eve").turns == 0 and _ids(store, "eve") == [] and store.sessions("eve") == []
    assert store.scopes() == ["ana", "tom"]


def test_records_and_links_come_back(store):
    """With all their fields and the turns they cite; links sorted, one of a kind between two ends."""
    put(store, turn("1"), turn("2"))
    given = [record("r2", "1", "2"), record("r1", "2")]
    links = [Link(source="r2", target="r1", kind="next"), Link(source="r1", target="r2", kind="next", weight=0.5)]
    put(store, *given, *links)
    assert store.records("ana") == given
    assert store.links("ana") == sorted(links, key=lambda link: link.source)


def test_counts_are_of_one_scope(store):
    """Turns, sessions, records, first and last known time."""
    put(store, turn("1", at=5.0), turn("2", at=None, session="q"), turn("3", at=9.0), record("r", "1"))
    put(store, turn("x", at=1.0, scope="tom"), scope="tom")
    counts = store.counts("ana")
    assert (counts.turns, counts.sessions, counts.records) == (3, 2, 1)
    assert (counts.first_at, counts.last_at) == (5.0, 9.0)


def test_what_was_written_is_there_after_opening_anew(place):
    """Turns, records, links, settings and the secret."""
    store = place.open()
    put(store, turn("1"), record("r", "1"), Link(source="r", target="1", kind="about"))
    store.set_setting("recall", "lite")
    secret, found = store.secret(), (list(store.turns("ana")), store.records("ana"), store.links("ana"))
    store.close()
    again = place.open()
    assert (list(again.turns("ana")), again.records("ana"), again.links("ana")) == found
    assert again.setting("recall") == "lite" and again.secret() == secret
    again.close()


def test_two_open_stores_see_each_other(place, store):
    """And learn that there is something new."""
    other = place.open()
    put(store, turn("1"))
    before = other.version("ana")
    put(store, turn("2"))
    assert _ids(other) == ["1", "2"] and other.version("ana") != before
    other.close()


def test_a_snapshot_stands_still(place, store):
    """What another store writes meanwhile is not in it; after it, it is."""
    put(store, turn("1"))
    other = place.open()
    with other.snapshot("ana"):
        assert _ids(other) == ["1"]
        put(store, turn("2"))
        assert _ids(other) == ["1"]
    assert _ids(other) == ["1", "2"]
    other.close()


def test_a_failed_call_leaves_nothing(store):
    """An error in the middle takes back what came before it."""
    with pytest.raises(MemspanError):
        put(store, turn("1"), record("r", "1"), record("s", "nobody"))
    assert _ids(store) == [] and store.records("ana") == []


def test_a_damaged_turn_is_refused(place, store):
    """Its text is not served; fetch goes on without it and says so."""
    put(store, turn("1"))
    [(seq, _)] = store.numbered("ana", 0)
    place.spoil("turn", "text", "not what was said")
    with pytest.raises(DamagedFile):
        store.get("ana", "1")
    with pytest.raises(DamagedFile):
        list(store.turns("ana"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert store.fetch("ana", [seq]) == {}
    assert "checksum" in str(caught[0].message)


@pytest.mark.parametrize(("table", "column"), [("record", "text"), ("link", "target")])
def test_a_damaged_record_or_link_is_refused(place, store, table, column):
    """Nothing of it is served."""
    put(store, turn("1"), record("r", "1"), Link(source="r", target="1", kind="about"))
    place.spoil(table, column, "not what was said")
    with pytest.raises(DamagedFile):
        store.records("ana") if table == "record" else store.links("ana")


def test_a_check_finds_the_damage(place, store):
    """And nothing where there is none."""
    put(store, turn("1"))
    assert doctor.check(store).ok
    place.spoil("turn", "speaker", "Eve")
    assert [problem.table for problem in doctor.check(store).problems] == ["turn"]


def test_read_only_reads_and_does_not_write(place):
    """A store that is not there yet cannot be opened so."""
    with pytest.raises(StoreError):
        place.elsewhere().open(read_only=True)
    store = place.open()
    put(store, turn("1"))
    store.close()
    reader = place.open(read_only=True)
    assert _ids(reader) == ["1"]
    with pytest.raises(ReadOnlyStore):
        put(reader, turn("2"))
    assert _ids(reader) == ["1"]
    reader.close()


def test_a_closed_store_says_so(store):
    """Whatever is asked of it; closing twice is fine."""
    put(store, turn("1"))
    store.close()
    store.close()
    for ask in (lambda: store.get("ana", "1"), lambda: put(store, turn("2")), lambda: store.counts("ana")):
        with pytest.raises(ClosedStore):
            ask()
