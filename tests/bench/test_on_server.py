"""`memspan bench postgres` on a real server, small: the figures are there, the rows are gone, no password is kept."""

import json

import pytest
from click.testing import CliRunner
from tests.postgres.server import OWNER, missing, server

from memspan import Memory
from memspan.doors.cli.main import cli

if missing():
    pytest.skip(missing(), allow_module_level=True)


def test_a_server_is_measured_beside_a_file(tmp_path):
    """One size: both places answer alike, and the server's own search is timed."""
    made = server()
    url = made.url(made.database(str(tmp_path)), f"{OWNER}:s3cr3t")
    out, page = tmp_path / "out.json", tmp_path / "out.md"
    words = ["bench", "postgres", url, "--records", "60", "--asked", "30", "--told", "10", "--json", out, "--md", page]
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    [size] = json.loads(out.read_text())["sizes"]
    assert size["records"] == 60 and size["same_hits_and_scores"] is True
    assert size["own_search"]["hnsw_of_the_exact_best"] > 0.9
    assert all(size[place]["recall_ms_p50"] > 0 for place in ("file", "server"))
    assert "s3cr3t" not in out.read_text() + page.read_text() + done.output
    with Memory(url, scope="me") as memory:
        assert [scope for scope in memory._store.scopes() if memory._store.counts(scope).turns] == []
