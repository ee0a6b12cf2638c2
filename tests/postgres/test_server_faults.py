"""A client that dies, a connection that breaks, a server that falls: nothing that was acknowledged is lost."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.conformance.stores import put, turn
from tests.postgres.server import OWNER, Server

from memspan.core.errors import ClosedStore, StoreBusy, StoreError
from memspan.core.places import Server as Place
from memspan.text.store import postgres_link
from memspan.text.store.opening import open_store

DYING = """
import sys, time
from memspan.text.store.opening import open_store
sys.path.insert(0, {root!r})
from tests.conformance.stores import put, turn
store = open_store({url!r})
put(store, turn("kept"))
print("acknowledged", flush=True)
with store.transaction("ana") as session:
    session.execute("UPDATE turn SET text = 'torn'")
    print("begun", flush=True)
    time.sleep(60)
"""


def ids(store, scope="ana"):
    return [kept.id for kept in store.turns(scope)]


def test_a_client_killed_in_a_transaction_leaves_nothing_of_it(place):
    """What it was told is stored is there; the scope can be written in at once."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = DYING.format(root=root, url=place.place.url)
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    assert [client.stdout.readline().strip() for _ in range(2)] == ["acknowledged", "begun"]
    client.send_signal(signal.SIGKILL)
    client.wait(10)
    client.stdout.close()
    store = place.open()
    assert [kept.text for kept in store.turns("ana")] == ["text of kept"]
    put(store, turn("2"))
    assert ids(store) == ["kept", "2"]
    store.close()


def _cut(place) -> int:
    """Break all connections of the others to the database; how many."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    with place.server.admin(place.name) as connection:
        cut = connection.execute(query, (place.name,)).fetchone()[0]
        while connection.execute(query.replace("pg_terminate_backend(pid)", "*"), (place.name,)).fetchone()[0]:
            time.sleep(0.01)
        return cut


def test_a_connection_that_broke_between_two_calls_is_healed(place):
    """Neither a read nor a write notices."""
    store = place.open()
    put(store, turn("1"))
    assert _cut(place) >= 1
    assert ids(store) == ["1"]
    assert _cut(place) >= 1
    put(store, turn("2"))
    assert ids(store) == ["1", "2"]
    store.close()


def test_a_connection_that_breaks_in_a_call_takes_all_of_it_back(place):
    """The call fails with our own error, the next one goes through."""
    store = place.open()
    put(store, turn("1"))
    with pytest.raises(StoreError):
        _torn(store, place)
    assert [kept.text for kept in store.turns("ana")] == ["text of 1"]
    store.close()


def _torn(store, place) -> None:
    with store.transaction("ana") as session:
        session.execute("UPDATE turn SET text = 'torn'")
        _cut(place)
        session.execute("UPDATE turn SET text = 'torn again'")


def test_writers_of_one_scope_wait_for_each_other(place):
    """Numbers and commits go in one order; who waits too long is told; another scope does not wait."""
    store, other = place.open(), place.open()
    with store.transaction("ana") as session:
        session.execute("UPDATE scope SET crc = crc")
        put(other, turn("x", scope="tom"), scope="tom")
        done = threading.Thread(target=put, args=(other, turn("1")))
        done.start()
        time.sleep(0.2)
        assert done.is_alive()
    done.join(10)
    assert ids(other) == ["1"] and ids(other, "tom") == ["x"]
    store.close()
    other.close()


def test_who_waits_too_long_is_told(place, monkeypatch):
    """StoreBusy, and nothing stored."""
    monkeypatch.setattr(postgres_link, "BUSY_S", 0.2)
    first = place.open()
    second = open_store(place.place, durability="power")  # another pool, with the short limit as well
    with first.transaction("ana"), pytest.raises(StoreBusy):
        _in_thread(lambda: put(second, turn("1")))
    assert ids(second) == []
    first.close()
    second.close()


def _in_thread(call) -> None:
    """As another thread does it; what it raises comes out here."""
    caught: list[StoreError] = []

    def run() -> None:
        try:
            call()
        except StoreError as why:
            caught.append(why)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    if caught:
        raise caught[0]


def test_many_threads_lose_nothing(place):
    """Eight write at once into three scopes, through one store; every turn is there once, the numbers are unbroken."""
    store = place.open()

    def write(number: int) -> None:
        for n in range(8):
            scope = f"s{n % 3}"
            put(store, turn(f"{number}-{n}", scope=scope), scope=scope)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = [[seq for seq, _ in store.numbered(f"s{n}", 0)] for n in range(3)]
    assert [len(some) for some in found] == [24, 24, 16]
    assert all(some == list(range(1, len(some) + 1)) for some in found)
    store.close()


def test_a_store_from_before_a_fork_is_not_used(place, monkeypatch):
    """Its connections belong to the parent."""
    store = place.open()
    put(store, turn("1"))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ClosedStore):
        ids(store)
    monkeypatch.undo()
    assert ids(store) == ["1"]
    store.close()


@pytest.mark.slow
def test_a_server_that_falls_loses_nothing_acknowledged(tmp_path):
    """Shut down at once, without any tidying, while a client writes; all that was acknowledged is there again."""
    server = Server(f"falling-{os.getpid()}")
    server.prepare()
    place = Place(server.url(server.database(str(tmp_path)), OWNER))
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        store = open_store(place, durability="power")
        n = 0
        while not stop.is_set():
            try:
                put(store, turn(f"{n}"))
                acknowledged.append(f"{n}")
                n += 1
            except StoreError:
                time.sleep(0.05)
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        time.sleep(1)
        before = len(acknowledged)
        server.control("-m", "immediate", "stop")
        server.control("-l", str(server.folder / "log"), "-o", f'-h "" -k {server.folder}', "start")
        assert before
    time.sleep(1)
    stop.set()
    writer.join(30)
    store = open_store(place)
    there = ids(store)
    assert set(acknowledged) <= set(there) and len(there) == len(set(there)) and len(acknowledged) > 10
    store.close()
    server.control("-m", "immediate", "stop")  # the package knows only the process that it has started itself
