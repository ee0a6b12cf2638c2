"""Two real servers: a scope lies on one of them, which one is a hash of its name, and moving it is one command."""

from contextlib import closing
from hashlib import blake2b

import pytest
from tests.postgres.server import OWNER, Server, missing

from memspan import Memory, Turn, load
from memspan.doors.memories import Memories
from memspan.text.store.migrate import migrate
from memspan.text.store.opening import open_store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]
EMBEDDERS = [load("embed", "hashing")()]
SCOPES = [f"acme/user{number}" for number in range(24)]


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """Databases of two server processes that know nothing of each other."""
    servers = [Server(f"{tmp_path_factory.getbasetemp().name}-{number}") for number in range(2)]
    for server in servers:
        server.prepare()
    yield [server.url(server.database("shard"), OWNER) for server in servers]
    for server in servers:
        server._server.cleanup()


def shard_of(scope, urls):
    """As docs/scale.md shows it."""
    return urls[int.from_bytes(blake2b(scope.encode(), digest_size=8).digest(), "big") % len(urls)]


def opened(url, scope):
    return Memory(url, scope=scope, embedders=EMBEDDERS)


def scopes_at(url):
    with closing(open_store(url, read_only=True)) as store:
        return set(store.scopes())


def test_scopes_are_dealt_out_and_one_can_be_moved(urls):
    """Each scope is whole on one server and nowhere else; a moved one answers the same from its new place."""
    memories = Memories(lambda scope: opened(shard_of(scope, urls), scope), most=4)
    for number, scope in enumerate(SCOPES):
        with memories.of(scope) as memory:
            memory.remember([Turn(f"note {n} of {number}", session="s") for n in range(5)])
    for number, scope in enumerate(SCOPES):
        with memories.of(scope) as memory:
            assert [hit.text for hit in memory.recall("note", limit=5, tokens=None)] != []
            assert {turn.text for turn in memory.turns()} == {f"note {n} of {number}" for n in range(5)}
    memories.close()
    there = [scopes_at(url) for url in urls]
    assert there[0] | there[1] == set(SCOPES) and not there[0] & there[1]
    assert min(map(len, there)) > 4

    wanted = min(there[0])
    with opened(urls[0], wanted) as memory:
        before = list(memory.turns()), [(hit.id, hit.score) for hit in memory.recall("note 3")]
    with closing(open_store(urls[0], read_only=True)) as here, closing(open_store(urls[1])) as other:
        assert migrate(here, other, [wanted]).rows["turn"] == 5
    with opened(urls[1], wanted) as memory:
        assert (list(memory.turns()), [(hit.id, hit.score) for hit in memory.recall("note 3")]) == before
        with opened(urls[0], wanted) as old:
            old.forget(everything=True)
        assert memory.stats().turns == 5
