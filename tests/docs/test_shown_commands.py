"""What the documents show runs, and prints what they show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs import shown

ROOT = Path(__file__).parents[2]
PAGES = [page for page in shown.pages() if shown.blocks(page.read_text(encoding="utf-8"))]


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = shown.command(folder / "bin") if not (folder / "bin").exists() else folder / "bin"
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMSPAN_")}
    env |= {"PATH": f"{path}{os.pathsep}{env.get('PATH', '')}", "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_blocks_run(page: Path, tmp_path: Path) -> None:
    """In order, in one folder, each without an error, printing what is shown."""
    for block in shown.blocks(page.read_text(encoding="utf-8")):
        shell = ["bash", "-euc", block.code] if block.language == "sh" else [sys.executable, "-c", block.code]
        done = run(shell, tmp_path)
        assert done.returncode == 0, f"{block.code}\n{done.stdout}{done.stderr}"
        if block.output is not None:
            assert shown.matches(block.output, done.stdout), f"shown:\n{block.output}\nprinted:\n{done.stdout}"


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="README.md is not there yet")
def test_the_readme_shows_blocks_that_run() -> None:
    """At least one of the shell and one of Python."""
    languages = {block.language for block in shown.blocks((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {"sh", "python"} <= languages


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    """Each example runs as it is, prints something, and leaves nothing behind."""
    done = run([sys.executable, "-W", "error", str(example)], tmp_path)
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


PAGE = """
<!-- runnable -->
```sh
$ echo took 5.1 ms && echo b
took 9 ms
...
```

```sh
exit 1
```

<!-- runnable -->
```python
print("x" * 3)
```
<!-- output -->
```text
xxx
```
"""


def test_blocks_are_found() -> None:
    """Only marked ones; prompts tell commands from output."""
    first, second = shown.blocks(PAGE)
    assert (first.language, first.code) == ("sh", "echo took 5.1 ms && echo b")
    assert shown.matches(first.output, "took 5.1 ms\nb\n") and not shown.matches(first.output, "took ages\nb\n")
    assert (second.code, second.output) == ('print("x" * 3)\n', "xxx\n")
