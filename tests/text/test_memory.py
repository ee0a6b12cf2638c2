"""What Memory keeps beside turns, and how it says what it is."""

import pytest

from memspan import Link, Memory, Record, Turn, load
from memspan.core.changes import Change
from memspan.core.errors import BadScope, BadText, DuplicateId, UnknownId, UsageError


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "m.mem", scope="a", embedders=[load("embed", "hashing")()], clock=lambda: 1000.0) as made:
        yield made


def test_records_cite_turns_and_come_back(memory):
    """A record with its sources, and a link, survive word for word."""
    one, two = memory.remember([Turn("I live in Lisbon."), Turn("Lisbon is warm.")]).ids
    fact = Record(id="f1", kind="fact", text="Lives in Lisbon", sources=(one, two), keys=("home",), payload={"n": [1]})
    memory.apply([Change("add", fact), Change("add", Link(source="f1", target=one, kind="supports", weight=0.5))])
    (found,) = memory.records()
    assert (found.text, set(found.sources), found.keys, found.payload["n"]) == (fact.text, {one, two}, ("home",), [1])
    assert found.recorded_at == 1000.0
    assert memory.links() == [Link(source="f1", target=one, kind="supports", weight=0.5)]
    assert memory.stats().records == 1


def test_a_record_that_cites_nothing_here_stores_nothing(memory):
    """All or nothing: the good record of the same call is not there either."""
    (one,) = memory.remember([Turn("I live in Lisbon.")]).ids
    good = Record(id="f1", kind="fact", text="x", sources=(one,))
    with pytest.raises(UnknownId):
        memory.apply([Change("add", good), Change("add", Record(id="f2", kind="fact", text="y", sources=("none",)))])
    assert memory.records() == []
    memory.apply([Change("add", good)])
    with pytest.raises(DuplicateId):
        memory.apply([Change("add", good)])


def test_what_is_derived_cites_and_turns_go_through_remember(memory):
    """A record without sources is refused, and so is a turn past the index."""
    with pytest.raises(BadText):
        Record(id="f", kind="fact", text="x", sources=())
    with pytest.raises(UsageError):
        memory.apply([Change("add", Turn("x"))])


def test_export_never_writes_over_the_memory(memory, tmp_path):
    """Its own file is refused; another takes every turn."""
    memory.remember("I live in Lisbon.")
    with pytest.raises(UsageError):
        memory.export(tmp_path / "m.mem")
    assert memory.export(tmp_path / "out.jsonl") == memory.stats().turns == 1


def test_rebuild_makes_the_same_index_again(memory):
    """Everything derived is made anew from the log, and recall is as before."""
    memory.remember([Turn(f"note {n} about tea", session=str(n % 3)) for n in range(80)])
    before = [hit.id for hit in memory.recall("tea note 7", tokens=None, limit=20)]
    assert memory.rebuild() == 80
    assert [hit.id for hit in memory.recall("tea note 7", tokens=None, limit=20)] == before
    assert memory.check().ok


@pytest.mark.parametrize("scope", ["", "a//b", "/", "..", "a/../b", "a\nb", "x" * 300, "/".join("abcdefghi"), None])
def test_a_scope_that_cannot_be_is_refused(tmp_path, scope):
    """Before any file is made."""
    with pytest.raises(BadScope):
        Memory(tmp_path / "m.mem", scope=scope)
    assert not (tmp_path / "m.mem").exists()


def test_an_empty_answer_is_false_and_a_limit_holds(memory):
    """Nothing remembered is an empty recall, not an error."""
    assert not memory.recall("anything")
    memory.remember([Turn(f"tea {n}", session=str(n)) for n in range(30)])
    assert len(memory.recall("tea", limit=3)) == len(memory.recall("tea", tokens=None, limit=3)) == 3
    assert len(memory.recall("tea", tokens=None)) == 10
    for wrong in ({"limit": -1}, {"tokens": -5}):
        with pytest.raises(UsageError):
            memory.recall("tea", **wrong)


def test_two_settings_at_once_or_an_unknown_one_are_refused(tmp_path):
    """A clear error, and no file."""
    with pytest.raises(UsageError):
        Memory(tmp_path / "m.mem", scope="a", setting="lite", embedders=[])
    with pytest.raises(UsageError):
        Memory(tmp_path / "m.mem", scope="a", setting="huge")
    assert not (tmp_path / "m.mem").exists()


def test_without_any_embedder_recall_goes_by_words(tmp_path):
    """The lexical arm alone answers."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[]) as memory:
        memory.remember([Turn("tea in the kitchen", id="t"), Turn("a car outside", id="c", session="x")])
        assert [hit.id for hit in memory.recall("tea", tokens=None, limit=1)] == ["t"]


@pytest.mark.parametrize("newest", [False, True])
def test_turns_come_page_by_page(memory, newest):
    """Pages joined are the whole, in either direction; a session is paged alone."""
    for number in range(7):
        memory.remember(f"note {number}", session="even" if number % 2 == 0 else "odd")
    whole = list(memory.turns(newest=newest))
    pages, after = [], ""
    while page := list(memory.turns(after=after, limit=3, newest=newest)):
        pages.append([turn.text for turn in page])
        after = page[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [text for page in pages for text in page] == [turn.text for turn in whole]
    assert [turn.text for turn in memory.turns(session="odd", limit=2, newest=True)] == ["note 5", "note 3"]
    assert list(memory.turns(limit=0)) == []


def test_a_page_begins_behind_a_turn_of_this_scope(memory, tmp_path):
    with Memory(memory._store.path, scope="somebody else") as other:
        theirs = other.remember("mine").ids[0]
    with pytest.raises(UnknownId):
        list(memory.turns(after=theirs))


def test_an_item_comes_with_its_state(memory):
    old = memory.remember("I live in Oslo.").ids[0]
    new = memory.correct(old, "I live in Bergen.")
    item, state = memory.item(old)
    assert (item.text, state.status, state.heir) == ("I live in Oslo.", "superseded", new)
    with pytest.raises(UnknownId):
        memory.item("t0")
