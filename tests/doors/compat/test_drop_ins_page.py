"""The page on drop-ins prints what it shows; blocks that need another library are run where it is there."""

import re
import subprocess
import sys

import pytest
from tests.docs.shown import ROOT, matches

PAGE = ROOT / "docs" / "how-to" / "drop-ins.md"
BLOCK = re.compile(
    r"^<!-- needs (\w+) -->\n```python\n(.*?)^```\n<!-- prints -->\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("library", "code", "shown"), BLOCK.findall(PAGE.read_text(encoding="utf-8")))
def test_what_is_shown_is_what_is_printed(library, code, shown, tmp_path):
    """Word for word, in an empty folder."""
    pytest.importorskip(library)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert matches(shown, done.stdout), done.stdout


def test_both_blocks_are_found():
    """One for LangGraph, one for LangChain."""
    assert [library for library, _, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8"))] == [
        "langgraph",
        "langchain_core",
    ]
