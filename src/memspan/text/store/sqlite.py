"""The store on one SQLite file. Many processes may read and write one file; one writes at a time."""

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from memspan.core.errors import ClosedStore, StoreBusy, StoreError
from memspan.text.store import rows, schema, wash
from memspan.text.store.connection import BUSY_S, Durability, File, connect, translated
from memspan.text.store.sql import Connection
from memspan.text.store.store import Store

CHECKPOINT_BYTES = 4_000_000
CLOSE_WAIT_MS = 200


class StrangerWarning(UserWarning):
    """Another SQLite library or process removed our write-ahead log; nothing was lost, the file was reopened."""


class SqliteStore(Store):
    """One open memory file.

    path: made where it does not exist;  durability: "power" syncs each commit to the medium, "process" leaves that
    to the system (a power cut may lose the last commits, a killed process loses nothing)
    key: of an encrypted file
    Raises NotAMemory, NewerFormat, DamagedFile, WrongKey, MissingExtra, ReadOnlyStore, StoreBusy or StoreError.
    """

    path: Path
    broken = (apsw.CorruptError, UnicodeDecodeError)
    not_covered = "exports, branches, damaged copies of before, backups, other scopes, blocks the medium has remapped"

    def __init__(
        self, path: Path, *, durability: Durability = "power", read_only: bool = False, key: str | bytes | None = None
    ) -> None:
        self.path, self.durability, self.read_only, self.key = path, durability, read_only, key
        self._wal = f"{path}-wal"
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._scopes: dict[str, int] = {}
        self._wal_pages = 0
        self._open()

    def _open(self) -> None:
        self._connection: File | None = connect(
            self.path, read_only=self.read_only, durability=self.durability, key=self.key
        )
        self._connection.set_wal_hook(self._grown)
        self._inode = os.stat(self.path).st_ino
        self._wal_inode = _inode(self._wal)

    def _grown(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def close(self) -> None:
        """Fold the log into the file and let go; closing twice is fine."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None or os.getpid() != self._pid:
                return
            with translated(self.path):
                try:
                    if not self.read_only:
                        connection.set_busy_timeout(CLOSE_WAIT_MS)
                        self._fold(connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
                finally:
                    connection.close()

    @contextmanager
    def connection(self, scope: str = "") -> Iterator[File]:
        """The connection, for one thread at a time; errors leave as ours."""
        if os.getpid() != self._pid:
            raise ClosedStore(self.path, "was opened before this process was forked; open it anew in the child")
        with self._lock, translated(self.path):
            if self._connection is None:
                raise ClosedStore(self.path, "was closed; open it again")
            yield self._connection

    @contextmanager
    def transaction(self, scope: str = "") -> Iterator[File]:
        """One transaction, on the medium when it ends (durability "power")."""
        with self.connection() as connection:
            self._still_ours()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            self._guard(connection)

    @contextmanager
    def snapshot(self, scope: str = "") -> Iterator[File]:
        """One consistent view for several reads."""
        with self.connection() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

    def _still_ours(self) -> None:
        """Refuse to write into a file that was replaced under us."""
        if _inode(self.path) != self._inode:
            raise StoreError(self.path, "was moved or replaced while open; nothing was written. Open it again")

    def _guard(self, connection: apsw.Connection) -> None:
        """After a commit: if a stranger took our log away, save the commit into the file before it is acknowledged."""
        try:
            stat = os.stat(self._wal)
        except FileNotFoundError:
            stat = None
        if stat is not None and (self._wal_inode is None or stat.st_ino == self._wal_inode):
            self._wal_inode = stat.st_ino
            if self._wal_pages * schema.PAGE_BYTES > CHECKPOINT_BYTES:
                self._fold(connection, apsw.SQLITE_CHECKPOINT_PASSIVE)
            return
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        connection.close()
        self._open()
        warnings.warn(
            f"{self.path}: another program removed the write-ahead log; everything was saved and the file reopened. "
            "Do not open a memory file with another SQLite library while it is in use",
            StrangerWarning,
            stacklevel=6,
        )

    def _fold(self, connection: apsw.Connection, mode: int) -> None:
        """Fold the log into the file. What is in the log is safe, so a failure is kept for `check`, not raised."""
        try:
            connection.wal_checkpoint(mode=mode)
            self.fold_error = ""
        except apsw.Error as why:
            self.fold_error = str(why)

    @contextmanager
    def erasing(self, scope: str) -> Iterator[File]:
        """A transaction without SQLite's check of references, which reads all units, vectors and sources for every
        turn that goes.
        """
        with self.connection() as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            try:
                with self.transaction() as connection:
                    yield connection
            finally:
                with suppress(ClosedStore), self.connection() as connection:
                    connection.execute("PRAGMA foreign_keys=ON")

    def make_real(self, scope: str, jobs: Sequence[tuple[int, str]], wait_ms: int) -> bool:
        """Fold, truncate and sync the log and wash the file, so that nothing forgotten is left."""
        with self.connection() as connection:
            connection.set_busy_timeout(wait_ms)
            try:
                return self._wash(connection, jobs)
            except (apsw.BusyError, apsw.LockedError, StoreBusy):
                return False
            finally:
                connection.set_busy_timeout(int(BUSY_S * 1000))

    def _wash(self, connection: File, jobs: Sequence[tuple[int, str]]) -> bool:
        """Raises a busy error of SQLite or ours while another connection is in the way."""
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        washable = wash.washable(connection.filename)
        if not washable:
            wash.rewrite(connection)
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.execute("PRAGMA shrink_memory")  # no page image from before the washing may be written back after it
        log = Path(self._wal)
        with self.transaction() as connection:
            if log.exists() and log.stat().st_size:  # somebody wrote since
                return False
            if washable:
                wash.wash(connection.filename)
            _sync(log)
            connection.executemany("DELETE FROM job WHERE scope = ? AND id = ?", jobs)
        return True

    def version(self, scope: str) -> int:
        """Changes whenever another connection has changed the file, in whichever scope."""
        with self.connection() as connection:
            return int(connection.pragma("data_version"))

    def scopes(self) -> list[str]:
        """All scopes of the file, for maintenance; a memory shows only its own."""
        with self.connection() as connection:
            return [row[0] for row in connection.execute("SELECT path FROM scope ORDER BY key")]

    def problems(self, connection: Connection) -> Iterator[tuple[str, str, str]]:
        """What could not be folded, what SQLite's own check says, and a lost counter."""
        if self.fold_error:
            yield "file", "", f"the log could not be folded into the file: {self.fold_error}"
        try:
            for (message,) in connection.execute("PRAGMA integrity_check(100)"):
                if message != "ok":
                    yield "file", "", str(message)
        except apsw.CorruptError as why:
            yield "file", "", str(why)
        try:
            counters = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_sequence")}
            if "turn" not in counters and connection.execute("SELECT EXISTS (SELECT 1 FROM turn)").get:
                yield "sqlite_sequence", "turn", "the counter of turns is lost"
        except self.broken as why:
            yield "sqlite_sequence", "", f"cannot be read ({why})"

    def parts(self, scope: str) -> Sequence[str]:
        """The whole file at once, whichever the scope."""
        return ("",)

    def size(self) -> int:
        """What the file and its log take on disk [bytes]."""
        return sum(os.stat(path).st_size for path in (self.path, self._wal) if _inode(path) is not None)

    def _scope_key(self, connection: Connection, scope: str, *, make: bool) -> int | None:
        if scope in self._scopes:
            return self._scopes[scope]
        if make:
            columns = (scope, rows.checksum(scope))
            connection.execute("INSERT INTO scope (path, crc) VALUES (?, ?) ON CONFLICT DO NOTHING", columns)
        key: int | None = connection.execute("SELECT key FROM scope WHERE path = ?", (scope,)).get
        if key is not None and not make:  # a key made in a transaction is kept only after it committed
            self._scopes[scope] = key
        return key


def _inode(path: str | Path) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
