"""A memory under a key: nothing of it is legible, and only that key opens it."""

import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path

import apsw
import pytest

from memspan import Memory, Turn
from memspan.core.errors import MissingExtra, NotAMemory, UsageError, WrongKey
from memspan.text.store import connection
from memspan.text.store.connection import keyed
from memspan.text.store.doctor import examine, repair

KEY = "a key that nobody guesses"
CANARIES = ("qzturnwordqz", "qzspeakernqz", "qzsessionsqz", "qzidentityqz", "qzmetadataqz", "qzscopepthqz")
ciphers = pytest.mark.skipif(not hasattr(apsw, "mc_version"), reason="apsw has no encryption here")


def _canary_turn(number: int) -> Turn:
    text, speaker, session, identity, meta, _ = CANARIES
    return Turn(
        f"{text} lives in Lisbon, note {number}. " + "x" * 300,
        speaker=speaker, session=session, id=f"{identity}{number}", meta={meta: number},
    )  # fmt: skip


def _filled(path: Path, key: str | bytes | None = KEY, turns: int = 3) -> None:
    with Memory(path, scope=CANARIES[-1], key=key) as memory:
        memory.remember([_canary_turn(number) for number in range(turns)])


def _looks_encrypted() -> bytes:
    return os.urandom(16) + bytes.fromhex("1000020240402020") + os.urandom(8168)


@ciphers
def test_no_word_is_legible_on_the_disk(tmp_path):
    """Not in the file, not in its log, open or closed; a plain file shows all of them, so the scan can see."""

    def legible(path: Path) -> set[str]:
        raw = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        return {canary for canary in (*CANARIES, "SQLite format", "CREATE TABLE") if canary.encode() in raw}

    for name, key, seen in (("plain", None, {*CANARIES, "SQLite format", "CREATE TABLE"}), ("sealed", KEY, set())):
        path = tmp_path / f"{name}.mem"
        with Memory(path, scope=CANARIES[-1], key=key) as memory:
            memory.remember([_canary_turn(number) for number in range(3)])
            assert Path(f"{path}-wal").stat().st_size > 0
            assert legible(path) == seen
            assert CANARIES[0] in memory.recall("Who lives in Lisbon?").hits[0].text
        assert not Path(f"{path}-wal").exists() and legible(path) == seen


@ciphers
def test_text_and_its_bytes_are_one_key(tmp_path):
    """A key of any bytes will do, NUL and quotes among them."""
    for text in ("schlüssel 钥匙", "it's; DROP TABLE turn --", "\0\0"):
        path = tmp_path / f"{len(text)}.mem"
        _filled(path, text)
        with Memory(path, scope=CANARIES[-1], key=text.encode()) as memory:
            assert memory.stats().turns == 3


@ciphers
@pytest.mark.parametrize("log", [False, True], ids=["closed", "with a log"])
def test_another_key_opens_nothing_and_harms_nothing(tmp_path, log):
    """Nor does none; the right one then finds all."""
    path = tmp_path / "a.mem"
    _filled(path)
    with Memory(path, scope=CANARIES[-1], key=KEY) as memory:
        if not log:
            memory.close()
        for key in ("another", KEY + " ", KEY.encode() + b"\0", None):
            for read_only in (False, True):
                with pytest.raises(WrongKey):
                    Memory(path, scope="me", key=key, read_only=read_only)
    with Memory(path, scope=CANARIES[-1], key=KEY) as memory:
        assert memory.check().ok and memory.stats().turns == 3


def test_a_missing_key_is_named(tmp_path):
    """Also where this SQLite could not use it; noise is still no memory."""
    path = tmp_path / "a.mem"
    path.write_bytes(_looks_encrypted())
    for ask in (lambda: Memory(path, scope="me"), lambda: examine(path), lambda: repair(path)):
        with pytest.raises(WrongKey, match="is encrypted"):
            ask()
    path.write_bytes(b"n" * 8192)
    with pytest.raises(NotAMemory):
        Memory(path, scope="me")


@ciphers
def test_a_key_for_a_plain_file_is_refused(tmp_path):
    """It is neither encrypted nor touched."""
    path = tmp_path / "a.mem"
    _filled(path, None)
    before = path.read_bytes()
    for ask in (lambda: Memory(path, scope="me", key=KEY), lambda: examine(path, KEY), lambda: repair(path, key=KEY)):
        with pytest.raises(WrongKey, match="not encrypted"):
            ask()
    assert path.read_bytes() == before


@ciphers
def test_a_key_for_something_else_is_refused(tmp_path):
    """Noise, and a memory whose first bytes are damaged."""
    path = tmp_path / "a.mem"
    _filled(path)
    raw = bytearray(path.read_bytes())
    raw[20] ^= 1  # how much of each page the cipher keeps for itself: believed, it would spoil the next write
    for content in (bytes(raw), b"n" * 8192, _looks_encrypted()):
        path.write_bytes(content)
        with pytest.raises(WrongKey):
            Memory(path, scope="me", key=KEY)
        assert path.read_bytes() == content


@pytest.mark.parametrize("key", ["", b"", 7, "\ud800", bytearray(b"x")], ids=repr)
def test_what_is_no_key_is_refused(tmp_path, key):
    """An empty one would leave the file unencrypted."""
    with pytest.raises(UsageError, match=r"^key: "):
        Memory(tmp_path / "a.mem", scope="me", key=key)
    assert not (tmp_path / "a.mem").exists()


@pytest.mark.skipif(hasattr(apsw, "mc_version"), reason="apsw has encryption here")
def test_without_the_cipher_the_commands_are_named(tmp_path):
    """And no plain file is made in its place."""
    with pytest.raises(MissingExtra, match=r"pip install .*apsw-sqlite3mc") as said:
        Memory(tmp_path / "a.mem", scope="me", key=KEY)
    assert KEY not in str(said.value) and not (tmp_path / "a.mem").exists()


@ciphers
def test_a_build_that_can_damage_a_file_is_refused(tmp_path, monkeypatch):
    """No requirement of ours reaches the build that takes the plain one's place."""
    monkeypatch.setattr(connection, "_OLDEST", apsw.SQLITE_VERSION_NUMBER + 1)
    with pytest.raises(MissingExtra):
        Memory(tmp_path / "a.mem", scope="me", key=KEY)


@ciphers
def test_the_key_is_said_nowhere(tmp_path, monkeypatch):
    """Not by an object, not by an error or its trace, not in the file."""
    path, hexed = tmp_path / "a.mem", KEY.encode().hex()
    _filled(path)
    with Memory(path, scope="me", key=KEY) as memory:
        said = f"{memory!r} {memory._store!r} {memory.stats()!r}"
    try:
        Memory(path, scope="me", key=KEY + "!")
    except WrongKey as why:
        said += "".join(traceback.format_exception(why))
        chain = [why.__context__, why.__cause__]
        said += repr([error.args for error in chain if error]) + repr(vars(why))
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY not in said and hexed not in said.lower()
    assert KEY.encode() not in raw and hexed.encode() not in raw.lower()


@ciphers
def test_a_key_sqlite_does_not_take_is_an_error_without_it():
    """A store whose cipher is not there must not go on in plain; apsw's own trace would show the key."""
    with pytest.raises(Exception, match="did not take the key") as said:
        keyed("file:x?vfs=memdb", KEY, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI)
    assert said.value.__context__ is None and KEY.encode().hex() not in repr(said.value)


@ciphers
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_it_opens_where_nothing_can_be_written(tmp_path):
    """Read only, from a directory that takes no lock file."""
    path = tmp_path / "in" / "a.mem"
    path.parent.mkdir()
    _filled(path)
    path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with Memory(path, scope=CANARIES[-1], key=KEY, read_only=True) as memory:
            assert memory.stats().turns == 3
    finally:
        path.parent.chmod(stat.S_IRWXU)


MAKING = """
import sys
from memspan import Memory
sys.stdin.read(1)
for number in range(8):
    with Memory(sys.argv[1] + f"-{number}", scope="me", key=sys.argv[2]) as memory:
        memory.remember("said by " + sys.argv[3])
"""


@ciphers
def test_processes_that_make_one_file_at_once_agree(tmp_path):
    """The salt of whoever was first holds; nobody is told that the key is wrong."""
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", MAKING, str(tmp_path / "a.mem"), KEY, str(number)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(4)
    ]  # fmt: skip
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write(b"!")
        maker.stdin.close()
    for maker in makers:
        assert maker.stderr is not None
        said = maker.stderr.read()
        maker.stderr.close()
        assert maker.wait(60) == 0, said.decode()
    for number in range(8):
        with Memory(tmp_path / f"a.mem-{number}", scope="me", key=KEY) as memory:
            assert memory.check().ok and memory.stats().turns == 4


@ciphers
def test_a_file_replaced_log_and_all_is_reopened_with_its_key(tmp_path):
    """A stranger who removes the log costs nothing: the file is opened anew, still encrypted."""
    path = tmp_path / "a.mem"
    with Memory(path, scope=CANARIES[-1], key=KEY) as memory:
        memory.remember(_canary_turn(1))
        Path(f"{path}-wal").unlink()
        with pytest.warns(UserWarning, match="write-ahead log"):
            memory.remember(_canary_turn(2))
        assert memory.stats().turns == 2
    assert not any(canary.encode() in path.read_bytes() for canary in CANARIES)


@ciphers
def test_a_changed_page_is_found_and_the_rest_saved(tmp_path):
    """Each page carries its own tag: one bit, and the page is refused; repair saves what stands on others."""
    path = tmp_path / "a.mem"
    _filled(path, turns=200)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert not examine(path, KEY).ok
    made = repair(path, key=KEY)
    assert examine(path, KEY).ok and 100 < made.saved <= 200
    assert path.read_bytes()[:6] != b"SQLite" and not any(canary.encode() in path.read_bytes() for canary in CANARIES)
    assert not examine(made.quarantined_path, KEY).ok


@ciphers
@pytest.mark.parametrize("key", [KEY, "another"])
def test_what_cannot_be_repaired_is_left_as_it_is(tmp_path, key):
    """Nothing can be read without the first page, or with another key."""
    path = tmp_path / "a.mem"
    _filled(path)
    raw = bytearray(path.read_bytes())
    if key == KEY:
        raw[100] ^= 1
        path.write_bytes(raw)
    with pytest.raises(WrongKey, match="first page"):
        repair(path, key=key)
    assert path.read_bytes() == bytes(raw) and [file.name for file in tmp_path.iterdir()] == ["a.mem"]
