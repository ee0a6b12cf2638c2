"""Moving a memory between a file and a server: every row comes along, nothing else changes, a stop costs nothing."""

import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.postgres import server as postgres

from memspan import Change, Link, Memory, Record, Turn, load
from memspan.core.budget import Budget
from memspan.core.errors import DamagedFile, MemspanError, StoreError, UsageError
from memspan.text.store import migrate as moving
from memspan.text.store.migrate import TABLES, migrate
from memspan.text.store.opening import open_store

pytestmark = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there")
EMBEDDERS = [load("embed", "hashing")()]
SCOPES = ("acme/alice", "acme/bob", "carl")


@pytest.fixture(scope="module")
def server():
    return postgres.server()


@pytest.fixture
def url(server, request):
    return server.url(server.database(request.node.nodeid), postgres.OWNER)


def opened(place, scope="acme/alice", ticks=None):
    ticks = ticks or count(1_000_000)
    return Memory(place, scope=scope, embedders=EMBEDDERS, clock=lambda: float(next(ticks)))


def live(memory, nth=0):
    """Every kind of row: turns with meta, records, links, states, a log with all verbs, tombstones, jobs, receipts."""
    made = memory.remember(
        [Turn(f"note {n} of {nth}: tea at {n} o'clock", speaker="Ann", session=f"s{n % 3}", at=n, meta={"n": [n, "é"]})
         for n in range(12)]
    ).ids  # fmt: skip
    memory.remember("I live in Porto.", speaker="Ann", session="x", at="2024-01-01")
    memory.remember("I live in Lisbon now.", speaker="Ann", session="x", at="2024-05-01")
    fact = Record(id="f1", kind="fact", text="Ann likes tea", sources=made[:2], keys=("drink",), payload={"of": [1]})
    link = Link(source="f1", target=made[0], kind="supports", weight=0.5)
    memory.apply([Change("add", fact), Change("add", link)])
    memory.correct(made[3], "note 3, but better", reason="misheard")
    memory.pin(made[4])
    memory.hold(made[5], reason="law")
    memory.expire(made[6], 9e9)
    memory.archive(made[7])
    memory.used(made[:3])
    memory.forget(made[8])
    memory.forget(session="s2", dry_run=True)
    memory.set_capacity(500)
    memory.reflect(budget=Budget())
    memory.pin(made[9])
    memory.undo()
    return made


def plain(event):
    """Without the number of its operation, which may have moved; that of an undo is told in words too."""
    return replace(event, operation=0, **({"id": "", "why": ""} if event.kind == "operation" else {}))


def told(place, scope):
    """All that a memory says of itself, but for what the place itself decides: bytes, paths, what forgetting covers."""
    with Memory(place, scope=scope, embedders=EMBEDDERS, clock=lambda: 2_000_000.0) as memory:
        turns = list(memory.turns())
        found = [memory.recall(question, limit=5) for question in ("tea", "Where does Ann live?", "note 11")]
        stats = memory.stats()
        return {
            "turns": turns,
            "items": [memory.item(turn.id) for turn in turns],
            "records": memory.records(),
            "links": memory.links(),
            "changes": [plain(event) for event in memory.changes()],
            "receipts": [(one.digest, one.rows, one.items, one.selector) for one in memory.receipts()],
            "hits": [[(hit.id, hit.score, hit.status) for hit in one] for one in found],
            "stats": (stats.turns, stats.sessions, stats.records, stats.setting, stats.without_vector),
        }


def rows_of(place):
    """All rows of a place, of all scopes, as they stand there."""
    with closing(open_store(place, read_only=True)) as store:
        found = {}
        for scope in store.scopes():
            with store.snapshot(scope) as connection:
                for table in TABLES:
                    query = f"SELECT * FROM {table.name} WHERE scope = ? ORDER BY 1, 2, 3"
                    found[scope, table.name] = [
                        tuple(row) for row in connection.execute(query, (store.scope_key(scope),))
                    ]
        return found


def move(source, target, **how):
    with closing(open_store(source, read_only=True)) as here, closing(open_store(target)) as there:
        return migrate(here, there, **how)


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "one.mem"
    for nth, scope in enumerate(SCOPES):
        with opened(place, scope) as memory:
            live(memory, nth)
    with opened(place, SCOPES[0]) as memory:  # numbers of scopes lie between each other
        memory.remember("One more.")
    return place


def test_a_file_goes_to_a_server_and_back(file, url, tmp_path):
    """The same turns, records, states, log, receipts and recalls; back in a file, the very same rows."""
    before = {scope: told(file, scope) for scope in SCOPES}
    done = move(file, url)
    assert (done.scopes, done.resumed, done.meanwhile) == (SCOPES, False, ())
    assert done.rows["turn"] == 3 * 14 + 1 + 3 - 3 and min(done.rows.values()) > 0
    assert {scope: told(url, scope) for scope in SCOPES} == before
    back = tmp_path / "back.mem"
    assert move(url, back).rows == done.rows
    assert {scope: told(back, scope) for scope in SCOPES} == before
    first, second = rows_of(file), rows_of(back)
    assert {key: len(found) for key, found in first.items()} == {key: len(found) for key, found in second.items()}
    assert first == second
    with opened(back) as memory:
        assert memory.check().ok


def test_what_was_forgotten_stays_refused(file, url, tmp_path):
    """Tombstones know the words again, on the server and back in a file; a new receipt fits as well."""
    back = tmp_path / "back.mem"
    for place in (url, back):
        move(file if place == url else url, place)
        with opened(place) as memory:
            (refused,) = memory.remember(
                Turn("note 8 of 0: tea at 8 o'clock", speaker="Ann", session="s2", at=8)
            ).refused
            assert refused


@pytest.mark.slow
def test_numbers_that_two_scopes_share_are_moved(url, tmp_path):
    """On a server each scope counts from one; in one file they may not meet, and undo and history still fit."""
    ids = {}
    for nth, scope in enumerate(SCOPES):
        with opened(url, scope) as memory:
            ids[scope] = live(memory, nth)
    before = {scope: told(url, scope) for scope in SCOPES}
    back = tmp_path / "back.mem"
    move(url, back)
    for scope in SCOPES:
        after = told(back, scope)
        assert after == before[scope]
        with opened(back, scope) as memory:
            assert memory.check().ok
            number = next(event.operation for event in memory.history(ids[scope][7]) if event.what == "archived")
            assert memory.undo(number).verb == "archive"
            assert memory.item(ids[scope][7])[1].status == "active"
            assert [one.operation for one in memory.receipts()] == [
                event.operation for event in memory.changes() if event.what == "forgotten"
            ][: len(memory.receipts())]


@pytest.mark.slow
def test_only_some_scopes_go(file, url):
    """The others stay where they are; a scope that is not there is named."""
    assert move(file, url, scopes=["carl"]).scopes == ("carl",)
    with closing(open_store(url)) as store:
        assert store.scopes() == ["carl"]
    move(file, url, scopes=["acme/bob"])
    with pytest.raises(UsageError, match="dora"):
        move(file, url, scopes=["dora"])


def test_what_is_there_is_not_mixed_with_what_comes(file, url, tmp_path):
    """A scope that the target has, of whatever origin, is refused and stays as it is."""
    with opened(url) as memory:
        memory.remember("I was here first.")
    with pytest.raises(UsageError, match="already"):
        move(file, url)
    with opened(url) as memory:
        assert [turn.text for turn in memory.turns()] == ["I was here first."]
    other = tmp_path / "other.mem"
    move(file, other)
    with pytest.raises(UsageError, match="already"):
        move(file, other)


def test_a_damaged_row_is_not_moved(file, url):
    """The checksum of the source is looked at before anything is made of a row."""
    with closing(open_store(file)) as store, store.transaction() as connection:
        connection.execute("UPDATE turn SET text = 'forged' WHERE seq = 5")
    with pytest.raises(DamagedFile, match="turn"):
        move(file, url)


@pytest.mark.parametrize(
    "spoil", ["UPDATE state SET uses = uses + 1 WHERE scope = ?", "DELETE FROM link WHERE scope = ?"]
)
def test_a_target_that_differs_is_found(file, tmp_path, monkeypatch, spoil):
    """Comparing sees a changed and a missing row."""
    target, compare = tmp_path / "t.mem", moving._compare

    def spoilt(source, there, reading, one):
        with there.transaction() as connection:
            connection.execute(spoil, (one.there,))
        return compare(source, there, reading, one)

    monkeypatch.setattr(moving, "_compare", spoilt)
    with pytest.raises(StoreError, match="differs"):
        move(file, target)


@pytest.mark.slow
def test_what_is_written_meanwhile_is_said(file, url):
    """A copy is of one moment; a write that comes during it is named, not half taken along."""
    said = []

    def write(done, total):
        if not said:
            with opened(file, SCOPES[0]) as memory:
                memory.remember("While you move.")
        said.append((done, total))

    before = told(file, SCOPES[0])
    assert move(file, url, say=write).meanwhile == SCOPES[:1]
    assert said[-1] == (43, 43)
    assert told(url, SCOPES[0]) == before


DYING = """
import os, sys
from memspan.text.store import migrate as moving
from memspan.text.store.opening import open_store
written, left = moving._note, int(sys.argv[3])
def note(*given):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    written(*given)
moving._note = note
moving.BATCH = 5
moving.migrate(open_store(sys.argv[1], read_only=True), open_store(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("notes", [1, 4, 9, 17, 40])
def test_killed_in_the_middle_it_goes_on(file, url, notes):
    """Wherever it was stopped, the next call ends with the same rows; none is there twice."""
    done = subprocess.run([sys.executable, "-c", DYING, str(file), url, str(notes)], capture_output=True, timeout=60)
    assert done.returncode == 9, done.stderr
    again = move(file, url)
    assert again.resumed
    assert {scope: told(url, scope) for scope in SCOPES} == {scope: told(file, scope) for scope in SCOPES}


@pytest.mark.slow
def test_a_source_that_was_written_to_begins_anew(file, url):
    """After a stop, what changed at the source is not mixed with what was copied before."""
    subprocess.run([sys.executable, "-c", DYING, str(file), url, "6"], capture_output=True, timeout=60)
    with opened(file) as memory:
        memory.forget(session="s1")
        memory.remember("Something new.")
    move(file, url)
    assert {scope: told(url, scope) for scope in SCOPES} == {scope: told(file, scope) for scope in SCOPES}


DONE = st.sampled_from(["remember"] * 3 + ["correct", "forget", "archive", "undo", "reflect"])
VERBS = st.lists(st.tuples(st.sampled_from(SCOPES[:2]), DONE, st.integers(0, 9)), min_size=1, max_size=14)


@contextmanager
def both(url):
    with TemporaryDirectory() as folder:
        yield f"{folder}/a.mem", f"{folder}/b.mem"


@pytest.mark.slow
@settings(max_examples=25)
@given(steps=VERBS)
def test_any_memory_comes_through(server, steps):
    """Whatever was done to it: file to server to file, and what it says is the same."""
    name = server.database(f"any {id(steps)}")
    url, ids, ticks = server.url(name, postgres.OWNER), {}, count(1_000_000)
    with both(url) as (one, other):
        for scope, verb, nth in steps:
            mine = ids.setdefault(scope, [])
            with opened(one, scope, ticks) as memory:
                try:
                    if verb == "remember":
                        mine += memory.remember(f"note {nth} and {len(mine)}", session=f"s{nth % 2}").ids
                    elif verb in ("undo", "reflect"):
                        getattr(memory, verb)()
                    elif verb == "correct":
                        mine.append(memory.correct(mine[nth % len(mine)] if mine else "none", f"better {nth}"))
                    else:
                        getattr(memory, verb)(mine[nth % len(mine)] if mine else "none")
                except MemspanError:
                    continue
        try:
            move(one, url)
        except UsageError:  # nothing was ever written
            return
        move(url, other)
        for scope in ids:
            assert told(other, scope) == told(url, scope) == told(one, scope)
        assert rows_of(other) == rows_of(one)
