"""The store in a database of a PostgreSQL server.

Every transaction begins by saying which scope it is for; row-level security shows it nothing else
(postgres_schema.py). A writer begins by renewing the row of its scope, which holds the counters: so one scope has one
writer at a time, its numbers grow in the order of the commits, and a reader sees at one glance that it has to look
again. Nothing is shared between scopes but the settings and the embedders.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b
from time import monotonic, sleep
from typing import Any, Literal, LiteralString, get_args

import psycopg
from psycopg import errors, pq

from memspan.core.errors import ClosedStore, NewerFormat, NotAMemory, ReadOnlyStore, StoreError, UsageError
from memspan.core.places import Server
from memspan.text.store import postgres_schema as schema
from memspan.text.store import rows
from memspan.text.store.postgres_link import MOST_OPEN, Pool, Session, leave, limits, make_ready, shared, translated
from memspan.text.store.sql import Connection, Numbered
from memspan.text.store.store import Store

Raw = psycopg.Connection[Any]  # Any: a row of whatever the statement gives
_CREATING = 0x6D73706E  # the number all processes lock that make or migrate the tables
NUMBERED = get_args(Numbered)


class NoSecondWall(UserWarning):
    """The role may pass row-level security, so that only our own statements keep scopes apart."""


class PostgresStore(Store):
    """One open memory on a server.

    server: where;  durability: "power" = a commit waits for the server's disk; "process" = the server may lose the
    last half second where it crashes itself
    Raises NotAMemory, NewerFormat, ReadOnlyStore, StoreBusy or StoreError.
    """

    path: str
    not_covered = (
        "exports, backups, replicas, archived logs of the server, other scopes, and free space of the server's pages "
        "and log until it is written over"
    )

    def __init__(
        self, server: Server, *, durability: Literal["power", "process"] = "power", read_only: bool = False
    ) -> None:
        if durability not in ("power", "process"):
            raise UsageError(f"durability={durability!r}: must be 'power' or 'process'")
        self.server, self.path, self.read_only = server, str(server), read_only
        self._here = threading.local()
        self._pool: Pool = shared(server, durable=durability == "power")
        self._closed = False
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the server; closing twice is fine."""
        if not self._closed:
            self._closed = True
            leave(self._pool)

    # -- the tables

    def _prepare(self) -> None:
        with self._lent(lambda raw: raw.execute("SELECT 1")) as raw:
            found = schema.found(raw)
            if not self.read_only and (found is None or 0 < found < schema.FORMAT):
                found = self._create(raw)
            self._check_format(found)
            query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            row = raw.execute(query).fetchone()
        if row is not None and row[0]:
            warnings.warn(
                f"{self.path}: this role passes row-level security, so the second wall between scopes does not stand; "
                "use a role that is neither superuser nor BYPASSRLS (docs/how-to/postgres.md)",
                NoSecondWall,
                stacklevel=6,
            )

    def _create(self, raw: Raw) -> int | None:
        """Make the tables or migrate them, unless another process is doing so; the format that is there then."""
        with raw.transaction():
            raw.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATING,))
            if (found := schema.found(raw)) is not None:
                schema.migrate(raw, found)
            else:
                try:
                    schema.create(raw)
                except errors.InsufficientPrivilege as why:
                    raise StoreError(
                        self.path,
                        f"has no tables of memspan, and this role may not make them ({why.diag.message_primary}); let "
                        "an administrator run CREATE EXTENSION vector there, and make this role the database's owner",
                    ) from None
                except (errors.FeatureNotSupported, errors.UndefinedFile):
                    raise StoreError(self.path, "the server lacks pgvector 0.7 or later; install it there") from None
        make_ready(raw)
        return schema.found(raw)

    def _check_format(self, found: int | None) -> None:
        if found is None:
            raise StoreError(self.path, "has no tables of memspan yet; open it once without read_only")
        if found > schema.FORMAT:
            raise NewerFormat(self.path, found, schema.FORMAT)
        if not found:
            raise NotAMemory(self.path, "its schema memspan belongs to another program")
        if found < schema.FORMAT:
            raise StoreError(self.path, "is of an older format; open it once without read_only")

    # -- transactions

    @contextmanager
    def connection(self, scope: str = "") -> Iterator[Session]:
        """A connection for reads of one scope, and of what belongs to all."""
        with self.snapshot(scope) as session:
            yield session

    @contextmanager
    def snapshot(self, scope: str = "") -> Iterator[Session]:
        """One consistent view of one scope. Inside a transaction of this thread it is that one's."""
        if (begun := self._begun(scope)) is not None:
            with translated(self.path):
                yield begun
            return
        with self._lent(lambda raw: _start(raw, scope, _READ)) as raw, self._noted(Session(raw, scope)) as session:
            yield session

    def reading(self, scope: str) -> AbstractContextManager[object]:
        """One snapshot for all of them."""
        return self.snapshot(scope)

    @contextmanager
    def transaction(self, scope: str = "") -> Iterator[Session]:
        """One transaction of one scope, on the server's disk when it ends (durability "power").

        A second writer of the scope waits until it ends.
        """
        assert self._begun(scope) is None
        if self.read_only:
            raise ReadOnlyStore(self.path)
        counters: dict[str, int] = {}

        def begin(raw: Raw) -> None:
            counters.update(_start(raw, scope, _WRITE))

        with self._lent(begin) as raw:
            if scope and not counters:
                raise StoreError(self.path, f"scope {scope!r} has the number of another scope; give it another name")
            with self._noted(Session(raw, scope, counters)) as session:
                yield session
            self._commit(raw, session)

    erasing = transaction

    def _begun(self, scope: str) -> Session | None:
        """What this thread has begun."""
        begun: Session | None = getattr(self._here, "begun", None)
        assert begun is None or scope in ("", begun.scope), "a transaction is of one scope"
        return begun

    @contextmanager
    def _noted(self, session: Session) -> Iterator[Session]:
        self._here.begun = session
        try:
            yield session
        finally:
            self._here.begun = None

    @contextmanager
    def _lent(self, begin: Callable[[Raw], object]) -> Iterator[Raw]:
        """A connection on which a transaction was begun; what is not committed when this ends is taken back."""
        if self._closed:
            raise ClosedStore(self.path, "was closed; open it again")
        with translated(self.path):
            raw = self._living(begin)
            try:
                yield raw
            finally:
                if not raw.closed and raw.info.transaction_status != pq.TransactionStatus.IDLE:
                    with suppress(psycopg.Error):
                        raw.execute("ROLLBACK")
                self._pool.give_back(raw)

    def _living(self, begin: Callable[[Raw], object]) -> Raw:
        """A connection on which `begin` was done; those that have died since they were used are let go."""
        for left in range(MOST_OPEN, -1, -1):
            raw = self._pool.take()
            try:
                begin(raw)
                return raw
            except BaseException as why:
                dead = raw.closed or raw.broken
                if not dead:
                    with suppress(psycopg.Error):
                        raw.execute("ROLLBACK")
                self._pool.give_back(raw)
                if not (dead and left and isinstance(why, psycopg.OperationalError)):
                    raise
        raise AssertionError("the last try returns or raises")

    def _commit(self, raw: Raw, session: Session) -> None:
        """Raises StoreError where the server was lost meanwhile: then nobody knows whether it was stored."""
        try:
            with raw.pipeline():
                if session.taken:
                    columns = ", ".join(f"{name} = %s" for name in session.taken)
                    values = (*session.taken.values(), number_of(session.scope))
                    raw.execute(f"UPDATE scope SET {columns} WHERE key = %s".encode(), values)
                done = raw.execute("COMMIT")
        except psycopg.OperationalError as why:
            if not (raw.closed or raw.broken):
                raise
            raise StoreError(
                self.path, "the server was lost while it was storing; call again, what is there is not stored twice"
            ) from why
        assert done.statusmessage == "COMMIT", done.statusmessage

    # -- what is the server's own

    def _scope_key(self, connection: Connection, scope: str, *, make: bool) -> int:
        return number_of(scope)

    def version(self, scope: str) -> int:
        """Changes with every transaction that wrote in the scope."""
        looked: list[Any] = []  # Any: psycopg's row

        def look(raw: Raw) -> None:
            with raw.pipeline():
                raw.execute(_READ)
                _say(raw, scope)
                cursor = raw.execute("SELECT version FROM scope WHERE key = %s", (number_of(scope),))
                raw.execute("COMMIT")
            looked[:] = [cursor.fetchone()]

        with self._lent(look):
            return int(looked[0][0]) if looked[0] else 0

    def scopes(self) -> list[str]:
        """All scopes, in the order they were made, for maintenance; a memory shows only its own."""
        with self.snapshot() as session:
            session.execute("SELECT set_config('memspan.listing', 'on', true)")
            return [path for (path,) in session.execute("SELECT path FROM scope ORDER BY made, path")]

    def parts(self, scope: str) -> Sequence[str]:
        """One scope after the other."""
        return (scope,) if scope else self.scopes()

    def problems(self, connection: Connection) -> Iterator[tuple[str, str, str]]:
        """Counters that are behind what they count."""
        for table in NUMBERED:
            query = f"SELECT path FROM scope s WHERE {table} < (SELECT max(seq) FROM {table} WHERE scope = s.key)"
            for (path,) in connection.execute(query):
                yield "scope", path, f"the counter of {table}s is behind them"

    def size(self) -> int:
        """What all tables of memspan take on the server, of all scopes [bytes]."""
        with self.connection() as session:
            return int(session.execute(_SIZE).get)

    def make_real(self, scope: str, jobs: Sequence[tuple[int, str]], wait_ms: int) -> bool:
        """VACUUM the partitions of the scope until no dead row is left in them, which an old snapshot can prevent."""
        mine = [job for job in jobs if job[0] == number_of(scope)]
        last = monotonic() + wait_ms / 1000
        with self._lent(lambda raw: None) as raw:
            tables = _partitions(raw, scope)
            while not _vacuumed(raw, tables, wait_ms):
                if monotonic() > last:
                    return False
                sleep(0.05)
        with self.transaction(scope) as session:
            session.executemany("DELETE FROM job WHERE scope = ? AND id = ?", mine)
        return True


def number_of(scope: str) -> int:
    """The number of a scope, the same on every server: 63 bits of a hash of its path.

    >>> number_of("alice") == number_of("alice") != number_of("bob")
    True
    """
    return int.from_bytes(blake2b(scope.encode(), digest_size=8, person=b"memspan.scope").digest(), "big") >> 1


_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_SAY = "SELECT set_config('memspan.scope', %s, true), set_config('memspan.path', %s, true)"
_RENEW = f"""
INSERT INTO scope (key, path, crc, version) VALUES (%s, %s, %s, 1) ON CONFLICT (key)
DO UPDATE SET version = scope.version + 1 WHERE scope.path = excluded.path RETURNING {", ".join(NUMBERED)}
"""
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
WHERE relnamespace = to_regnamespace('memspan') AND relkind = 'r'
"""
_DEAD = """
SELECT sum(pg_stat_get_dead_tuples(oid) + pg_stat_get_dead_tuples(reltoastrelid)) FROM pg_class
WHERE oid = ANY(%s::regclass[]) AND current_setting('track_counts')::bool
"""


def _start(raw: Raw, scope: str, begin: LiteralString) -> dict[str, int]:
    """Begin a transaction of a scope, all in one journey; what its counters say, where it is written in."""
    with raw.pipeline():
        raw.execute(begin)
        _say(raw, scope)
        if not scope or begin == _READ:
            return {}
        cursor = raw.execute(_RENEW.encode(), (number_of(scope), scope, rows.checksum(scope)))
    found = cursor.fetchone()
    return dict(zip(NUMBERED, found, strict=True)) if found else {}


def _say(raw: Raw, scope: str) -> None:
    """Tell row-level security which scope this transaction is for."""
    raw.execute(_SAY, (str(number_of(scope)) if scope else "", scope))


def _partitions(raw: Raw, scope: str) -> list[str]:
    """Where the rows of a scope lie that forgetting takes away."""
    query = """SELECT n FROM generate_series(0, %s::int) n
    WHERE satisfies_hash_partition('turn'::regclass, %s::int, n, %s::bigint)"""
    found = raw.execute(query, (schema.PARTITIONS - 1, schema.PARTITIONS, number_of(scope))).fetchone()
    assert found is not None
    return [schema.partition(table, found[0]) for table in schema.FORGOTTEN]


def _vacuumed(raw: Raw, tables: list[str], wait_ms: int) -> bool:
    """Whether no row version is left that a statement could not see but a reader of pages could."""
    with limits(raw, statement_ms=0, lock_ms=max(wait_ms, 1)):
        try:
            raw.execute(f"VACUUM (TRUNCATE FALSE) {', '.join(tables)}".encode())
        except errors.LockNotAvailable:
            return False
        found = raw.execute(_DEAD, (tables,)).fetchone()
    return found is not None and found[0] == 0
