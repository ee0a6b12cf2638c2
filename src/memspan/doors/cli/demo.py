"""`memspan demo`: a small conversation that comes along, remembered and asked about."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import click

from memspan.core.records import Recall
from memspan.doors.cli import _options, _show
from memspan.doors.cli.recall import entry

SCOPE = "demo"
TOKENS = 200
SHOWN = 2
PORT = 8377
QUESTIONS = (
    "Where does Maya live now?",
    "What is Jonas allergic to?",
    "How much was the old van sold for in October 2024?",
    "When is Jonas's exam?",
    "What is the name of Maya's dentist?",
)


@click.command()
@click.option(
    "--memory",
    "-m",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the memory file is put.  [default: a new folder for temporary files]",
)
def demo(memory: Path | None) -> None:
    """Remember six conversations of two friends and an assistant over a year, and ask five questions.

    Nothing is fetched: no key, no server, no network. The last question has no answer in there.
    """
    path = memory or Path(tempfile.mkdtemp(prefix="memspan-demo-")) / "demo.mem"
    with _options.opened(path, SCOPE, new=True) as opened:
        with as_file(files("memspan.doors.cli") / "demo.jsonl") as file:
            from memspan.text.read import read

            made = opened.remember(read(file))
        click.echo(
            f"Remembered {_show.amount(made.added + made.known, 'turn')} of {len(opened.sessions())} conversations in "
            f"{_show.duration(made.cost.seconds)}, with an fsync.\n"
        )
        answers = [opened.recall(question, tokens=TOKENS) for question in QUESTIONS]
        size = opened.stats().bytes
    for answer in answers:
        click.echo("\n".join(_answer(answer)))
    for hit in answers[0].standing:
        click.echo(f"Always applies, so it comes with every recall: {_show.one_line(hit.text)}\n")
    click.echo(_what_next(path, size))


def _answer(found: Recall) -> Iterator[str]:
    yield click.style(f"? {found.question}", bold=True, fg="cyan")
    yield (
        f"  {_show.amount(len(found.hits), 'turn')} within {TOKENS} tokens ({found.cost.tokens} used), "
        f"{_show.duration(found.cost.seconds)}, confidence {found.confidence:.2f}"
    )
    for number, hit in enumerate(found.hits[:SHOWN], start=1):
        yield from list(entry(number, hit, explain=False))[:-1]
    yield ""


def _what_next(path: Path, size: int) -> str:
    place, program = _show.one_line(str(path)), _program()
    where = f"--memory {place} --scope {SCOPE}"
    return (
        f"The memory is one file of {_show.size(size)}. Ask it yourself:\n"
        f'  {program} recall "Who is the boss of the workshop?" {where}\n'
        f'  {program} recall "Who is Pixel?" --explain {where}\n'
        f"Look at it in a browser (extra [serve]), at http://127.0.0.1:{PORT}/#scope={SCOPE}\n"
        f"  {program} serve --memory {place}\n"
        "Let an agent have it, as an MCP server (extra [mcp]); docs/how-to/mcp.md has the lines for each client\n"
        f"  {program} mcp {where}\n"
        "Then remember something of your own (text, Markdown, JSONL, a ChatGPT or Claude export):\n"
        f"  {program} remember FILE"
    )


def _program() -> str:
    """How this program is called here: by its name where the shell finds it, else by its path."""
    called, found = Path(sys.argv[0]), shutil.which("memspan")
    if called.stem == "memspan" and called.exists() and not (found and os.path.samefile(found, called)):
        return _show.one_line(str(called))
    return "memspan"
