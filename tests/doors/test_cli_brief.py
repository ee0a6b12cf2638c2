"""`memspan brief`: the hook at the start of a session."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from tests.doors.transcripts import append, called, said

from memspan import Memory
from memspan.doors.cli.main import cli
from memspan.doors.watch.projects import scope_of


@pytest.fixture
def place(tmp_path):
    """A memory that `watch` made of one session in /home/ann/shop."""
    append(
        tmp_path / "t" / "1.jsonl",
        said(1, "Always run the tests before you say it is fixed. The total is off by one cent."),
        called(2, "t", "pytest"),
        said(3, "It is rounded once now.", role="assistant"),
        said(4, "We decided to keep cents as integers. Can you check the refunds?"),
    )
    done = run("watch", str(tmp_path / "t"), "--once", "--secrets", "allow", "-m", str(tmp_path / "m.mem"))
    assert done.exit_code == 0, done.output
    return tmp_path / "m.mem"


def run(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def test_it_prints_the_block_of_the_projects_scope(place):
    """The folder names the scope, as watch does."""
    done = run("brief", "-m", str(place), "--project", "/home/ann/shop", "--now", "2026-03-05")
    assert done.exit_code == 0, done.output
    with Memory(place, scope=scope_of("/home/ann/shop"), read_only=True) as memory:
        assert done.output == memory.brief(now="2026-03-05").context
    for wanted in ("standing instructions:", "decisions:", "open:", "last sessions:", "unanswered]"):
        assert wanted in done.output
    assert done.output == run("brief", "-m", str(place), "-s", scope_of("/home/ann/shop"), "--now", "2026-03-05").output


def test_json_has_the_lines_by_section(place):
    """With the ids that the lines cite."""
    done = run("brief", "-m", str(place), "--project", "/home/ann/shop", "--tokens", "300", "--json")
    told = json.loads(done.output)
    (rule,) = told["sections"]["instructions"]
    assert rule["text"] == "Always run the tests before you say it is fixed."
    assert rule["id"] in told["context"] and told["tokens"] == 300 and told["cost"]["tokens"] <= 300


def test_nothing_to_say_is_no_output_and_code_1(place):
    """A hook then adds nothing."""
    done = CliRunner().invoke(cli, ["brief", "-m", str(place), "--project", "/elsewhere"])
    assert done.exit_code == 1 and done.stdout == "" and "nothing to say" in done.stderr


@pytest.mark.slow
def test_in_a_process_of_its_own_it_gives_the_same_bytes(place):
    """Whatever the hash seed and the locale."""
    options = ["brief", "-m", str(place), "--project", "/home/ann/shop", "--now", "2026-03-05"]
    command = [sys.executable, "-c", "from memspan.doors.cli.main import main; main()", *options]
    outputs = {
        subprocess.run(command, capture_output=True, check=True, env={"PYTHONPATH": ":".join(sys.path), **more}).stdout
        for more in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C"}, {"COLUMNS": "40"})
    }
    assert len(outputs) == 1
