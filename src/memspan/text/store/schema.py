"""The file's format: tables, their checksums' seeds and the way from each released format to this one.

Only `turn`, `record`, `source`, `link`, `change`, `job`, `tombstone` and `setting` are truth.
`unit` and `vector` are derived: `rebuild` makes them anew from `turn`.
A scope is a column of every table, and the first column of every index that serves a query.
"""

from collections.abc import Callable

import apsw

FORMAT = 1
APPLICATION_ID = 0x6D73706E  # "mspn"
PAGE_BYTES = 4096

TABLES = """
CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE scope (key INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, crc INTEGER NOT NULL) STRICT;
CREATE TABLE turn (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INTEGER NOT NULL REFERENCES scope, id TEXT NOT NULL,
    session TEXT NOT NULL, speaker TEXT NOT NULL, role INTEGER NOT NULL, at REAL, seen_at REAL NOT NULL,
    text TEXT NOT NULL, meta TEXT, crc INTEGER NOT NULL, UNIQUE (scope, id)
) STRICT;
CREATE INDEX turn_of_scope ON turn (scope);
CREATE TABLE unit (
    scope INTEGER NOT NULL, turn INTEGER NOT NULL REFERENCES turn, bag BLOB NOT NULL, head TEXT,
    marks INTEGER NOT NULL, chars INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (scope, turn)
) STRICT, WITHOUT ROWID;
CREATE TABLE embedder (
    key INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, name TEXT NOT NULL, dim INTEGER NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
CREATE TABLE vector (
    scope INTEGER NOT NULL, embedder INTEGER NOT NULL REFERENCES embedder, turn INTEGER NOT NULL REFERENCES turn,
    half BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (scope, embedder, turn)
) STRICT, WITHOUT ROWID;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INTEGER NOT NULL REFERENCES scope, id TEXT NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, keys TEXT NOT NULL, entities TEXT NOT NULL, valid_from REAL, valid_to REAL,
    recorded_at REAL NOT NULL, retired_at REAL, confidence REAL NOT NULL, trust REAL NOT NULL, strength REAL NOT NULL,
    uses INTEGER NOT NULL, status TEXT NOT NULL, recipe TEXT NOT NULL, payload TEXT, crc INTEGER NOT NULL,
    UNIQUE (scope, id)
) STRICT;
CREATE TABLE source (
    scope INTEGER NOT NULL, record INTEGER NOT NULL REFERENCES record, turn INTEGER NOT NULL REFERENCES turn,
    PRIMARY KEY (scope, record, turn)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_of_turn ON source (scope, turn);
CREATE TABLE link (
    scope INTEGER NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, weight REAL NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY (scope, source, kind, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, scope INTEGER NOT NULL REFERENCES scope, at REAL NOT NULL, op TEXT NOT NULL,
    kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, crc INTEGER NOT NULL
) STRICT;
CREATE INDEX change_of_scope ON change (scope);
CREATE TABLE job (
    id TEXT NOT NULL, scope INTEGER NOT NULL REFERENCES scope, kind TEXT NOT NULL, state TEXT NOT NULL, payload TEXT,
    made_at REAL NOT NULL, PRIMARY KEY (scope, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (
    scope INTEGER NOT NULL REFERENCES scope, digest BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (scope, digest)
) STRICT, WITHOUT ROWID;
"""

DERIVED = ("unit", "vector")

# format n -> a function that takes the file to n + 1, inside one transaction
MIGRATIONS: dict[int, Callable[[apsw.Connection], None]] = {}


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
