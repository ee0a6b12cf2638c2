"""The store, whatever lies under it: an append-only log of turns, what is derived from it, one transaction per change.

The SQL here and in the modules of rows is the same on SQLite and PostgreSQL (sql.py); what differs is in sqlite.py and
postgres.py. Every method takes the scope it works in.
"""

import secrets
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from memspan.core.changes import Change, Patch, State
from memspan.core.errors import DamagedFile, UnknownId
from memspan.core.protocols import Embedder
from memspan.core.records import Link, Record, Turn
from memspan.text.store import patching, record_rows, rows, state_rows, tombstones, turn_rows
from memspan.text.store.change_rows import Operation
from memspan.text.store.rows import Derived, TurnRow, UnitRow
from memspan.text.store.sql import Connection

Item = TypeVar("Item")
TOMBSTONES = "tombstones"
_BATCH = 1000
_LAST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one scope. vectors: rows by embedder key"""

    turns: int
    sessions: int
    first_at: float | None
    last_at: float | None
    records: int
    vectors: dict[int, int]


class Store(ABC):
    """A place where memory lies, open.

    path: of the file, or the server without its password;  read_only: whether writing is refused
    not_covered: what forgetting does not reach here;  broken: what the engine raises in the middle of damaged rows
    fold_error: what went wrong when the log was folded into the file, "" = nothing
    """

    path: Path | str
    read_only: bool
    not_covered: str
    broken: tuple[type[Exception], ...] = ()
    fold_error: str = ""
    _secret: bytes | None = None

    @abstractmethod
    def close(self) -> None:
        """Let go; closing twice is fine."""

    @abstractmethod
    def connection(self, scope: str = "") -> AbstractContextManager[Connection]:
        """A connection for reads, for one thread at a time; errors leave as ours. scope: "" = of no scope"""

    @abstractmethod
    def transaction(self, scope: str = "") -> AbstractContextManager[Connection]:
        """One transaction, on the medium when it ends (durability "power"); one writer of a scope at a time."""

    @abstractmethod
    def snapshot(self, scope: str = "") -> AbstractContextManager[Connection]:
        """One consistent view for several reads."""

    def reading(self, scope: str) -> AbstractContextManager[object]:
        """Many small reads come: a store that pays for each transaction makes them one."""
        return nullcontext()

    @abstractmethod
    def erasing(self, scope: str) -> AbstractContextManager[Connection]:
        """The transaction that takes rows of several tables away."""

    @abstractmethod
    def make_real(self, scope: str, jobs: Sequence[tuple[int, str]], wait_ms: int) -> bool:
        """Make the bytes of what was erased unreadable, then delete those jobs; False while a reader is in the way.

        jobs: (scope, id);  wait_ms: how long to wait for readers and writers to leave [ms]
        """

    @abstractmethod
    def version(self, scope: str) -> int:
        """Changes whenever another connection has written in the scope."""

    @abstractmethod
    def scopes(self) -> list[str]:
        """All scopes, in the order they were made, for maintenance; a memory shows only its own."""

    @abstractmethod
    def problems(self, connection: Connection) -> Iterator[tuple[str, str, str]]:
        """(table, key, what) of everything the engine itself finds wrong with what this connection sees."""

    @abstractmethod
    def parts(self, scope: str) -> Sequence[str]:
        """The scopes to look at one after the other to see all there is, or all of one scope; "" = all at once."""

    @abstractmethod
    def size(self) -> int:
        """What all of it takes on disk [bytes]."""

    @abstractmethod
    def _scope_key(self, connection: Connection, scope: str, *, make: bool) -> int | None:
        """The number a scope has here; None where nothing was ever written in it and it may not be made."""

    # -- writing

    def apply(
        self,
        scope: str,
        changes: Sequence[Change],
        derived: Sequence[Derived | None],
        embedders: Sequence[int],
        now: float,
        *,
        verb: str,
        again: bool = False,
    ) -> turn_rows.Applied:
        """Put all changes on disk in one transaction, one operation of the log, or none.

        derived: one per change, None but for turns;  embedders: keys, one per vector of a Derived
        verb: the call this is;  again: learn what was forgotten here once more
        Raises DuplicateId where an id is taken by a turn with other content, UnknownId where a source is not there.
        """
        turns = [change.item for change in changes if isinstance(change.item, Turn)]
        parts = [part for change, part in zip(changes, derived, strict=True) if isinstance(change.item, Turn)]
        secret = self.secret()
        with self.transaction(scope) as connection:
            key = self.make_scope_key(connection, scope)
            operation = Operation(connection, key, verb, now)
            hasher = self.hasher(connection, scope, secret, key)
            if again:
                both = [digest(turn) for turn in turns for digest in (hasher.wide, hasher.near)]
                tombstones.lift(connection, key, both)
            buried = frozenset() if again else tombstones.buried(connection, key, hasher, turns)
            applied = turn_rows.add(connection, key, turns, parts, embedders, buried)
            if applied.added:
                operation.row("add", "turn", applied.added[0][0], applied.added[-1][0])
            patching.revive(connection, key, applied.known, operation, self.path)
            record_rows.add(connection, key, _of(Record, changes, "add"), operation)
            record_rows.renew(connection, key, _of(Record, changes, "renew"), operation, self.path)
            record_rows.add_links(connection, key, _of(Link, changes), operation)
            patching.patch(connection, key, _of(Patch, changes), operation, self.path, applied.refused)
        return applied

    def put_derived(
        self, scope: str, entries: Sequence[tuple[int, Derived]], embedders: Sequence[int], *, units: bool
    ) -> None:
        """Write derived rows of turns that are there already. units: also words and marks, not only vectors"""
        with self.transaction(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            if key is None:
                return
            if units:
                connection.executemany(turn_rows.UNIT, (rows.unit_row(key, seq, part) for seq, part in entries))
            connection.executemany(turn_rows.VECTOR, turn_rows.vector_rows(key, entries, embedders))

    def embedder_key(self, embedder: Embedder, *, make: bool) -> int | None:
        """The number this place gives an embedder, by its fingerprint; None where it has none and may not be made."""
        find = "SELECT key FROM embedder WHERE fingerprint = ?"
        with self.connection() as connection:
            found: int | None = connection.execute(find, (embedder.fingerprint,)).get
        if found is not None or not make:
            return found
        columns = (embedder.fingerprint, embedder.name, embedder.dim)
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO embedder (fingerprint, name, dim, crc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*columns, rows.checksum(*columns)),
            )
            made: int = connection.execute(find, (embedder.fingerprint,)).get
        return made

    def drop_vectors(self, scope: str, keep: Sequence[int]) -> int:
        """Remove the vectors of other embedders than `keep`; how many went."""
        marks = turn_rows.marks(keep)
        with self.transaction(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            before = connection.total_changes()
            connection.execute(f"DELETE FROM vector WHERE scope = ? AND embedder NOT IN ({marks})", (key, *keep))
            return connection.total_changes() - before

    def set_setting(self, name: str, value: str, scope: str = "") -> None:
        """Keep a value under a name. scope: whose it is, "" = of all"""
        key = _setting_key(name, scope)
        with self.transaction(scope) as connection:
            connection.execute(_SET, (key, value, rows.checksum(key, value)))

    def _first_setting(self, name: str, value: str) -> str:
        """Write a setting unless it is there already; what the file has then."""
        with self.transaction() as connection:
            columns = (name, value, rows.checksum(name, value))
            connection.execute("INSERT INTO setting (key, value, crc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", columns)
            found: str = connection.execute("SELECT value FROM setting WHERE key = ?", (name,)).get
        return found

    # -- reading

    def secret(self) -> bytes:
        """Random bytes of this place, the same at every opening; a read-only empty file gives fresh ones."""
        if self._secret is None:
            if (found := self.setting("secret")) is None:
                found = secrets.token_hex(16)
                if not self.read_only:
                    found = self._first_setting("secret", found)
            self._secret = blake2b(found.encode(), digest_size=16).digest()
        return self._secret

    def hasher(self, connection: Connection, scope: str, secret: bytes, key: int) -> tombstones.Hasher:
        """What makes the tombstones of a scope; one that was moved here goes on with the key of where it came from.

        secret, key: of this place, and the scope's number in it
        """
        find = "SELECT value FROM setting WHERE key = ?"
        moved: str | None = connection.execute(find, (_setting_key(TOMBSTONES, scope),)).get
        return tombstones.Hasher(secret, key, bytes.fromhex(moved) if moved else None)

    def setting(self, name: str, scope: str = "") -> str | None:
        """What was kept under a name, None where nothing was. scope: whose it is, "" = of all"""
        with self.connection(scope) as connection:
            find = "SELECT value FROM setting WHERE key = ?"
            value: str | None = connection.execute(find, (_setting_key(name, scope),)).get
            return value

    def make_scope_key(self, connection: Connection, scope: str) -> int:
        """The number this place gives a scope, given now where it has none; the caller holds the transaction."""
        key = self._scope_key(connection, scope, make=True)
        assert key is not None
        return key

    def scope_key(self, scope: str) -> int | None:
        """The number this place gives a scope; None where nothing was ever written in it."""
        with self.connection(scope) as connection:
            return self._scope_key(connection, scope, make=False)

    def known(self, scope: str, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are in this scope already."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            if key is None:
                return set()
            return {
                row[0]
                for some in turn_rows.batches(ids)
                for row in connection.execute(_KNOWN.format(turn_rows.marks(some)), (key, *some))
            }

    def get(self, scope: str, wanted: str) -> Turn:
        """Raises UnknownId where the scope has no such turn, DamagedFile where its checksum fails."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = f"SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = ? AND id = ?"
            row: Any = connection.execute(query, (key, wanted)).fetchone()
            if row is None:
                raise UnknownId(wanted)
            return self._verified(row, scope)

    def item(self, scope: str, wanted: str) -> tuple[Turn | Record, State]:
        """The turn or record with that id, and its state. Raises UnknownId, or DamagedFile where a checksum fails."""
        with self.snapshot(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            kind, seq = state_rows.find(connection, key, wanted)
            assert key is not None
            state = state_rows.read(connection, key, kind, seq, self.path)
            if kind == "record":
                return record_rows.get(connection, key, seq, self.path), state
            return self.get(scope, wanted), state

    def fetch(self, scope: str, seqs: Sequence[int]) -> dict[int, Turn]:
        """Turns by seq, each verified against its checksum; a broken one is left out and reported as a warning."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            found: dict[int, Turn] = {}
            for some in turn_rows.batches(seqs):
                query = f"SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = ? AND seq IN ({turn_rows.marks(some)})"
                for row in connection.execute(query, (key, *some)):
                    if rows.intact(row):
                        found[row[0]] = rows.turn_of(row, scope)
                    else:
                        warnings.warn(str(DamagedFile(self.path, f"turn {row[0]} fails its checksum")), stacklevel=4)
            return found

    def turns(
        self, scope: str, session: str | None = None, *, after: str = "", newest: bool = False, batch: int = _BATCH
    ) -> Iterator[Turn]:
        """All turns in the order they were written, or backwards; each verified.

        after: the id of a turn, to begin behind it. Raises UnknownId where the scope has no such turn.
        """
        start = self._seq_of(scope, after) if after else _LAST_SEQ if newest else 0
        while found := self._turns_after(scope, session, start, newest=newest, most=batch):
            for row in found:
                yield self._verified(row, scope)
            start = found[-1][0]

    def _seq_of(self, scope: str, wanted: str) -> int:
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            found: int | None = connection.execute("SELECT seq FROM turn WHERE scope = ? AND id = ?", (key, wanted)).get
            if found is None:
                raise UnknownId(wanted)
            return found

    def _turns_after(
        self, scope: str, session: str | None, after: int, *, newest: bool = False, most: int = _BATCH
    ) -> list[Any]:  # Any: the engine's own types
        side, order = ("<", "DESC") if newest else (">", "ASC")
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = (
                f"SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = :scope AND seq {side} :after"
                f" AND (session = :session OR :session IS NULL) ORDER BY seq {order} LIMIT :most"
            )
            asked = {"scope": key, "after": after, "session": session, "most": most}
            return list(connection.execute(query, asked))

    def records(self, scope: str, kind: str | None = None) -> list[Record]:
        """All records of a scope, or those of a kind, oldest first. Raises DamagedFile where a checksum fails."""
        with self.snapshot(scope) as connection:
            return record_rows.read(connection, self._scope_key(connection, scope, make=False), self.path, kind)

    def links(self, scope: str, kind: str | None = None) -> list[Link]:
        """All links of a scope, or those of a kind, sorted. Raises DamagedFile where a checksum fails."""
        with self.snapshot(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            return record_rows.read_links(connection, key, self.path, kind)

    def scan(self, scope: str, after: int) -> Iterator[UnitRow]:
        """What the index needs of each turn with seq > after; the caller holds a snapshot."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            yield from connection.stream(_SCAN, (key, after))

    def halves(self, scope: str, embedder: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """(seq, float16 vector) of each turn from seq `first` to `last` that has one, ascending."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = "SELECT turn, half FROM vector WHERE scope = ? AND embedder = ? AND turn BETWEEN ? AND ?"
            return list(connection.execute(query, (key, embedder, first, last)))

    def halves_of(self, scope: str, embedder: int, seqs: Sequence[int]) -> list[tuple[int, bytes]]:
        """(seq, float16 vector) of those of the turns that have one."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = "SELECT turn, half FROM vector WHERE scope = ? AND embedder = ? AND turn IN ({})"
            found: list[Any] = []
            for some in turn_rows.batches(seqs):
                found += connection.execute(query.format(turn_rows.marks(some)), (key, embedder, *some)).fetchall()
            return found

    def without_vector(self, scope: str, embedder: int, most: int) -> list[tuple[int, Turn]]:
        """Up to `most` turns that this embedder has not seen, oldest first."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            found: list[Any] = connection.execute(_WITHOUT, (key, key, embedder, most)).fetchall()
        return [(row[0], self._verified(row, scope)) for row in found]

    def any_without(self, scope: str, embedder: int) -> bool:
        """True where the scope has turns and not one has a vector of this embedder."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = (
                "SELECT EXISTS (SELECT 1 FROM turn WHERE scope = :scope) AND NOT EXISTS"
                " (SELECT 1 FROM vector WHERE scope = :scope AND embedder = :embedder)"
            )
            return bool(connection.execute(query, {"scope": key, "embedder": embedder}).get)

    def numbered(self, scope: str, after: int) -> list[tuple[int, Turn]]:
        """(seq, turn) of up to 1,000 turns past a seq, each verified."""
        return [(row[0], self._verified(row, scope)) for row in self._turns_after(scope, None, after)]

    def counts(self, scope: str) -> Counts:
        """How much there is; counted from the tables."""
        with self.snapshot(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            turns: Any = connection.execute(_COUNTS, (key,)).fetchone()
            records: int = connection.execute("SELECT count(*) FROM record WHERE scope = ?", (key,)).get
            vectors: Any = connection.execute(
                "SELECT embedder, count(*) FROM vector WHERE scope = ? GROUP BY 1", (key,)
            ).fetchall()
            return Counts(turns[0], turns[1], turns[2], turns[3], records, dict(vectors))

    def sessions(self, scope: str) -> list[str]:
        """Session names in the order they began."""
        with self.connection(scope) as connection:
            key = self._scope_key(connection, scope, make=False)
            query = "SELECT session FROM turn WHERE scope = ? GROUP BY session ORDER BY min(seq)"
            return [row[0] for row in connection.execute(query, (key,))]

    def _verified(self, row: TurnRow, scope: str) -> Turn:
        if not rows.intact(row):
            raise DamagedFile(self.path, f"turn {row[2]!r} fails its checksum")
        return rows.turn_of(row, scope)


_SCAN = """
SELECT turn.seq, session, speaker, role, at, bag, head, marks, chars, seen_at, slot, value FROM turn
LEFT JOIN unit ON unit.scope = turn.scope AND unit.turn = turn.seq
WHERE turn.scope = ? AND seq > ? ORDER BY seq
"""
_WITHOUT = f"""
SELECT {rows.TURN_COLUMNS} FROM turn WHERE scope = ?
AND seq NOT IN (SELECT turn FROM vector WHERE scope = ? AND embedder = ?) ORDER BY seq LIMIT ?
"""
_COUNTS = "SELECT count(*), count(DISTINCT session), min(at), max(at) FROM turn WHERE scope = ?"
_KNOWN = "SELECT id FROM turn WHERE scope = ? AND id IN ({})"


_SET = rows.upsert("setting", "key, value, crc", "key")


def _setting_key(name: str, scope: str) -> str:
    return f"{name}/{scope}" if scope else name


def _of(kind: type[Item], changes: Sequence[Change], op: str | None = None) -> list[Item]:
    return [change.item for change in changes if isinstance(change.item, kind) and op in (None, change.op)]
