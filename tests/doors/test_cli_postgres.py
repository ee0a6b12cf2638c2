"""The commands on a server: the same as on a file, and nobody reads the password off them."""

import json

import pytest
from click.testing import CliRunner, Result
from tests.postgres.server import OWNER, missing, server

from memspan.doors.cli.main import cli

if missing():
    pytest.skip(missing(), allow_module_level=True)

SECRET = "s3cr3t-w0rd"


@pytest.fixture
def url(tmp_path) -> str:
    """Of an empty memory, with a password that the server does not ask for."""
    made = server()
    return made.url(made.database(str(tmp_path)), f"{OWNER}:{SECRET}")


def memspan(url: str, *words: str) -> Result:
    """One command; the password is in none of what it says."""
    done = CliRunner().invoke(cli, words, env={"MEMSPAN_MEMORY": url})
    assert SECRET not in done.output + done.stderr + repr(done.exception)
    return done


def test_what_is_remembered_is_recalled_and_counted(url):
    """The place is named without its password."""
    assert memspan(url, "remember", "--text", "I moved to Lisbon.").exit_code == 0
    found = memspan(url, "recall", "Where do I live?", "--json")
    assert found.exit_code == 0 and "Lisbon" in found.stdout
    told = json.loads(memspan(url, "stats", "--json").stdout)
    assert told["turns"] == 1 and told["memory"] == url.replace(f":{SECRET}", "")


def test_what_needs_a_file_says_so(url):
    """A branch, a repair, a key: wrong use, and why."""
    assert memspan(url, "remember", "--text", "I moved to Lisbon.").exit_code == 0
    for words in (["branch", "trip"], ["doctor", "--repair"]):
        done = memspan(url, *words)
        assert done.exit_code == 2 and ("postgresql://" in done.stderr or "on a server" in done.stderr)
    assert memspan(url, "doctor").exit_code == 0


def test_an_unreadable_url_is_not_printed():
    """A password with a sign in it that belongs to URLs."""
    done = memspan(f"postgresql://ana:{SECRET}@x@nowhere/db", "stats")
    assert done.exit_code == 2 and "%40" in done.stderr


def test_a_server_that_is_not_there_is_named():
    """With its address."""
    done = memspan(f"postgresql://ana:{SECRET}@127.0.0.1:1/db", "stats")
    assert done.exit_code == 3 and "postgresql://ana@127.0.0.1:1/db" in done.stderr
