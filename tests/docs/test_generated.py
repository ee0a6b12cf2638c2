"""Pages that are made from the code say what the code says; nothing is left out."""

import runpy
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "write_docs.py"))
PAGES = TOOL["pages"]()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_made_page_is_up_to_date(name: str) -> None:
    """Where this fails, run tools/write_docs.py (make docs)."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name]


def test_every_command_and_option_is_documented() -> None:
    """Of groups too."""
    page = PAGES["cli.md"]

    def walk(name: str, command: click.Command) -> None:
        assert f"# {name}\n" in page and (command.help or "").strip()
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[0]}`" in page and option.help, f"{name} {option.opts}"
        if isinstance(command, click.Group):
            for inner in command.list_commands(click.Context(command)):
                sub = command.get_command(click.Context(command), inner)
                assert sub is not None
                walk(f"{name} {inner}", sub)

    for name in TOOL["COMMANDS"]:
        sub = TOOL["cli"].get_command(click.Context(TOOL["cli"]), name)
        walk(f"memspan {name}", sub)


def test_every_error_is_documented() -> None:
    """With its exit code, and its place in the tree."""
    for kind in TOOL["error_classes"]():
        assert f"## {kind.__name__}\n" in PAGES["errors.md"] and kind.__doc__
    assert len(TOOL["error_classes"]()) > 15


def test_every_format_is_documented() -> None:
    """Each reader says what it reads and where from."""
    for name in TOOL["formats"]():
        assert f"## {name}\n" in PAGES["formats.md"]
    assert PAGES["formats.md"].count("Source: ") == len(TOOL["formats"]())
