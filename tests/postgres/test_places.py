"""Where a memory lies, said in a URL: nothing that is printed holds a password."""

import pytest
from tests.conformance.stores import NOW, Postgres, fresh
from tests.postgres.server import server

from memspan import Memory
from memspan.core.errors import NewerFormat, NotAMemory, StoreError, UsageError
from memspan.core.places import Server, placed
from memspan.text.store import postgres_schema as schema
from memspan.text.store.opening import open_store

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ana:{SECRET}@h/d",
        f"postgres://ana:{SECRET}@h1:5432,h2:5433/d?sslmode=require",
        f"postgresql://ana@/d?host=/run/pg&password={SECRET}",
        f"postgresql://ana:{SECRET}@[::1]:5432/d",
    ],
)
def test_a_password_is_not_shown(url):
    """Neither printed nor in repr; it is in what opens the place."""
    place = placed(url)
    assert isinstance(place, Server) and place.url == url
    assert SECRET not in str(place) + repr(place) + repr([place]) + f"{place}"


@pytest.mark.parametrize("written", ["a@b", "12/b", "12?b", "a#b", "a%zz", "a%", "a b", "a%00", "a@b@c", "[a", "a]"])
def test_a_password_that_breaks_the_url_is_refused_unseen(written):
    """libpq would read part of it as a host and print it."""
    with pytest.raises(UsageError) as said:
        Server(f"postgresql://ana:{SECRET}{written}@h/d")
    assert SECRET not in str(said.value)


def test_no_error_of_a_connection_holds_the_password():
    """Where nobody listens, and where the name has no address."""
    for host in ("127.0.0.1:1", "no-such-host.invalid"):
        with pytest.raises(StoreError) as said:
            open_store(f"postgresql://ana:{SECRET}@{host}/d")
        assert SECRET not in str(said.value) + repr(said.value) and host.partition(":")[0] in str(said.value)


def test_what_needs_a_file_is_refused(place, tmp_path):
    """A key at once, branches when they are asked for."""
    with pytest.raises(UsageError, match="encrypt the disk"):
        Memory(place.place, scope="ana", key="k")
    with place.memory(lambda: NOW) as memory:
        for call in (lambda: memory.branch("trip"), lambda: memory.merge(tmp_path / "x.mem")):
            with pytest.raises(UsageError, match="memory files"):
                call()
        memory.remember("I moved to Lisbon.")
        assert memory.export(tmp_path / "out.jsonl") == 1
        assert "postgresql://" in repr(memory)


def test_a_later_format_and_a_stranger_are_refused(tmp_path):
    """As with files, and nothing is changed."""
    place = fresh(Postgres(), tmp_path)
    with place.server.admin(place.name) as connection:
        connection.execute("UPDATE memspan.format SET number = 99")
        with pytest.raises(NewerFormat):
            place.open()
        connection.execute("UPDATE memspan.format SET number = %s", (schema.FORMAT,))
    place.open().close()
    name = server().bare_database()
    with place.server.admin(name) as connection:
        connection.execute("CREATE SCHEMA memspan AUTHORIZATION memspan CREATE TABLE theirs (a INT)")
    with pytest.raises(NotAMemory):
        open_store(place.server.url(name, "memspan"))


def test_there_is_a_way_from_each_format_that_was_released():
    """The first one that a server had is that of the files then."""
    assert set(schema.MIGRATIONS) == set(range(schema.FIRST, schema.FORMAT))
