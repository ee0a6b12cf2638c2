"""Opening the file: SQLite through apsw with the settings durability and safety need.

Each setting's reason stands in docs/decisions/0001-store.md, the cipher's in 0006-encryption.md.
What SQLite raises leaves here as our own errors; a key is in none of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

import apsw

from memspan.core.errors import (
    ClosedStore,
    DamagedFile,
    DiskFull,
    MissingExtra,
    NewerFormat,
    NotAMemory,
    ReadOnlyStore,
    StoreBusy,
    StoreError,
    UsageError,
    WrongKey,
)
from memspan.text.store import schema
from memspan.text.store.sql import Numbered

Durability = Literal["power", "process"]
BUSY_S = 20.0
CACHE_KIB = 16_384
_MAGIC = b"SQLite format 3\0"
_NO_ROOM = (apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMOPEN)  # the lock file -shm could not be made as large
_SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}
# all of it spelt out: another default in a later build must not lock anybody out
_CIPHER = ("cipher='aegis'", "algorithm='aegis-256'", "tcost=2", "mcost=19456", "pcost=1")
_PAGE_SHAPE = {16: schema.PAGE_BYTES.to_bytes(2, "big"), 20: b"\x40\x40\x20\x20"}  # stays legible, says how to read
_OLDEST = 3_051_003  # versions before it can damage a file (decision 0001); pyproject.toml guards the plain build only
_BUILD = "pip uninstall -y apsw && pip install --force-reinstall --no-deps apsw-sqlite3mc"


class File(apsw.Connection):
    """SQLite's connection, with what the store asks of any (sql.py)."""

    in_order = "NOT INDEXED"  # SQLite would rather take any index that begins with the scope, and sort all it finds

    def stream(self, sql: str, values: Any, /) -> Iterator[Any]:
        """The rows of a query, read as they are asked for."""
        return iter(self.execute(sql, values))

    def last_seq(self, table: Numbered, scope: int) -> int:
        """Of the counter and the rows: a damaged counter must not give a number twice."""
        query = f"SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0), {_HIGHEST.format(table)})"
        last: int = self.execute(query, (table,)).get
        return last

    def took(self, table: Numbered, scope: int, last: int) -> None:
        """Nothing: SQLite counts by itself."""


_HIGHEST = "coalesce((SELECT max(seq) FROM {}), 0)"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our own errors for what SQLite and the operating system raise inside."""
    try:
        yield
    except apsw.FullError:
        raise DiskFull(path) from None
    except (apsw.BusyError, apsw.LockedError):
        raise StoreBusy(path, BUSY_S) from None
    except (apsw.ReadOnlyError, apsw.PermissionsError, PermissionError):
        raise ReadOnlyStore(path) from None
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.MismatchError) as why:
        raise DamagedFile(path, str(why)) from why
    except (apsw.ConnectionClosedError, apsw.CursorClosedError):
        raise ClosedStore(path, "was closed; open it again") from None
    except UnicodeDecodeError as why:
        raise DamagedFile(path, f"a text in it is no UTF-8 any more: {why}") from why
    except apsw.IOError as why:
        if getattr(why, "extendedresult", 0) in _NO_ROOM:
            raise DiskFull(path) from None
        raise StoreError(path, f"{why}; what was acknowledged before is safe") from why
    except (apsw.CantOpenError, apsw.SQLError, apsw.ProtocolError) as why:
        raise StoreError(path, f"{why}; what was acknowledged before is safe") from why


def connect(path: Path, *, read_only: bool, durability: Durability, key: str | bytes | None = None) -> File:
    """A connection to a memory file of the present format; a new file is made where there is none.

    key: of an encrypted file; a new file is encrypted with it
    Raises NotAMemory, NewerFormat, DamagedFile, WrongKey, MissingExtra, ReadOnlyStore, StoreBusy or StoreError.
    """
    if durability not in _SYNCHRONOUS:
        raise UsageError(f"durability={durability!r}: must be 'power' or 'process'")
    secret = _secret(key)
    with translated(path):
        empty = _look(path, read_only, secret is not None)
        try:
            return _prepared(path, read_only, durability, secret)
        except apsw.NotADBError:
            if secret is None:
                raise
            if not empty:
                raise _does_not_open(path) from None
        try:  # another process made the file meanwhile: the salt that goes with the key is now to be read there
            return _prepared(path, read_only, durability, secret)
        except apsw.NotADBError:
            raise _does_not_open(path) from None


def _prepared(path: Path, read_only: bool, durability: Durability, secret: bytes | None) -> File:
    connection = _open(path, read_only, secret)
    try:
        _settle(connection)
        _check_format(connection, path, read_only)
        connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
    except BaseException:
        connection.close()
        raise
    return connection


def _head(path: Path) -> bytes:
    """The first bytes of the file, at most 100.

    Read through SQLite's own layer: closing a file of ours would drop the locks of all connections that this process
    has to it, and another process that closes would then remove the log under them.
    """
    file = apsw.VFSFile("", str(path.absolute()), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        return file.xRead(100, 0)
    finally:
        file.xClose()


def _sealed(head: bytes) -> bool:
    return not head.startswith(_MAGIC) and all(head[at : at + len(shape)] == shape for at, shape in _PAGE_SHAPE.items())


def _does_not_open(path: Path) -> WrongKey:
    return WrongKey(path, "the key does not open it (or, with the right key, its first page is damaged)")


def _secret(key: str | bytes | None) -> bytes | None:
    """The key as bytes. Raises UsageError, or MissingExtra where this SQLite has no cipher."""
    if key is None:
        return None
    if not isinstance(key, str | bytes):
        raise UsageError(f"key: must be text or bytes, not {type(key).__name__}")
    if not key:
        raise UsageError("key: is empty; leave it out for a memory that is not encrypted")
    secret = key if isinstance(key, bytes) else key.encode("utf-8", "replace")
    if isinstance(key, str) and secret.decode() != key:
        raise UsageError("key: holds a lone surrogate, which no UTF-8 can say; give it as bytes")
    if not hasattr(apsw, "mc_version") or apsw.SQLITE_VERSION_NUMBER < _OLDEST:
        needed = "an SQLite with ciphers, 3.51.3 or later, in the place of the plain one"
        raise MissingExtra("encrypt", f"a key needs {needed}", _BUILD)
    return secret


def keyed(name: Path | str, key: str | bytes | None, flags: int = apsw.SQLITE_OPEN_READWRITE) -> File:
    """A bare connection to a file, plain or encrypted; whether the key fits shows at the first read."""
    return _unlocked(File(str(name), flags=flags), _secret(key))


def _unlocked(connection: File, secret: bytes | None) -> File:
    """The connection, told the key before anything else is read."""
    if secret is None:
        return connection
    try:
        for parameter in _CIPHER:
            connection.execute(f"PRAGMA {parameter}").fetchall()
        told = connection.execute(f"PRAGMA hexkey='{secret.hex()}'", can_cache=False).fetchall() == [("ok",)]
    except apsw.Error:  # its trace holds the statement, and that holds the key
        told = False
    if not told:
        name = connection.filename
        connection.close()
        raise StoreError(name, "SQLite did not take the key; nothing was read or written")
    return connection


def _look(path: Path, read_only: bool, with_key: bool) -> bool:
    """Refuse what is plainly not ours before SQLite touches it, and make a new file private.

    True where there is nothing in it yet.
    """
    if path.is_dir():
        raise NotAMemory(path, "it is a directory")
    if not path.exists():
        if read_only:
            raise StoreError(path, "does not exist; read_only=True opens existing files only")
        _make_private(path)
        return True
    head = _head(path)
    if not head:
        return True
    if not head.strip(b"\0") and Path(f"{path}-journal").exists():
        return True  # its very first transaction was cut off; SQLite rolls it back
    check_key(path, with_key)
    if not head.startswith(_MAGIC) and not with_key:
        if head[68:72] == schema.APPLICATION_ID.to_bytes(4, "big"):
            raise DamagedFile(path, "its first bytes are broken")
        raise NotAMemory(path, "it does not look like an SQLite file")
    return False


def check_key(path: Path, with_key: bool) -> None:
    """Raises WrongKey where a key was given for a file that is not encrypted, or none for one that is."""
    head = _head(path)
    if with_key and head.startswith(_MAGIC):
        raise WrongKey(path, "it is not encrypted, but a key was given; open it without one")
    if with_key and not _sealed(head) and not Path(f"{path}-journal").exists():
        raise WrongKey(path, "it is no encrypted memory, or its first bytes are damaged")
    if _sealed(head) and not with_key:
        raise WrongKey(path, "it is encrypted; give its key: key=..., or MEMSPAN_KEY or --key-file of the commands")


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except FileNotFoundError:
        raise StoreError(path, "its directory does not exist; make it first") from None
    except OSError as why:
        if isinstance(why, PermissionError) or why.errno == 30:  # EROFS
            raise ReadOnlyStore(path) from None
        raise StoreError(path, why.strerror or str(why)) from why


def _open(path: Path, read_only: bool, secret: bytes | None) -> File:
    if not read_only:
        return _unlocked(File(str(path), flags=apsw.SQLITE_OPEN_READWRITE), secret)
    connection = _unlocked(File(str(path), flags=apsw.SQLITE_OPEN_READONLY), secret)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema")
        return connection
    except (apsw.CantOpenError, apsw.ReadOnlyError):  # the directory takes no lock file
        connection.close()
        wal = Path(f"{path}-wal")
        if wal.exists() and wal.stat().st_size:
            raise
    except apsw.Error:
        connection.close()
        raise
    quoted = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return _unlocked(File(f"file:{quoted}?immutable=1", flags=flags), secret)


def _settle(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(int(BUSY_S * 1000))
    for limit, most in (
        (apsw.SQLITE_LIMIT_LENGTH, 64_000_000),
        (apsw.SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (apsw.SQLITE_LIMIT_EXPR_DEPTH, 100),
        (apsw.SQLITE_LIMIT_ATTACHED, 0),
    ):
        connection.limit(limit, most)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    for pragma in (
        "secure_delete=ON",
        "wal_autocheckpoint=0",
        "mmap_size=0",
        f"cache_size=-{CACHE_KIB}",
        "temp_store=MEMORY",
        "fullfsync=ON",
        "checkpoint_fullfsync=ON",
        "foreign_keys=ON",
        "cell_size_check=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _check_format(connection: apsw.Connection, path: Path, read_only: bool) -> None:
    # tables first: another process may be making the file at this moment, and then the other two are there as well
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    found = connection.pragma("user_version")
    ours = connection.pragma("application_id") == schema.APPLICATION_ID
    if not ours and (found or tables):
        raise NotAMemory(path, "it is an SQLite file of another program")
    if found > schema.FORMAT:
        raise NewerFormat(path, found, schema.FORMAT)
    if read_only and found < schema.FORMAT:
        raise StoreError(path, "is empty or of an older format; open it once without read_only")
    if found < schema.FORMAT:
        _raise_format(connection)
    if not read_only:
        _log_ahead(connection)


def _log_ahead(connection: apsw.Connection) -> None:
    """Turn the write-ahead log on; SQLite does not wait here for others who do the same, so we do."""
    last = monotonic() + BUSY_S
    while connection.pragma("journal_mode") != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except apsw.BusyError:
            if monotonic() > last:
                raise
            sleep(0.01)


def _raise_format(connection: apsw.Connection) -> None:
    """Create or migrate in one transaction.

    EXTRA syncs the directory after the rollback journal is removed: with FULL a power cut could bring that journal
    back and roll the file back under the log that was written since (found by tests/faults/test_powercut.py).
    """
    connection.execute("PRAGMA synchronous=EXTRA")
    if not connection.pragma("user_version"):
        connection.execute(f"PRAGMA page_size={schema.PAGE_BYTES}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = connection.pragma("user_version")  # another process may have been first
        if not found:
            schema.create(connection)
        else:
            schema.migrate(connection, found)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
