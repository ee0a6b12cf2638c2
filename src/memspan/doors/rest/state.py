"""The small file beside a memory: who may call, and which requests were answered already.

It holds no remembered text: keys as hashes, requests as keyed hashes, answers as the ids in them. All workers of a
server, and `memspan keys`, have it open at the same time.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from memspan.core.errors import NewerFormat, NotAMemory
from memspan.text.store.connection import translated

BUSY_MS = 10_000
FORMAT = 1
APPLICATION_ID = 0x6D73646F  # "msdo"
_SCHEMA = """
CREATE TABLE secret(value BLOB NOT NULL) STRICT;
CREATE TABLE key(
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, tenant TEXT NOT NULL, scopes TEXT NOT NULL, rights TEXT NOT NULL,
    made_at REAL NOT NULL, expires_at REAL, revoked_at REAL
) STRICT;
CREATE TABLE answer(
    caller TEXT NOT NULL, scope TEXT NOT NULL, route TEXT NOT NULL, name TEXT NOT NULL,
    request BLOB NOT NULL, began_at REAL NOT NULL, taken_at REAL NOT NULL, status INTEGER, response BLOB,
    PRIMARY KEY(caller, scope, route, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_age ON answer(began_at);
"""


class State:
    """That file, open. path: made where it does not exist, readable by its owner only.

    Safe to share between threads.  Raises NotAMemory, NewerFormat, StoreBusy, ReadOnlyStore or StoreError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        with translated(self.path):
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = apsw.Connection(str(self.path))
            self._connection.set_busy_timeout(BUSY_MS)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        self.secret: bytes = self.row("SELECT value FROM secret")[0]

    def _prepare(self) -> None:
        connection = self._connection
        try:
            found = connection.pragma("application_id"), connection.pragma("user_version")
        except apsw.NotADBError:
            raise NotAMemory(self.path, "it is no file of keys") from None
        if found[0] not in (0, APPLICATION_ID):
            raise NotAMemory(self.path, "it is an SQLite file of another program")
        if found[1] > FORMAT:
            raise NewerFormat(self.path, found[1], FORMAT)
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        with self.alone() as db:
            if not db.pragma("user_version"):
                if db.execute("SELECT count(*) FROM sqlite_schema").get:
                    raise NotAMemory(self.path, "it is an SQLite file of another program")
                db.execute(_SCHEMA)
                db.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={FORMAT}")

    @contextmanager
    def alone(self) -> Iterator[apsw.Connection]:
        """One transaction that no other thread, worker or command writes beside."""
        with self._lock, translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with self._lock, translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: tuple[Any, ...] = ()) -> Any:  # Any: a row, or None
        """The first row of what a query gives, None where there is none."""
        return next(iter(self.rows(sql, values)), None)

    def version(self) -> int:
        """A number that changes when another connection has written."""
        with self._lock, translated(self.path):
            found: int = self._connection.pragma("data_version")
            return found

    def fold(self) -> None:
        """Put the log into the file and empty it: what was deleted is in neither."""
        with self._lock, translated(self.path):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
