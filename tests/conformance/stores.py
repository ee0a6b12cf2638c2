"""The backends every store check runs on, and short words for what the checks do.

A new backend is one more entry of BACKENDS: it says why it cannot run here, if so, and makes a fresh place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import apsw
import pytest
from tests.postgres.server import OWNER, Server, missing, server

from memspan import Link, Memory, Record, Turn
from memspan.core import places
from memspan.core.changes import Change
from memspan.text.embed.hashing import Hashing
from memspan.text.index.entry import derive
from memspan.text.store.connection import keyed
from memspan.text.store.opening import open_store
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.store import Store
from memspan.text.store.turn_rows import Applied

NOW = 1_700_000_000.0
NO_CIPHER = "" if hasattr(apsw, "mc_version") else "apsw has no encryption here"


class Place(Protocol):
    """Where one store lies; it can be opened any number of times."""

    def open(self, *, read_only: bool = False) -> Store:
        """A store on what is there."""

    def memory(self, clock: Callable[[], float], scope: str = "ana") -> Memory:
        """A memory on what is there, with a small and fast embedder."""

    def elsewhere(self) -> "Place":
        """A place of the same kind where nothing was ever opened."""

    def image(self) -> bytes:
        """All that is kept, cells of deleted rows too, as somebody with the key sees it; no store is open."""

    def spoil(self, table: str, column: str, value: object) -> None:
        """Overwrite a column of all rows behind the store's back, checksums left as they are."""


class Backend(Protocol):
    """One way to keep a memory. name: of the test;  missing: why it cannot run here, "" = it can"""

    @property
    def name(self) -> str: ...

    @property
    def missing(self) -> str: ...

    def place(self, folder: Path) -> Place:
        """A fresh place, nothing in it."""


@dataclass(frozen=True)
class File:
    """A memory file."""

    path: Path
    key: str | None

    def open(self, *, read_only: bool = False) -> SqliteStore:
        return SqliteStore(self.path, durability="process", read_only=read_only, key=self.key)

    def memory(self, clock: Callable[[], float], scope: str = "ana") -> Memory:
        return Memory(self.path, scope=scope, clock=clock, embedders=[Hashing(16)], durability="process", key=self.key)

    def elsewhere(self) -> "File":
        return File(self.path.with_name("another.mem"), self.key)

    def image(self) -> bytes:
        connection = keyed(self.path, self.key)
        image: bytes = connection.serialize("main")
        connection.close()
        assert len(image) == self.path.stat().st_size and not Path(f"{self.path}-wal").exists()
        return image

    def spoil(self, table: str, column: str, value: object) -> None:
        connection = keyed(self.path, self.key)
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        connection.close()


@dataclass(frozen=True)
class Sqlite:
    """A file, plain or encrypted."""

    name: str
    key: str | None = None

    @property
    def missing(self) -> str:
        return NO_CIPHER if self.key else ""

    def place(self, folder: Path) -> File:
        return File(folder / "memory.mem", self.key)


@dataclass(frozen=True)
class Database:
    """A database of the tests' own server."""

    server: Server
    name: str

    @property
    def place(self) -> places.Server:
        return places.Server(self.server.url(self.name, OWNER))

    def open(self, *, read_only: bool = False) -> Store:
        return open_store(self.place, durability="process", read_only=read_only)

    def memory(self, clock: Callable[[], float], scope: str = "ana") -> Memory:
        return Memory(self.place, scope=scope, clock=clock, embedders=[Hashing(16)], durability="process")

    def elsewhere(self) -> "Database":
        return Database(self.server, self.server.bare_database())

    def image(self) -> bytes:
        return self.server.image(self.name)

    def spoil(self, table: str, column: str, value: object) -> None:
        with self.server.admin(self.name) as connection:
            connection.execute(f"UPDATE memspan.{table} SET {column} = %s", (value,))


@dataclass(frozen=True)
class Postgres:
    """A database of a PostgreSQL server that the tests start."""

    name: str = "postgres"

    @property
    def missing(self) -> str:
        return missing()

    def place(self, folder: Path) -> Database:
        return Database(server(), server().database(str(folder)))


def fresh(backend: Backend, folder: Path) -> Place:
    """A fresh place of a backend; the test is skipped where it cannot run here."""
    if backend.missing:
        pytest.skip(backend.missing)
    return backend.place(folder)


BACKENDS: tuple[Backend, ...] = (Sqlite("plain"), Sqlite("encrypted", "correct horse battery staple"), Postgres())


def turn(id: str, text: str = "", *, scope: str = "ana", session: str = "s", at: float | None = NOW) -> Turn:
    """A turn as `Memory` hands it to its store: nothing is left to fill in."""
    return Turn(text or f"text of {id}", id=id, scope=scope, session=session, speaker="Ana", at=at, seen_at=NOW)


def record(id: str, *sources: str) -> Record:
    """A record that cites turns."""
    return Record(id=id, kind="fact", text=f"fact {id}", sources=sources, keys=("k",), recorded_at=NOW)


def put(store: Store, *items: Turn | Record | Link, scope: str = "ana") -> Applied:
    """All items in one call, in one transaction."""
    return apply(store, [Change("add", item) for item in items], scope=scope)


def apply(store: Store, changes: Sequence[Change], *, scope: str = "ana", now: float = NOW) -> Applied:
    """All changes in one call, in one transaction."""
    parts = [derive([change.item], ())[0] if isinstance(change.item, Turn) else None for change in changes]
    return store.apply(scope, changes, parts, (), now, verb="remember")
