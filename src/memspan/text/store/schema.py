"""The file's format: tables, their checksums' seeds and the way from each released format to this one.

Only `turn`, `record`, `source`, `link`, `state`, `change`, `job`, `tombstone` and `setting` are truth.
`unit` and `vector` are derived: `rebuild` makes them anew from `turn`.
A scope is a column of every table, and the first column of every index that serves a query.
"""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import apsw

FORMAT = 2
APPLICATION_ID = 0x6D73706E  # "mspn"
PAGE_BYTES = 4096

# Short words on purpose: the header and this list must fit the first page, so that doctor can put them back.
TABLES = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT, crc INT) STRICT, WITHOUT ROWID;
CREATE TABLE scope (key INTEGER PRIMARY KEY, path TEXT UNIQUE, crc INT) STRICT;
CREATE TABLE turn (seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INT NOT NULL REFERENCES scope, id TEXT NOT NULL,
session TEXT, speaker TEXT, role INT, at REAL, seen_at REAL, text TEXT NOT NULL, meta TEXT, crc INT,
UNIQUE (scope, id)) STRICT;
CREATE INDEX turn_of_scope ON turn (scope);
CREATE TABLE unit (scope INT, turn INT REFERENCES turn, bag BLOB, head TEXT, marks INT, chars INT, slot INT, value INT,
crc INT, PRIMARY KEY (scope, turn)) STRICT, WITHOUT ROWID;
CREATE TABLE embedder (key INTEGER PRIMARY KEY, fingerprint TEXT UNIQUE, name TEXT, dim INT, crc INT) STRICT;
CREATE TABLE vector (scope INT, embedder INT REFERENCES embedder, turn INT REFERENCES turn, half BLOB, crc INT,
PRIMARY KEY (scope, embedder, turn)) STRICT, WITHOUT ROWID;
CREATE TABLE record (seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INT NOT NULL REFERENCES scope, id TEXT NOT NULL,
kind TEXT, text TEXT NOT NULL, keys TEXT, entities TEXT, valid_from REAL, valid_to REAL, recorded_at REAL,
confidence REAL, trust REAL, strength REAL, recipe TEXT, payload TEXT, crc INT, UNIQUE (scope, id)) STRICT;
CREATE TABLE source (scope INT, record INT REFERENCES record, turn INT REFERENCES turn,
PRIMARY KEY (scope, record, turn)) STRICT, WITHOUT ROWID;
CREATE INDEX source_of_turn ON source (scope, turn);
CREATE TABLE link (seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INT NOT NULL, source TEXT, kind TEXT, target TEXT,
weight REAL, retired INT, crc INT, UNIQUE (scope, source, kind, target)) STRICT;
CREATE INDEX link_of_target ON link (scope, target);
CREATE TABLE state (scope INT, kind INT, item INT, status TEXT, valid_to REAL, retired_at REAL, heir TEXT, pinned INT,
held INT, expire_at REAL, uses INT, used_at REAL, crc INT, PRIMARY KEY (scope, kind, item)) STRICT, WITHOUT ROWID;
CREATE INDEX state_of_heir ON state (scope, heir) WHERE heir IS NOT NULL;
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INT NOT NULL REFERENCES scope, operation INT, at REAL,
verb TEXT, op TEXT, kind TEXT, first INT, last INT, body TEXT, crc INT) STRICT;
CREATE INDEX change_of_scope ON change (scope, kind, first);
CREATE TABLE job (id TEXT, scope INT REFERENCES scope, kind TEXT, state TEXT, payload TEXT, made_at REAL,
PRIMARY KEY (scope, id)) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (scope INT REFERENCES scope, digest BLOB, at REAL, PRIMARY KEY (scope, digest)) STRICT,
WITHOUT ROWID;
"""

DERIVED = ("unit", "vector")


def _to_2(connection: apsw.Connection) -> None:
    """States, numbered operations and statements come in; a record's status and uses move into its state."""
    old: dict[str, list[Any]] = {  # Any: SQLite's own types
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()
        for name in ("unit", "record", "link", "change")
    }
    sources: dict[int, list[int]] = {}
    for record, turn in connection.execute("SELECT record, turn FROM source ORDER BY record, turn"):
        sources.setdefault(record, []).append(turn)
    kept = connection.execute("SELECT scope, record, turn FROM source").fetchall()
    numbers = connection.execute("SELECT name, seq FROM sqlite_sequence WHERE name IN ('record', 'change')").fetchall()
    for name in ("source", *old):
        connection.execute(f"DROP TABLE {name}")
    connection.execute("".join(f"{part};" for part in TABLES.split(";\n") if _is_new(part)))
    for scope, turn, bag, head, marks, chars, _ in old["unit"]:
        _insert(connection, "unit", scope, turn, bag, head, marks, chars, None, None)
    for row in old["record"]:
        *born, _, confidence, trust, strength, uses, status, recipe, payload, _ = row
        columns = (*born, confidence, trust, strength, recipe, payload)
        _insert(connection, "record", *columns, also=tuple(sources.get(row[0], ())))
        if status != "active" or uses:
            _insert(connection, "state", row[1], 1, row[0], status, None, row[10], None, 0, 0, None, uses, None)
    connection.executemany("INSERT INTO source (scope, record, turn) VALUES (?, ?, ?)", kept)
    for number, (scope, source, kind, target, weight, _) in enumerate(old["link"], start=1):
        _insert(connection, "link", number, scope, source, kind, target, weight, 0)
    for seq, scope, at, op, kind, first, last, _ in old["change"]:
        if kind != "link":  # format 1 did not number links
            _insert(connection, "change", seq, scope, seq, at, "remember", op, kind, first, last, None)
    connection.execute("DELETE FROM sqlite_sequence WHERE name IN ('record', 'change')")
    connection.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", numbers)


def _is_new(statement: str) -> bool:
    tables = ("unit", "record", "source", "link", "state", "change")
    return any(f"TABLE {name} (" in statement or f" ON {name} (" in statement for name in tables)


def _insert(connection: apsw.Connection, table: str, *columns: object, also: tuple[int, ...] = ()) -> None:
    """A row with its checksum last. also: what the checksum covers beside the columns"""
    crc = crc32(repr((*columns, *also)).encode())
    places = ",".join("?" * (len(columns) + 1))
    connection.execute(f"INSERT INTO {table} VALUES ({places})", (*columns, crc))


# format n -> a function that takes the file to n + 1, inside one transaction
MIGRATIONS: dict[int, Callable[[apsw.Connection], None]] = {1: _to_2}


def create(connection: apsw.Connection) -> None:
    """All tables of the present format; the caller holds the transaction."""
    connection.execute(TABLES)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")


def migrate(connection: apsw.Connection, found: int) -> None:
    """Take a file of format `found` to the present one; the caller holds the transaction."""
    for step in range(found, FORMAT):
        MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version={step + 1}")
