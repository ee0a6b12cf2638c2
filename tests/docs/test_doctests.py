"""The examples in docstrings say what the code does."""

import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
EXAMPLES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((SOURCE / "memspan").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings(name: str) -> None:
    """Each module's examples, run as they stand."""
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted and not done.failed


def test_there_are_examples() -> None:
    """The search above finds them."""
    assert "memspan.core.ids" in EXAMPLES and len(EXAMPLES) > 15
