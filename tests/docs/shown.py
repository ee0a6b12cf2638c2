"""Blocks of Markdown that are marked to be run, and what they are shown to print.

    <!-- runnable -->
    ```sh
    $ memspan remember notes.txt        commands begin with "$ " where output is shown in the block, too
    remembered 3 new turns in memory.mem, scope me, in 12.3 ms
    ```

A block marked `<!-- output -->` is what the runnable block before it prints. Durations may differ, `...` stands for
anything. Blocks of one page run in one folder, in order.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^<!-- (runnable|output) -->\n+```(\w*)[^\n]*\n(.*?)^```", re.M | re.S)
_DURATION = re.compile(r"\d[\d.,]* ?(?:ms|s)\b")


@dataclass(frozen=True)
class Block:
    """What is run, and what it prints; None = not shown."""

    language: str
    code: str
    output: str | None


def blocks(text: str) -> list[Block]:
    """The blocks of a page that are to be run, in order."""
    found: list[Block] = []
    for kind, language, body in _BLOCK.findall(text):
        if kind == "runnable":
            found.append(Block(language, *_session(body)) if language == "sh" else Block(language, body, None))
        else:
            found[-1] = Block(found[-1].language, found[-1].code, body)
    return found


def pages() -> list[Path]:
    """Pages that may hold such blocks."""
    named = (ROOT / name for name in ("README.md", "CONTRIBUTING.md"))
    return [page for page in (*named, *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()]


def matches(shown: str, printed: str) -> bool:
    """Whether what is shown is what was printed, but for durations and what `...` stands for."""
    wanted = re.escape(_DURATION.sub("0 s", shown).strip()).replace(r"\.\.\.", "...").replace("...", ".*")
    lines = "\n".join(line.rstrip() for line in _DURATION.sub("0 s", printed).strip().split("\n"))
    return re.fullmatch(wanted, lines, re.S) is not None


def command(folder: Path) -> Path:
    """A `memspan` of this checkout, in a folder for PATH."""
    folder.mkdir()
    path = folder / "memspan"
    path.write_text(f"#!{sys.executable}\nfrom memspan.doors.cli.main import main\nmain()\n")
    path.chmod(0o755)
    return folder


def _session(body: str) -> tuple[str, str | None]:
    """(commands, output) of a block with prompts; without prompts all lines are commands."""
    lines = body.split("\n")
    if not any(line.startswith("$ ") for line in lines):
        return body, None
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    output = [line for line in lines if not line.startswith("$ ")]
    return "\n".join(commands), "\n".join(output)
