"""Care: find what is damaged, save what can be read.

`check` reads every row and its checksum. `repair` copies every readable row into a new file and keeps the damaged
one beside it; nothing is ever deleted.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from memspan.core.errors import DamagedFile, NotAMemory, StoreError, WrongKey
from memspan.core.protocols import Progress
from memspan.text.store import record_rows, rows, schema
from memspan.text.store.connection import check_key, keyed, translated
from memspan.text.store.sql import Connection
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.store import Store

Row = tuple[Any, ...]  # Any: SQLite's own types
Key = str | bytes | None


def _sound_vector(row: Row) -> bool:
    return isinstance(row[3], bytes) and rows.vector_crc(*row[:4]) == row[4]


_CHECKED: tuple[tuple[str, str, Callable[[Row], bool]], ...] = (
    ("setting", "key, value, crc", rows.intact),
    ("scope", "path, crc", rows.intact),
    ("turn", rows.TURN_COLUMNS, rows.intact),
    ("unit", "scope, turn, bag, head, marks, chars, slot, value, crc", rows.intact),
    ("embedder", "fingerprint, name, dim, crc", rows.intact),
    ("vector", "scope, embedder, turn, half, crc", _sound_vector),
    ("link", "seq, scope, source, kind, target, weight, retired, crc", rows.intact),
    (
        "state",
        "scope, kind, item, status, valid_to, retired_at, heir, pinned, held, expire_at, uses, used_at, crc",
        rows.intact,
    ),
    ("change", "seq, scope, operation, at, verb, op, kind, first, last, body, crc", rows.intact),
)
_COPIED = (
    *("setting", "scope", "turn", "unit", "embedder", "vector", "record", "source", "link", "state", "change"),
    *("job", "tombstone"),
)
_BY_ROWID = frozenset(("scope", "turn", "embedder", "record", "link", "change"))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found wrong. table, key: where;  what: in words;  repairable: whether rebuild mends it"""

    table: str
    key: str
    what: str
    repairable: bool


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of a check. checked: rows read, by table"""

    problems: tuple[Problem, ...]
    checked: dict[str, int]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Repair:
    """The outcome of a repair.

    new_path: the sound file, in the old place;  quarantined_path: the damaged one, beside it

    saved: turns in the new file;  lost: ids (or row numbers) of turns that could not be read
    renamed: scopes whose name was lost, by the name they have now
    """

    new_path: Path
    quarantined_path: Path
    saved: int
    lost: tuple[str, ...]
    renamed: tuple[str, ...]


def check(store: Store, scope: str = "") -> Health:
    """Every row against its checksum, and every turn against its index row.

    scope: on a server only this one, "" = all; a file is always read as a whole
    """
    problems: list[Problem] = []
    checked: Counter[str] = Counter()
    for part in store.parts(scope):
        with store.snapshot(part) as connection:
            problems += (Problem(*found, repairable=False) for found in store.problems(connection))
            for table, columns, good in _CHECKED:
                problems += _check_table(store, connection, table, columns, good, checked)
            problems += _check_records(store, connection, checked)
            problems += _gaps(store, connection)
    return Health(tuple(problems), dict(checked))


def examine(path: Path, key: Key = None) -> Health:
    """Check a file that nobody needs to have open. Raises NotAMemory, NewerFormat, WrongKey or StoreError."""
    try:
        store = SqliteStore(path, read_only=True, key=key)
    except DamagedFile as why:
        return Health((Problem("file", "", why.why, False),), {})
    try:
        return check(store)
    except DamagedFile as why:
        return Health((Problem("file", "", why.why, False),), {})
    finally:
        store.close()


def _check_table(
    store: Store,
    connection: Connection,
    table: str,
    columns: str,
    good: Callable[[Row], bool],
    checked: Counter[str],
) -> Iterator[Problem]:
    derived = table in schema.DERIVED
    checked[table] += 0
    try:
        for row in connection.execute(f"SELECT {columns} FROM {table}"):
            checked[table] += 1
            if not good(row):
                yield Problem(table, _key(table, row), "fails its checksum", derived)
    except store.broken as why:
        yield Problem(table, "", f"cannot be read to its end ({why})", derived)


def _check_records(store: Store, connection: Connection, checked: Counter[str]) -> Iterator[Problem]:
    checked["record"] += 0
    try:
        for row in connection.execute(f"SELECT {record_rows.COLUMNS} FROM record"):
            checked["record"] += 1
            cited = connection.execute(
                "SELECT turn FROM source WHERE scope = ? AND record = ? ORDER BY turn", row[1::-1]
            )
            if rows.checksum(*row[:-1], *(turn for (turn,) in cited)) != row[-1]:
                yield Problem("record", str(row[2]), "fails its checksum", False)
    except store.broken as why:
        yield Problem("record", "", f"cannot be read to its end ({why})", False)


def _key(table: str, row: Row) -> str:
    place = {"turn": 2, "unit": 1, "vector": 2}.get(table, 0)
    return str(row[place])


def _gaps(store: Store, connection: Connection) -> Iterator[Problem]:
    for query, what, repairable in (
        ("SELECT id FROM turn LEFT JOIN unit ON unit.scope = turn.scope AND unit.turn = seq WHERE unit.turn IS NULL",
         "is not in the index", True),
        (f"SELECT turn FROM unit WHERE {_NO_TURN.format('unit')}", "is indexed but not there", True),
        (f"SELECT turn FROM source WHERE {_NO_TURN.format('source')}", "is cited but not there", False),
        ("SELECT id FROM turn WHERE scope NOT IN (SELECT key FROM scope)", "belongs to no scope", False),
    ):  # fmt: skip
        try:
            for (key,) in connection.execute(query):
                yield Problem("turn", str(key), what, repairable)
        except store.broken as why:
            yield Problem("turn", "", f"cannot be compared with its index ({why})", repairable)


_NO_TURN = "NOT EXISTS (SELECT 1 FROM turn WHERE turn.scope = {0}.scope AND turn.seq = {0}.turn)"


def repair(path: Path, progress: Progress | None = None, key: Key = None) -> Repair:
    """Copy every readable row into a new file in its place; the damaged file stays beside it under another name.

    Nobody else may have the file open. Raises NotAMemory where not even one table can be found, WrongKey (also where
    the first page of an encrypted file is damaged: nothing can be read without it) or StoreError.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    work, fresh, kept = (path.with_name(f"{path.name}.{what}-{stamp}") for what in ("copy", "new", "damaged"))
    try:
        with translated(path):
            _copy(path, work, key)
            lost, renamed = _salvage(work, fresh, progress, key)
    except BaseException:
        _remove(fresh)
        raise
    finally:
        _remove(work)
    saved = _count(fresh, key)
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            os.replace(f"{path}{suffix}", f"{kept}{suffix}")
    _remove(path)  # only the lock file -shm is left of it, and it holds no data
    os.replace(fresh, path)
    return Repair(path, kept, saved, lost, renamed)


def _copy(path: Path, work: Path, key: Key) -> None:
    check_key(path, key is not None)
    shutil.copyfile(path, work)
    if Path(f"{path}-wal").exists():
        shutil.copyfile(f"{path}-wal", f"{work}-wal")
    if _opens(work, key):
        return
    if key is not None:
        raise WrongKey(path, "the key does not open it, or its first page is damaged and takes all others with it")
    _mend_first_page(work)


def _opens(work: Path, key: Key) -> bool:
    """Whether SQLite can read the header and the list of tables; folds the log in on the way."""
    try:
        connection = keyed(work, key)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")} >= set(_COPIED)
        finally:
            connection.close()
    except (apsw.Error, UnicodeDecodeError):
        return False


def _mend_first_page(work: Path) -> None:
    """Put the header and the list of tables of a healthy file there: both fit the first page and never move."""
    connection = apsw.Connection(":memory:")
    connection.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
    schema.create(connection)
    page = bytearray(connection.serialize("main")[: schema.PAGE_BYTES])
    page[28:32] = (work.stat().st_size // schema.PAGE_BYTES).to_bytes(4, "big")
    with work.open("r+b") as file:
        file.write(page)


def _salvage(work: Path, fresh: Path, progress: Progress | None, key: Key) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copy what can be read; ids of lost turns, new names of scopes that lost theirs."""
    damaged = keyed(work, key)
    try:
        damaged.execute("PRAGMA cell_size_check=ON")
        tables = _tables(damaged, work)
        SqliteStore(fresh, key=key).close()
        new = keyed(fresh, key)
        try:
            new.execute("PRAGMA foreign_keys=OFF; BEGIN")
            for table in _COPIED:
                if table in tables:
                    _copy_table(damaged, new, table, progress)
            renamed = _adopt(new)
            lost = _lost(damaged, new)
            new.execute("DELETE FROM unit WHERE turn NOT IN (SELECT seq FROM turn)")
            new.execute("DELETE FROM vector WHERE turn NOT IN (SELECT seq FROM turn)")
            new.execute("COMMIT")
        finally:
            new.close()
        return lost, renamed
    finally:
        damaged.close()


def _adopt(new: apsw.Connection) -> tuple[str, ...]:
    """Give turns whose scope's name was lost one to be found under: recovered-1, recovered-2, ..."""
    query = "SELECT DISTINCT scope FROM turn WHERE scope NOT IN (SELECT key FROM scope)"
    found: list[Row] = new.execute(query).fetchall()
    orphans = {key: f"recovered-{key}" for (key,) in found}
    for key, path in orphans.items():
        new.execute("INSERT INTO scope (key, path, crc) VALUES (?, ?, ?)", (key, path, rows.checksum(path)))
    return tuple(orphans.values())


def _tables(connection: apsw.Connection, path: Path) -> set[str]:
    try:
        found = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError) as why:
        raise StoreError(path, f"not one table of it can be read ({why}); it was left as it is") from None
    if "turn" not in found:
        raise NotAMemory(path, "it has no table of turns")
    return found


def _copy_table(damaged: apsw.Connection, new: apsw.Connection, table: str, progress: Progress | None) -> None:
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    insert = f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(columns))})"
    good = {name: (names, test) for name, names, test in _CHECKED}.get(table)
    for done, row in enumerate(_readable(damaged, table), start=1):
        if good is not None:
            named = dict(zip(columns, row, strict=True))
            if not good[1](tuple(named[name] for name in good[0].split(", "))):
                continue
        try:
            new.execute(insert, row)
        except (apsw.ConstraintError, apsw.MismatchError):
            continue  # not a row this table could ever have held
        if progress is not None and table == "turn":
            progress(done, 0)


def _readable(connection: apsw.Connection, table: str) -> Iterator[Row]:
    """Rows from the front to the first damage, from the back to the last, and one by one between them."""
    key = "rowid" if table in _BY_ROWID else None
    first = last = None
    try:
        for row in connection.execute(f"SELECT {key or 1}, * FROM {table}"):
            first = row[0]
            yield row[1:]
        return
    except (apsw.CorruptError, UnicodeDecodeError):
        pass
    if key is None:
        return
    try:
        for row in connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid DESC"):
            last = row[0]
            if first is not None and last <= first:
                return
            yield row[1:]
    except (apsw.CorruptError, UnicodeDecodeError):
        pass
    for rowid in range((first or 0) + 1, last or _highest(connection, table) + 1):
        try:
            yield from connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (rowid,))
        except (apsw.CorruptError, UnicodeDecodeError):
            continue


def _highest(connection: apsw.Connection, table: str) -> int:
    try:
        return connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).get or 0
    except apsw.CorruptError:
        return 0


def _lost(damaged: apsw.Connection, new: apsw.Connection) -> tuple[str, ...]:
    """Turns the damaged file's indexes know and the new file lacks."""
    saved = {seq for (seq,) in new.execute("SELECT seq FROM turn")}
    known: dict[int, str] = {}
    for query in (
        "SELECT turn, 'turn ' || turn FROM unit",
        "SELECT rowid, id FROM turn INDEXED BY sqlite_autoindex_turn_1 WHERE scope > -1",
    ):
        try:
            known.update(damaged.execute(query))
        except (apsw.CorruptError, apsw.SQLError, UnicodeDecodeError):
            continue
    return tuple(str(known[seq]) for seq in sorted(seq for seq in known if isinstance(seq, int)) if seq not in saved)


def _count(path: Path, key: Key) -> int:
    connection = keyed(path, key)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        count: int = connection.execute("SELECT count(*) FROM turn").get
        return count
    finally:
        connection.close()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
