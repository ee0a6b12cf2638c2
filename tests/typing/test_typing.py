"""What mypy in its strict mode makes of code that uses memspan."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = sorted(Path(__file__).parent.glob("calls_*.py"))


def mypy(path: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--ignore-missing-imports"]
    command += ["--enable-error-code=unused-coroutine", f"--cache-dir={cache}", str(path)]
    env = {"MYPYPATH": str(ROOT / "src"), "PATH": ""}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
def test_calls_are_typed_exactly(tmp_path: Path) -> None:
    """Right calls pass, wrong ones are errors: an ignore that hides nothing is an error too."""
    assert CHECKED
    for path in CHECKED:
        done = mypy(path, tmp_path / "cache")
        assert done.returncode == 0, done.stdout + done.stderr
        spoilt = tmp_path / path.name
        spoilt.write_text(path.read_text(encoding="utf-8").replace("# type: ignore", "# now an error: "))
        wrong = path.read_text(encoding="utf-8").count("# type: ignore")
        assert f"Found {wrong} errors" in mypy(spoilt, tmp_path / "cache").stdout
