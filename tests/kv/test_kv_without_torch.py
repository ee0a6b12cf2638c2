"""Where torch is not installed, everything says what to install."""

import json
import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules['torch'] = None; "
CLI = "sys.argv = ['memspan', *sys.argv[1:]]; from memspan.doors.cli.main import main; main()"
INSTALL = 'pip install "memspan[kv]"'


def without_torch(code, *arguments):
    told = [sys.executable, "-c", WITHOUT + code, *arguments]
    return subprocess.run(told, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("code", ["kv.compress", "load('kv', 'snapkv')", "load('codec', 'int4')"])
def test_python_says_which_extra(code):
    """The error names the line that installs it."""
    done = without_torch(f"from memspan import kv, load, methods; assert 'snapkv' in methods('kv'); {code}")
    assert "MissingExtra: " in done.stderr and INSTALL in done.stderr


def test_methods_are_listed_all_the_same():
    """With what they need in place of their titles."""
    done = without_torch(CLI, "methods", "kv", "--json")
    listed = {row["name"]: row for row in json.loads(done.stdout)}
    assert listed["snapkv"]["needs"] == "kv" and INSTALL in listed["snapkv"]["title"]


@pytest.mark.parametrize("command", [["bench", "kv", "--quick"], ["models", "build", "recall"]])
def test_commands_say_which_extra(command, tmp_path):
    """One line, no traceback."""
    done = without_torch(f"import os; os.environ['HOME'] = {str(tmp_path)!r}; " + CLI, *command)
    assert done.returncode and INSTALL in done.stderr and "Traceback" not in done.stderr
