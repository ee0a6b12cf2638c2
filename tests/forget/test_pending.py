"""T6: while a reader pins the log the receipt says so, and the job in the file is finished when it has left."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
from tests.faults.powercut import recording, states
from tests.forget.canaries import Dense, Planted, Words, found, free_bytes, missing, of_word

from memspan import Memory, Turn
from memspan.text.store import connection, sqlite

READER = """
import sys
from pathlib import Path
from memspan.text.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]), read_only=sys.argv[2] == "True")
with store.snapshot() as connection:
    connection.execute("SELECT count(*) FROM turn").fetchall()
    print("reading", flush=True)
    sys.stdin.readline()
store.close()
"""


def opened(folder, **more):
    return Memory(folder / "m.mem", scope="a", embedders=[Dense()], **more)


@contextmanager
def reading(folder, *, read_only=False):
    """Another process that holds a snapshot."""
    child = subprocess.Popen(
        [sys.executable, "-c", READER, str(folder / "m.mem"), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "reading\n"
        yield
    finally:
        child.communicate("\n", timeout=20)
        assert child.returncode == 0


@pytest.fixture
def secret(tmp_path):
    """A memory with something to forget in it: (memory, what to look for)."""
    planted, new = Planted(), Words(3).new
    memory = opened(tmp_path)
    for number in range(20):
        word = new()
        planted.add(f"{number}", of_word(word))
        memory.remember(Turn(f"The word is {word}.", session="secret", id=f"id{number}"))
        memory.remember(Turn(f"This is plain talk number {number}.", session="plain"))
    yield memory, planted
    memory.close()


@pytest.mark.parametrize("read_only", [False, True], ids=["reader", "read-only reader"])
def test_pending_while_a_process_reads(tmp_path, secret, read_only):
    """The rows are gone at once, the bytes are there, the receipt says pending; once the reader left, all is done."""
    memory, planted = secret
    with reading(tmp_path, read_only=read_only):
        receipt = memory.forget(session="secret")
        assert receipt.status == "pending"
        assert missing(tmp_path, planted) == []
        assert memory.recall("word", tokens=None, limit=50).hits[0].session == "plain"
        assert [told.status for told in memory.receipts()] == ["pending"]
        memory.remember("Life goes on meanwhile.")
        assert missing(tmp_path, planted) == []
    if read_only:  # one that writes has folded the log when it closed
        assert missing(tmp_path, planted) == []
    assert [told.status for told in memory.receipts()] == ["erased"]
    assert found(tmp_path, planted) == []


@pytest.mark.parametrize("way", ["open", "open another scope", "forget", "reflect"])
def test_what_is_pending_is_finished_by(tmp_path, secret, way):
    """The next opening for writing, of any scope; the next forget; the next reflect."""
    memory, planted = secret
    with reading(tmp_path):
        assert memory.forget(session="secret").status == "pending"
        with opened(tmp_path):  # opening neither waits nor fails
            assert missing(tmp_path, planted) == []
    if way == "forget":
        memory.forget(memory.remember("Something else.").ids[0])
    elif way == "reflect":
        memory.reflect()
    elif way == "open":
        memory.close()
        opened(tmp_path).close()
    else:
        Memory(tmp_path / "m.mem", scope="b", embedders=[Dense()]).close()
    assert found(tmp_path, planted) == []
    with opened(tmp_path, read_only=True) as again:
        assert again.receipts()[0].status == "erased"


def test_a_snapshot_in_the_same_process_pins_too(tmp_path, secret):
    """Another connection of this process; and a half-read answer of our own connection."""
    memory, planted = secret
    other = opened(tmp_path)
    with other._store.snapshot() as reader:
        reader.execute("SELECT count(*) FROM turn").fetchall()
        assert memory.forget("id0").status == "pending"
    other.close()
    half_read = memory._store._connection.execute("SELECT text FROM turn")
    next(half_read)
    assert memory.receipts()[0].status == "pending"
    half_read.close()
    assert memory.receipts()[0].status == "erased"
    assert len({what.split()[0] for what in found(tmp_path, planted)}) == 19


def test_someone_who_writes_all_the_time_does_not_make_a_receipt_lie(tmp_path, secret, monkeypatch):
    """A write between the folding and the washing: the log holds pages again, so the job waits."""
    memory, planted = secret
    other = opened(tmp_path)
    real = sqlite.wash.washable

    def washable(name):
        other.remember("just now")
        return real(name)

    monkeypatch.setattr(sqlite.wash, "washable", washable)
    assert memory.forget(session="secret").status == "pending"
    monkeypatch.undo()
    assert memory.receipts()[0].status == "erased"
    assert found(tmp_path, planted) == []
    assert list(free_bytes((tmp_path / "m.mem").read_bytes())) == []
    other.close()


def cut_after_the_receipt(folder, planted, durability):
    """Needles in any state that a power cut right after the receipt could leave; (states, of these with needles)."""
    with recording() as trace:
        memory = opened(folder, durability=durability)
        memory.remember(Turn(word, session="secret") for word in planted)
        memory.remember("This is plain talk.")
        trace.events.append(0)
        assert memory.forget(session="secret").status == "erased"
        trace.events.append(1)
        memory.remember("And on it goes.")
        memory.close()
    needles = [word.split()[-1][4:12].encode() for word in planted]
    count = bad = 0
    for state in states(trace, seed=1, since=1):
        count, bad = count + 1, bad + any(needle in raw for _, raw in state.image for needle in needles)
    return count, bad


@pytest.mark.parametrize("durability", ["power", pytest.param("process", marks=pytest.mark.slow)])
def test_no_power_cut_after_the_receipt_brings_a_word_back(tmp_path, durability):
    """Every state of the files after the receipt was given: no word in any of them."""
    new = Words(8).new
    words = [f"The word is {new()}" for _ in range(3)]
    count, bad = cut_after_the_receipt(tmp_path, words, durability)
    print(f"power cut after the receipt, durability {durability}: {count} states, {bad} with a forgotten word")
    assert count > 20
    assert bad == 0


def test_control_without_syncs_words_come_back(tmp_path, monkeypatch):
    """Negative control: where neither we nor SQLite sync, the truncation of the log need not be on the medium."""
    new = Words(8).new
    monkeypatch.setattr(sqlite, "_sync", lambda path: None)
    monkeypatch.setitem(connection._SYNCHRONOUS, "power", "OFF")
    count, bad = cut_after_the_receipt(tmp_path, [f"The word is {new()}"], "power")
    print(f"control without syncs: {count} states, {bad} with a forgotten word")
    assert bad > 0
