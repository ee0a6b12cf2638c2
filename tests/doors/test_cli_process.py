"""The command line as a process of its own: locales, pipes, Ctrl-C."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memspan import Memory

SOURCE = str(Path(__file__).parents[2] / "src")
COMMAND = [sys.executable, "-c", "from memspan.doors.cli.main import main; main()"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "PYTHONPATH": SOURCE, "PYTHONWARNINGS": "error", **more}


def run(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *args], cwd=cwd, env=environment(**env), capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "env",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["C", "really C", "ascii"],
)
def test_utf8_comes_out_whatever_the_locale(env: dict[str, str], tmp_path: Path) -> None:
    """Text, in and out, is UTF-8 also where the locale says ASCII."""
    (tmp_path / "notes.txt").write_text("Olá, 世界 — Grüße 😀", encoding="utf-8")
    assert run("remember", "notes.txt", cwd=tmp_path, **env).returncode == 0
    done = run("recall", "Olá", cwd=tmp_path, **env)
    assert done.returncode == 0 and "Olá, 世界 — Grüße 😀" in done.stdout.decode("utf-8"), done


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    """`memspan export - | head -1` prints no traceback."""
    (tmp_path / "long.jsonl").write_text(
        "".join(json.dumps({"text": f"turn {n} " + "x" * 99}) + "\n" for n in range(3000))
    )
    assert run("remember", "long.jsonl", cwd=tmp_path).returncode == 0
    process = subprocess.Popen(
        [*COMMAND, "export", "-"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ctrl_c_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """A remember that waits for more input is stopped: what it says is safe is there, the file is sound."""
    lines = "".join(json.dumps({"text": f"turn {n} " + "x" * 120}) + "\n" for n in range(3500)).encode()
    process = subprocess.Popen(
        [*COMMAND, "remember", "-", "--format", "jsonl"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(lines)
        process.stdin.flush()
        wait_for(tmp_path / "memory.mem", 3000)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        process.stdin.close()
    assert process.returncode == 130
    assert "memspan: stopped. 3,000 turns of it are safe in memory.mem" in said
    with Memory(tmp_path / "memory.mem", scope="me") as memory:
        assert memory.stats().turns == 3000 and memory.check().ok


def test_a_disk_that_fills_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Where the file cannot grow, exit code 3, and the number that is said to be safe is there."""
    (tmp_path / "long.jsonl").write_text(
        "".join(json.dumps({"text": f"turn {n} " + "x" * 999}) + "\n" for n in range(6000))
    )
    done = subprocess.run(
        [*COMMAND, "remember", "long.jsonl"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6_000_000, 6_000_000)),
    )
    said = done.stderr.decode()
    assert done.returncode == 3 and "Traceback" not in said, said
    safe = re.search(r"long.jsonl is not read to its end. ([\d,]+) turns of it are safe in memory.mem", said)
    assert safe is not None
    with Memory(tmp_path / "memory.mem", scope="me") as memory:
        assert 1000 <= memory.stats().turns == int(safe[1].replace(",", "")) < 6000 and memory.check().ok


def test_long_work_shows_how_far_it_is(tmp_path: Path) -> None:
    """On a terminal a line with the share and the turns grows on stderr, and is gone at the end."""
    (tmp_path / "long.jsonl").write_text(
        "".join(json.dumps({"text": f"turn {n} " + "x" * 99}) + "\n" for n in range(6000))
    )
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*COMMAND, "remember", "long.jsonl"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = read_all(ours)
        assert process.stdout is not None and b"remembered 6,000 new turns" in process.stdout.read()
    os.close(ours)
    assert re.search(r"\r\x1b\[Kremembering long.jsonl +\d+%  \d,000 turns", shown) and shown.endswith("\r\x1b[K")


def read_all(terminal: int) -> str:
    found = b""
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            return found.decode()
        if not block:
            return found.decode()
        found += block


def wait_for(path: Path, turns: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists():
            with Memory(path, scope="me") as memory:
                if memory.stats().turns >= turns:
                    return
        time.sleep(0.1)
    raise AssertionError(f"{turns} turns were never there")
