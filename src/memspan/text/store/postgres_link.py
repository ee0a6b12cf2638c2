"""Connections to a PostgreSQL server: how values travel, what is asked of a connection, a few kept open to be lent.

What the server and psycopg raise leaves here as our own errors, without the values of the statement and without a
password.
"""

import os
import re
import struct
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from sys import byteorder
from time import monotonic
from typing import Any

import psycopg
from psycopg import Connection, errors, pq
from psycopg.adapt import Dumper, Loader
from psycopg.types.numeric import Int8Dumper

from memspan.core.errors import (
    ClosedStore,
    DamagedFile,
    DiskFull,
    MemspanError,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
)
from memspan.core.places import Server
from memspan.text.store.rows import Half
from memspan.text.store.sql import Numbered

BUSY_S = 20.0
MOST_OPEN = 8
IDLE_S = 120.0
STATEMENT_MS = 60_000
_SCAN_ROWS = 4096
_WORDS = re.compile(r"'[^']*'|::|\?|:([a-z]\w*)|%")


@lru_cache(maxsize=1000)
def spoken(sql: str) -> bytes:
    """The statement with psycopg's placeholders.

    >>> spoken("SELECT '%?' FROM a WHERE b = ?::int AND c = :d")
    b"SELECT '%%?' FROM a WHERE b = %s::int AND c = %(d)s"
    """

    def said(found: re.Match[str]) -> str:
        if found[1]:
            return f"%({found[1]})s"
        return "%s" if found[0] == "?" else found[0].replace("%", "%%")

    return _WORDS.sub(said, sql).encode()


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise our own errors for what psycopg raises inside."""
    try:
        yield
    except psycopg.Error as why:
        raise _ours(place, why) from None


def _ours(place: str, why: psycopg.Error) -> MemspanError:
    said = why.diag.message_primary or str(why).strip().split("\n")[-1] or type(why).__name__
    if isinstance(why, errors.DiskFull | errors.OutOfMemory):
        return DiskFull(place)
    if isinstance(why, errors.LockNotAvailable | errors.DeadlockDetected | errors.TooManyConnections):
        return StoreBusy(place, BUSY_S)
    if isinstance(why, errors.QueryCanceled):
        return StoreError(place, f"{said} (limit: {STATEMENT_MS / 1000:g} s a statement); nothing was stored")
    if isinstance(why, errors.ReadOnlySqlTransaction):
        return ReadOnlyStore(place)
    if isinstance(why, errors.InsufficientPrivilege):
        return StoreError(place, f"{said}; this role lacks a right there")
    if isinstance(why, errors.DataCorrupted | errors.IndexCorrupted):
        return DamagedFile(place, said)
    return StoreError(place, f"{said}; what was acknowledged before is safe")


# -- values


def _swapped(raw: bytes) -> bytes:
    """Halves with their two bytes turned round, where this machine has the other order than the wire."""
    if byteorder == "big":
        return raw
    halves = array("H", raw)
    halves.byteswap()
    return halves.tobytes()


class _HalfLoader(Loader):
    """halfvec -> float16 bytes, little endian."""

    format = pq.Format.BINARY

    def load(self, data: Any) -> bytes:  # Any: psycopg's Buffer
        return _swapped(bytes(data)[4:])


def _half_dumper(type_id: int) -> type[Dumper]:
    class HalfDumper(Dumper):
        """Float16 bytes, little endian -> halfvec."""

        format = pq.Format.BINARY
        oid = type_id

        def dump(self, obj: Half) -> bytes:
            return struct.pack(">HH", len(obj) // 2, 0) + _swapped(obj)

    return HalfDumper


class Rows:
    """The rows of one statement, all of them here."""

    def __init__(self, found: list[Any]) -> None:
        self._rest = iter(found)

    @property
    def get(self) -> Any:
        """The only column of the only row, None where there is no row."""
        row = next(self._rest, None)
        return None if row is None else row[0]

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        return next(self._rest, None)

    def fetchall(self) -> Any:
        """All rows that are left."""
        return list(self._rest)

    def __iter__(self) -> Iterator[Any]:
        return self._rest


class Session:
    """What the store asks of a connection (sql.py), inside one transaction.

    counters: the last numbers of the scope written in; what was taken is in `taken`
    """

    in_order = ""

    def __init__(self, connection: Connection[Any], scope: str, counters: dict[str, int] | None = None) -> None:
        self.scope, self.counters = scope, counters
        self.taken: dict[str, int] = {}
        self._connection, self._changes = connection, 0

    def execute(self, sql: str, values: Any = (), /) -> Rows:
        """Run one statement."""
        cursor = self._connection.execute(spoken(sql), values or None, binary=True)
        if cursor.description is None:
            self._changes += max(cursor.rowcount, 0)
            return Rows([])
        return Rows(cursor.fetchall())

    def executemany(self, sql: str, rows: Any, /) -> None:
        """Run one statement with each of the rows of values, in one go."""
        with self._connection.cursor() as cursor:
            cursor.executemany(spoken(sql), rows)
            self._changes += max(cursor.rowcount, 0)

    def stream(self, sql: str, values: Any, /) -> Iterator[Any]:
        """The rows of a query, some thousands at a time."""
        with self._connection.cursor(name="stream", binary=True) as cursor:
            cursor.itersize = _SCAN_ROWS
            cursor.execute(spoken(sql), values)
            yield from cursor

    def total_changes(self) -> int:
        """How many rows this transaction has inserted, updated or deleted so far."""
        return self._changes

    def last_seq(self, table: Numbered, scope: int) -> int:
        """The highest number given in the scope."""
        if self.counters is None:
            found: int | None = self.execute(f"SELECT {table} FROM scope WHERE key = ?", (scope,)).get
            return found or 0
        return self.counters[table]

    def took(self, table: Numbered, scope: int, last: int) -> None:
        """Say that numbers up to this one are taken."""
        assert self.counters is not None
        if last != self.counters[table]:
            self.counters[table] = self.taken[table] = last


# -- connections


class Pool:
    """A few connections to one server, opened when they are needed and lent to one thread each.

    options: of the session, by name. Why it is ours: docs/decisions/0014-postgres.md
    """

    def __init__(self, server: Server, options: dict[str, str]) -> None:
        self._server, self._options = server, options
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._free: list[tuple[float, Connection[Any]]] = []
        self._seats = threading.BoundedSemaphore(MOST_OPEN)
        self._users = 0
        self.closed = False

    def check(self) -> None:
        """Raises ClosedStore where the pool was closed or comes from before a fork."""
        if os.getpid() != self._pid:
            raise ClosedStore(str(self._server), "was opened before this process was forked; open it anew in the child")
        if self.closed:
            raise ClosedStore(str(self._server), "was closed; open it again")

    def take(self) -> Connection[Any]:
        """A connection that no other thread has; it may have died since it was used."""
        self.check()
        if not self._seats.acquire(timeout=BUSY_S):
            raise StoreBusy(str(self._server), BUSY_S)
        try:
            with self._lock:
                if self._free:
                    return self._free.pop()[1]
            return self.connect()
        except BaseException:
            self._seats.release()
            raise

    def give_back(self, connection: Connection[Any]) -> None:
        """Keep it for the next one who needs it, unless something is wrong with it; let go of what nobody uses."""
        idle = connection.info.transaction_status == pq.TransactionStatus.IDLE and not connection.closed
        now = monotonic()
        with self._lock:
            keep = idle and not self.closed
            if keep:
                self._free.append((now, connection))
            stale = [old for since, old in self._free if now - since > IDLE_S]
            self._free = [(since, old) for since, old in self._free if now - since <= IDLE_S]
        for old in stale if keep else [*stale, connection]:
            old.close()
        self._seats.release()

    def connect(self) -> Connection[Any]:
        """A new connection, made ready. Raises what psycopg raises."""
        options = {"application_name": "memspan", "connect_timeout": "10"}
        connection = psycopg.connect(self._server.url, autocommit=True, **options)  # type: ignore[arg-type]
        try:
            for name, value in self._options.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            make_ready(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close all that nobody has at the moment; the others are closed when they are given back."""
        with self._lock:
            self.closed = True
            free, self._free = self._free, []
        if os.getpid() == self._pid:
            for _, connection in free:
                connection.close()


def make_ready(connection: Connection[Any]) -> None:
    """Teach a connection how vectors and numbers travel; vectors only where the server knows them by now."""
    connection.adapters.register_dumper(int, Int8Dumper)  # else a statement is planned anew for every width
    row = connection.execute("SELECT to_regtype('halfvec')::oid").fetchone()
    if row is not None and row[0] is not None:
        connection.adapters.register_loader(row[0], _HalfLoader)
        connection.adapters.register_dumper(Half, _half_dumper(row[0]))


@contextmanager
def limits(connection: Connection[Any], *, statement_ms: int, lock_ms: int) -> Iterator[None]:
    """Other limits of time for a while [ms], 0 = none."""
    query = "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)"
    connection.execute(query, (str(statement_ms), str(lock_ms)))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(query, (str(STATEMENT_MS), str(int(BUSY_S * 1000))))


_pools: dict[tuple[Server, tuple[tuple[str, str], ...]], Pool] = {}
_pools_lock = threading.Lock()


def shared(server: Server, *, durable: bool) -> Pool:
    """The pool of a server, the same for all who have it open in this process; give it back with `leave`."""
    options = {
        "search_path": "memspan, public",
        "jit": "off",
        "statement_timeout": str(STATEMENT_MS),
        "lock_timeout": str(int(BUSY_S * 1000)),
        "idle_in_transaction_session_timeout": str(5 * STATEMENT_MS),
        "synchronous_commit": "on" if durable else "off",
    }
    key = server, tuple(options.items())
    with _pools_lock:
        pool = _pools.get(key)
        if pool is None or pool.closed or pool._pid != os.getpid():
            pool = _pools[key] = Pool(server, options)
        pool._users += 1
        return pool


def leave(pool: Pool) -> None:
    """Whoever took it with `shared` needs it no more; the last one closes it."""
    with _pools_lock:
        pool._users -= 1
        if pool._users <= 0:
            pool.close()
            for key in [key for key, kept in _pools.items() if kept is pool]:
                del _pools[key]
