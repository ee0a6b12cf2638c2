"""Branches: a copy of a memory's file that knows from where it was taken, so that what it learns can come back.

A branch is the whole file, all scopes of it. Why a copy: docs/decisions/0007-branches.md.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from memspan.core.errors import DamagedFile, ReadOnlyStore, StoreError, UsageError
from memspan.core.records import check_text
from memspan.text.store import change_rows, rows
from memspan.text.store.connection import keyed, translated
from memspan.text.store.sql import Connection
from memspan.text.store.sqlite import SqliteStore

_SETTING = "fork"
_MAX_NAME_CHARS = 100
_LOG_ROW = "SELECT seq, operation, at, verb, op, kind, first, last FROM change WHERE seq = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Where a branch was taken.

    id: of the branch;  of: the file it was taken of;  at: when [s]
    heads: the last row of the log of changes then, by scope: its seq and a checksum of what stays of it
    """

    id: str
    of: str
    at: float
    heads: Mapping[str, tuple[int, int]]


def place(of: Path, wanted: str | os.PathLike[str]) -> Path:
    """Where a branch goes. wanted: a path, or a name that goes beside the original

    >>> str(place(Path("lib/alice.mem"), "experiment"))
    'lib/alice@experiment.mem'
    >>> str(place(Path("lib/alice.mem"), "./other.mem"))
    'other.mem'
    """
    said = os.fspath(wanted)
    check_text("the branch's name", said)
    path = Path(said)
    is_name = isinstance(wanted, str) and os.path.basename(said) == said
    if not is_name or (path.suffix and path.suffix == of.suffix):
        return path
    check_text("the branch's name", said, _MAX_NAME_CHARS)
    return of.with_name(f"{of.stem}@{said}{of.suffix}")


def branch(store: SqliteStore, path: Path, now: float) -> Path:
    """Copy the whole file there, with the point it was taken at; either it is all there or nothing is.

    Raises UsageError where something is there already, or a StoreError.
    """
    _refuse_taken(path)
    part = path.with_name(f"{path.name}.part-{secrets.token_hex(4)}")
    try:
        with translated(path):
            _make_private(part)
            fork = _copy(store, part, now)
        copy = SqliteStore(part, key=store.key)
        try:
            copy.set_setting(_SETTING, json.dumps(fork))
        finally:
            copy.close()
        _sync(part)
        _put(part, path)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{suffix}").unlink(missing_ok=True)
    return path


def _refuse_taken(path: Path) -> None:
    """A log left behind by a file of that name would be read into the new one, so it is refused too."""
    for suffix in ("", "-wal", "-journal"):
        if os.path.lexists(f"{path}{suffix}"):
            raise UsageError(f"{path}{suffix} is there already; a branch overwrites nothing, choose another name")


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except PermissionError:
        raise ReadOnlyStore(path) from None
    except OSError as why:
        raise StoreError(path, why.strerror or str(why)) from why


def _copy(store: SqliteStore, part: Path, now: float) -> dict[str, object]:
    """Copy one moment of the file; the fork as JSON can hold it."""
    of = identity(store)
    with store.snapshot() as connection:
        heads = {scope: _mark(connection, key) for key, scope in _scopes(connection)}
        target = keyed(part, store.key)
        try:
            with target.backup("main", connection, "main") as backup:
                backup.step(-1)
        finally:
            target.close()
    return {"id": secrets.token_hex(8), "of": of, "at": now, "heads": heads}


def _scopes(connection: Connection) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = connection.execute("SELECT key, path FROM scope").fetchall()
    return found


def _mark(connection: Connection, scope: int) -> tuple[int, int]:
    seq = change_rows.head(connection, scope)
    return seq, _checksum(connection, seq)


def _checksum(connection: Connection, seq: int) -> int:
    """Of those columns of a row of the log that forgetting leaves as they are."""
    row: tuple[object, ...] | None = connection.execute(_LOG_ROW, (seq,)).fetchone()
    return rows.checksum(*(row or ()))


def _put(part: Path, path: Path) -> None:
    """Give the finished copy its name, unless something took it meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError:
        _refuse_taken(path)
    except OSError:  # a file system without hard links
        _refuse_taken(path)
        os.rename(part, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- whose branch it is


def identity(store: SqliteStore) -> str:
    """What tells a file from its branches; all of one family share the secret."""
    own = fork_of(store)
    return blake2b((own.id if own else "").encode(), key=store.secret(), digest_size=8, person=b"file").hexdigest()


def fork_of(store: SqliteStore) -> Fork | None:
    """Where a file was taken of another, None where it is no branch. Raises DamagedFile."""
    raw = store.setting(_SETTING)
    if raw is None:
        return None
    try:
        told = json.loads(raw)
        heads = {scope: (int(seq), int(mark)) for scope, (seq, mark) in told["heads"].items()}
        return Fork(id=str(told["id"]), of=str(told["of"]), at=float(told["at"]), heads=heads)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedFile(store.path, "the note of where it was branched off cannot be read") from None


def forked_at(store: SqliteStore, other: SqliteStore, scope: str) -> tuple[Fork, int]:
    """The fork of a branch of this file, and the last row of the scope's log that both have.

    Raises UsageError where the other file is no branch of this one, or this one was put back to before the fork.
    """
    fork = fork_of(other)
    if fork is None or fork.of != identity(store):
        why = "it was not made by branch()" if fork is None else "it was taken of another file, maybe of another branch"
        raise UsageError(f"{other.path} is no branch of {store.path}: {why}")
    seq, mark = fork.heads.get(scope, (0, 0))
    with store.snapshot() as connection:
        if seq and _checksum(connection, seq) != mark:
            raise UsageError(f"{store.path} was put back to before {other.path} was branched off; nothing was merged")
    return fork, seq
