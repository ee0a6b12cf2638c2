"""`memspan migrate`: what it says, and what it refuses."""

import json

import pytest
from click.testing import CliRunner
from tests.postgres import server as postgres

from memspan import Memory, Turn, load
from memspan.doors.cli.main import cli

EMBEDDERS = [load("embed", "hashing")()]


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "one.mem"
    for scope in ("alice", "bob"):
        with Memory(place, scope=scope, embedders=EMBEDDERS) as memory:
            memory.remember([Turn(f"note {n} of {scope}") for n in range(3)])
    return place


def run(*arguments):
    return CliRunner().invoke(cli, ["migrate", *map(str, arguments)])


def test_a_copy_is_counted_and_compared(file, tmp_path):
    """Both ways to say it: a table, and JSON with every count."""
    done = run(file, tmp_path / "two.mem")
    assert done.exit_code == 0, done.output
    assert "moved 2 scopes with 6 turns" in done.stdout and "are the same" in done.stdout
    told = json.loads(run(file, tmp_path / "three.mem", "--json", "-s", "bob").stdout)
    assert (told["scopes"], told["rows"]["turn"], told["resumed"]) == (["bob"], 3, False)
    assert told["verified"] == sum(told["rows"].values()) > 6
    with Memory(tmp_path / "two.mem", scope="bob", embedders=EMBEDDERS) as memory:
        assert [turn.text for turn in memory.turns()] == [f"note {n} of bob" for n in range(3)]


def test_what_cannot_be_is_refused(file, tmp_path):
    """No source, no such scope, a target that has it already: one line, and nothing is made or changed."""
    for arguments, said in (
        ((tmp_path / "none.mem", tmp_path / "two.mem"), "no memory at"),
        ((file, tmp_path / "two.mem", "-s", "carl"), "no scope 'carl'"),
        ((file, file), "already"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2 and said in done.stderr and done.stdout == ""
    with Memory(file, scope="alice", embedders=EMBEDDERS) as memory:
        assert memory.stats().turns == 3


@pytest.mark.slow
@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing() or "there")
def test_to_a_server_and_back(file, tmp_path, request):
    """With the places as a user writes them."""
    server = postgres.server()
    url = server.url(server.database(request.node.nodeid), postgres.OWNER)
    assert run(file, url).exit_code == 0
    assert run(url, tmp_path / "back.mem").exit_code == 0
    with Memory(tmp_path / "back.mem", scope="alice", embedders=EMBEDDERS) as memory:
        assert memory.stats().turns == 3
