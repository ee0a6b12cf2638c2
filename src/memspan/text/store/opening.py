"""Opening what lies at a place: a file or a database of a server."""

from memspan.core.errors import MissingExtra, UsageError
from memspan.core.places import Place, Server, placed
from memspan.text.store.connection import Durability
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.store import Store


def open_store(
    place: Place, *, durability: Durability = "power", read_only: bool = False, key: str | bytes | None = None
) -> Store:
    """The store at a place. Raises UsageError, MissingExtra, or what the stores raise."""
    where = placed(place)
    if not isinstance(where, Server):
        return SqliteStore(where, durability=durability, read_only=read_only, key=key)
    if key is not None:
        raise UsageError("key: encrypts a memory file; on a server, encrypt the disk it writes to")
    try:
        from memspan.text.store.postgres import PostgresStore
    except ImportError as why:
        if (why.name or "").partition(".")[0] != "psycopg":
            raise
        raise MissingExtra("postgres", "a memory on a PostgreSQL server") from None
    return PostgresStore(where, durability=durability, read_only=read_only)
