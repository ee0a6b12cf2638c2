"""T5: other programs, other versions and other owners of the file: nothing acknowledged is lost, or a typed refusal."""

import contextlib
import os
import shutil
import sqlite3
import sys
import threading
import warnings
from pathlib import Path

import apsw
import pytest
from tests.faults.kills import die, drain, in_child, spawn
from tests.faults.workload import SCOPE, folder_in_ram, memory, turn

from memspan import Memory
from memspan.core.errors import (
    ClosedStore,
    DamagedFile,
    MemspanError,
    NewerFormat,
    NotAMemory,
    ReadOnlyStore,
    StoreError,
    UnknownId,
)
from memspan.text.store import schema, sqlite
from memspan.text.store.sqlite import SqliteStore, StrangerWarning

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason=f"needs fork, {sys.platform} has none")
BEFORE, AFTER = 10, 50


def texts(path, **settings):
    """All texts of the file, in order."""
    with memory(path, **settings) as here:
        return [turn.text for turn in here.turns()]


def company(path, disturb):
    """In a child that is killed at the end: ten turns, then a disturbance, then fifty; how many were acknowledged."""

    def work(pipe):
        warnings.simplefilter("ignore")
        here = memory(path)
        for number in range(BEFORE + AFTER):
            if number == BEFORE:
                disturb(path)
            here.remember(turn(number))
            os.write(pipe, b".")
        die()

    status, said = in_child(work)
    assert os.WIFSIGNALED(status)
    return len(said)


def second_library(path):
    """Another SQLite library opens, reads and closes the file; its close removes the log."""
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM turn").fetchone()
    other.close()


def delete_log(path):
    """Somebody tidies up."""
    Path(f"{path}-wal").unlink()


@needs_fork
@pytest.mark.parametrize("disturb", [second_library, delete_log])
def test_nothing_is_lost_beside_a_stranger(tmp_path, disturb):
    """The log goes away under us; every turn acknowledged before and after is there after a kill."""
    path = tmp_path / "a.mem"
    acknowledged = company(path, disturb)
    found = texts(path)
    print(f"{disturb.__name__}: {acknowledged} acknowledged, {acknowledged - len(found)} lost")
    assert acknowledged == BEFORE + AFTER
    assert found == [turn(number).text for number in range(acknowledged)]
    with memory(path) as here:
        assert here.check().ok


@needs_fork
def test_control_without_the_guard_turns_are_lost(tmp_path, monkeypatch):
    """Negative control: with the guard taken out, the removed log takes acknowledged turns with it."""
    monkeypatch.setattr(SqliteStore, "_guard", lambda self, connection: None)
    path = tmp_path / "a.mem"
    acknowledged = company(path, delete_log)
    monkeypatch.undo()
    lost = acknowledged - len(texts(path))
    print(f"control without guard: {lost} of {acknowledged} lost")
    assert lost > 0


def test_a_removed_log_is_told(tmp_path):
    """The user hears that another program interfered, and that everything was saved."""
    path = tmp_path / "a.mem"
    with memory(path) as here:
        here.remember(turn(0))
        delete_log(path)
        with pytest.warns(StrangerWarning, match="everything was saved"):
            here.remember(turn(1))
        here.remember(turn(2))
        assert [found.text for found in here.turns()] == [turn(number).text for number in range(3)]


def test_a_truncated_log_is_never_served_as_something_else(tmp_path):
    """Bytes that another program destroyed are gone; what is served is still word for word, and the file opens."""
    path = tmp_path / "a.mem"
    written = [turn(number).text for number in range(12)]
    here = memory(path)
    for number in range(10):
        here.remember(turn(number))
    os.truncate(f"{path}-wal", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in (10, 11):
            with contextlib.suppress(StoreError):
                here.remember(turn(number))
        with contextlib.suppress(StoreError):
            here.close()
        with contextlib.suppress(DamagedFile):  # said so: nothing wrong is served
            assert set(texts(path)) <= set(written)


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_file_that_was_replaced_is_not_written(tmp_path, how):
    """Another file in its place, or none: a typed refusal before the first write, and the other stays as it is."""
    path, other = tmp_path / "a.mem", tmp_path / "b.mem"
    with memory(other) as here:
        here.remember(turn(99))
    content = other.read_bytes()
    here = memory(path)
    here.remember(turn(0))
    if how == "replaced":
        os.replace(other, path)
    else:
        path.unlink()
    with pytest.raises(StoreError, match=r"moved or replaced.*Open it again"):
        here.remember(turn(1))
    if how == "replaced":
        assert path.read_bytes() == content
        here.close()
        assert texts(path) == [turn(99).text]


@needs_fork
def test_a_forked_child_is_refused_and_harms_nothing(tmp_path):
    """Each verb raises ClosedStore in the child, close() is harmless there, and the parent goes on."""
    path = tmp_path / "a.mem"
    here = memory(path)
    first = here.remember(turn(0)).ids[0]

    def work(pipe):
        for call in (
            lambda: here.remember(turn(1)),
            lambda: here.recall("note"),
            lambda: here.get(first),
            lambda: list(here.turns()),
            here.stats,
            here.check,
        ):
            try:
                call()
                os.write(pipe, b"x")
            except ClosedStore:
                os.write(pipe, b".")
        here.close()

    assert in_child(work)[1] == b"......"
    here.remember(turn(2))
    here.close()
    assert texts(path) == [turn(0).text, turn(2).text]


def test_the_clock_may_jump_back(tmp_path):
    """A day lost by the clock changes neither the order of turns nor what is found."""
    times = iter([1.7e9, 1.7e9 - 86_400.0, 1.7e9 - 86_399.0])
    with memory(tmp_path / "a.mem", clock=lambda: next(times)) as here:
        for number in range(3):
            here.remember(f"Note {number}.")
        assert [found.text for found in here.turns()] == ["Note 0.", "Note 1.", "Note 2."]
        assert [found.seen_at for found in here.turns()] == [1.7e9, 1.7e9 - 86_400.0, 1.7e9 - 86_399.0]
        assert here.check().ok
        times = iter([0.0] * 9)
        assert "Note 1." in {hit.text for hit in here.recall("note", tokens=None)}


def test_a_newer_format_is_refused_untouched(tmp_path):
    """The message says both formats."""
    path = tmp_path / "a.mem"
    memory(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version={schema.FORMAT + 1}")
    other.close()
    content = path.read_bytes()
    with pytest.raises(NewerFormat) as caught:
        memory(path)
    assert (caught.value.found, caught.value.known) == (schema.FORMAT + 1, schema.FORMAT)
    assert path.read_bytes() == content


def foreign(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE turn (text)")
    other.commit()
    other.close()


def foreign_with_version(path):
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=1")
    other.execute("PRAGMA application_id=77")
    other.close()


NOT_OURS = {
    "text": lambda path: path.write_text("Dear diary, today nothing happened.\n" * 200),
    "short": lambda path: path.write_bytes(b"x"),
    "picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    "database": foreign,
    "database with a version": foreign_with_version,
}


@pytest.mark.parametrize("kind", NOT_OURS)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_not_ours_is_refused_untouched(tmp_path, kind, read_only):
    """Refused by name, not a byte of it or beside it is changed."""
    path = tmp_path / "diary"
    NOT_OURS[kind](path)
    content = path.read_bytes()
    with pytest.raises(NotAMemory):
        memory(path, read_only=read_only)
    assert path.read_bytes() == content
    assert sorted(each.name for each in tmp_path.iterdir()) == ["diary"]


def test_a_directory_is_refused(tmp_path):
    """With the path in the message."""
    with pytest.raises(NotAMemory, match="directory"):
        memory(tmp_path)


def test_a_missing_directory_is_said(tmp_path):
    """The path is wrong, not the disk."""
    with pytest.raises(StoreError, match="directory does not exist"):
        memory(tmp_path / "no" / "a.mem")


def test_an_empty_file_becomes_a_memory(tmp_path):
    """As mkstemp leaves one."""
    path = tmp_path / "a.mem"
    path.touch()
    with memory(path) as here:
        here.remember(turn(0))
    assert texts(path) == [turn(0).text]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_a_typed_error_or_whole_words(tmp_path, share):
    """Cut off anywhere: DamagedFile, or only true words are served and check() tells."""
    path = tmp_path / "a.mem"
    with memory(path) as here:
        ids = here.remember([turn(number) for number in range(80)]).ids
    written = {turn(number).text for number in range(80)}
    os.truncate(path, int(path.stat().st_size * share))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with memory(path) as here:
                assert not here.check().ok
                for wanted in ids:
                    with contextlib.suppress(DamagedFile, UnknownId):
                        assert here.get(wanted).text in written
                assert {hit.text for hit in here.recall("note topic", tokens=None)} <= written
        except (DamagedFile, NotAMemory):
            pass


def as_nobody(work):
    """Run work in a child without root's rights; its result is what it wrote to the pipe."""

    def unprivileged(pipe):
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        warnings.simplefilter("error")
        work(pipe)

    status, said = in_child(unprivileged)
    assert status == 0
    return said.decode()


@needs_fork
@pytest.mark.parametrize("log", [False, True], ids=["closed cleanly", "with a log left by a kill"])
def test_a_read_only_directory(log):
    """Writing there is refused by name; read_only=True reads and recalls, and writes nothing."""
    with folder_in_ram() as folder:
        folder.chmod(0o755)
        path = folder / "a.mem"

        def fill(pipe):
            here = memory(path)
            here.remember([turn(number) for number in range(5)])
            die() if log else here.close()

        in_child(fill)
        for each in folder.iterdir():
            each.chmod(0o444)
        folder.chmod(0o555)
        before = {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith("-shm")}

        def writing(pipe):
            for wanted in (path, folder / "new.mem"):
                try:
                    memory(wanted).remember("no")
                    os.write(pipe, b"written ")
                except MemspanError as why:
                    os.write(pipe, type(why).__name__.encode() + b" ")

        def reading(pipe):
            try:
                with memory(path, read_only=True) as here:
                    found = [each.text for each in here.turns()]
                    hits = [hit.text for hit in here.recall(turn(3).text, tokens=None)]
                    os.write(pipe, f"{len(found)} {turn(3).text in hits}".encode())
            except MemspanError as why:
                os.write(pipe, f"{type(why).__name__}: {why}".encode())

        assert as_nobody(writing).split() == ["ReadOnlyStore", "ReadOnlyStore"]
        assert as_nobody(reading) == "5 True"
        after = {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith("-shm")}
        assert after == before
        folder.chmod(0o755)


def test_a_read_only_memory_writes_nothing(tmp_path):
    """The verbs that write raise ReadOnlyStore; the file's bytes stay."""
    path = tmp_path / "a.mem"
    with memory(path) as here:
        here.remember(turn(0))
    content = path.read_bytes()
    with memory(path, read_only=True) as here:
        for call in (lambda: here.remember(turn(1)), here.rebuild):
            with pytest.raises(ReadOnlyStore):
                call()
        assert len(here.recall("note", tokens=None)) == 1
        assert here.check().ok
    assert path.read_bytes() == content
    with pytest.raises(StoreError, match="does not exist"):
        memory(tmp_path / "none.mem", read_only=True)


def test_used_after_close_is_said(tmp_path):
    """ClosedStore; closing twice is fine."""
    here = memory(tmp_path / "a.mem")
    here.close()
    here.close()
    for call in (lambda: here.remember("x"), lambda: here.recall("x"), lambda: list(here.turns()), here.stats):
        with pytest.raises(ClosedStore):
            call()


MOMENTS = [
    "user_version",
    "application_id",
    "sqlite_schema",
    "BEGIN",
    "journal_mode",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_two_who_open_a_new_file_at_once_both_get_it(tmp_path, moment):
    """Between looking at the file and judging it another process may have made it: that is no stranger's file."""
    path = tmp_path / "a.mem"
    busy = threading.local()

    def hook(connection):
        def trace(cursor, sql, bindings):
            if moment in sql and not getattr(busy, "other", False):
                busy.other = True
                memory(path).close()
            return True

        connection.exec_trace = trace

    apsw.connection_hooks.append(hook)
    try:
        memory(path).close()
    finally:
        apsw.connection_hooks.remove(hook)
    assert busy.other


@pytest.mark.slow
@needs_fork
def test_many_who_open_a_new_file_at_once_all_get_it():
    """Eight processes, two hundred new files."""

    def work(pipe):
        try:
            with memory(path) as here:
                here.remember("hello")
        except MemspanError as why:
            os.write(pipe, f"{type(why).__name__} ".encode())

    wrong = ""
    for number in range(200):
        with folder_in_ram() as folder:
            path = folder / f"{number}.mem"
            living = [spawn(work) for _ in range(8)]
            for child, pipe in living:
                os.waitpid(child, 0)
                wrong += drain(pipe).decode()
                os.close(pipe)
    assert wrong == ""


def test_a_copy_made_while_open_holds_what_was_acknowledged(tmp_path):
    """Through export: every line is a whole turn."""
    path, out = tmp_path / "a.mem", tmp_path / "a.jsonl"
    with memory(path) as here:
        here.remember([turn(number) for number in range(20)])
        assert here.export(out) == 20
    assert len(out.read_text(encoding="utf-8").splitlines()) == 20


def test_the_check_point_keeps_the_log_small(tmp_path, monkeypatch):
    """Past the limit the log is folded into the file, so it does not grow for ever."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 100_000)
    path = tmp_path / "a.mem"
    with memory(path) as here:
        for number in range(120):
            here.remember(turn(number, size=40))
        assert Path(f"{path}-wal").stat().st_size < 1_000_000
    shutil.copy(path, tmp_path / "copy.mem")
    with Memory(tmp_path / "copy.mem", scope=SCOPE, embedders=[]) as copy:
        assert copy.stats().turns == 120
