"""`memspan`: finds the command, turns errors into one line and an exit code."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from memspan.core.errors import MemspanError, MissingExtra, MissingModel, StoreError
from memspan.doors.cli import _show

# group -> command -> (where it lives, what it does); a command is loaded when it is called, not to be listed
GROUPS = {
    "Remember and ask": {
        "remember": ("memspan.doors.cli.remember:remember", "Read files or a sentence into a memory."),
        "watch": ("memspan.doors.cli.watch:watch", "Follow the transcripts of coding agents."),
        "recall": ("memspan.doors.cli.recall:recall", "Ask a memory; prints cited evidence."),
        "brief": ("memspan.doors.cli.brief:brief", "Say what matters now, for the start of a session."),
        "due": ("memspan.doors.cli.due:due", "Print the reminders whose time has come."),
        "stats": ("memspan.doors.cli.stats:stats", "Say what a memory holds."),
        "export": ("memspan.doors.cli.export:export", "Write all turns as JSONL."),
        "report": ("memspan.doors.cli.report:report", "Write a memory as one page that needs no server."),
    },
    "Change what is there": {
        "correct": ("memspan.doors.cli.correct:correct", "Put a new version in the place of a wrong one."),
        "forget": ("memspan.doors.cli.forget:forget", "Erase for good, with a receipt."),
        "pin": ("memspan.doors.cli.states:pin", "Keep a turn when room runs out."),
        "unpin": ("memspan.doors.cli.states:unpin", "Let it go for room again."),
        "hold": ("memspan.doors.cli.states:hold", "Refuse to forget a turn."),
        "release": ("memspan.doors.cli.states:release", "Take the hold away."),
        "expire": ("memspan.doors.cli.states:expire", "Hide a turn from a moment on, then erase it."),
        "archive": ("memspan.doors.cli.states:archive", "Put a turn out of the way."),
        "restore": ("memspan.doors.cli.states:restore", "Bring it back."),
        "reflect": ("memspan.doors.cli.reflect:reflect", "Consolidate: episodes, entities, duplicates and more."),
    },
    "Look back, take back": {
        "changes": ("memspan.doors.cli.changes:changes", "Say what was added, changed, forgotten, and when."),
        "history": ("memspan.doors.cli.changes:history", "Say what happened to one turn."),
        "receipts": ("memspan.doors.cli.forget:receipts", "Print the receipts of what was forgotten."),
        "undo": ("memspan.doors.cli.undo:undo", "Take the last change back."),
        "branch": ("memspan.doors.cli.branch:branch", "Copy a memory to try something in."),
        "merge": ("memspan.doors.cli.branch:merge", "Bring back what the copy has learned."),
    },
    "Let others in": {
        "serve": ("memspan.doors.cli.serve:serve", "Serve a memory over HTTP: the REST API and the page."),
        "mcp": ("memspan.doors.cli.mcp:mcp", "Serve a memory to an MCP client, as tools for a model."),
        "keys": ("memspan.doors.cli.keys:keys", "Say who may call the server."),
    },
    "The file and its parts": {
        "doctor": ("memspan.doors.cli.doctor:doctor", "Check and repair a memory file."),
        "migrate": ("memspan.doors.cli.migrate:migrate", "Move a memory to a server, or back into a file."),
        "reembed": ("memspan.doors.cli.reembed:reembed", "Make the vectors anew, for another setting."),
        "methods": ("memspan.doors.cli.methods:methods", "List what can be plugged in."),
        "models": ("memspan.doors.cli.models:models", "Build model files that do not come along."),
        "plan": ("memspan.doors.cli.plan:plan", "Compute what tenants or a KV cache need."),
        "bench": ("memspan.doors.cli.bench:bench", "Measure quality and speed."),
        "demo": ("memspan.doors.cli.demo:demo", "Try it on a conversation that comes along."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}

OK, NOTHING, USAGE, STORE, MISSING, STOPPED = 0, 1, 2, 3, 4, 130
EXIT_CODES = {
    OK: "done",
    NOTHING: "nothing was found or forgotten, or a check found problems",
    USAGE: "wrong use, or a malformed file to read in",
    STORE: "the memory file is busy, full, read-only, damaged or not ours",
    MISSING: "an extra is not installed or a model is not built",
    STOPPED: "stopped with Ctrl-C; what was acknowledged is safe",
}
_CALLERS_OWN = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG)


class Commands(click.Group):
    """The commands, loaded when they are needed; what they raise becomes one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), does) for name, (_, does) in group.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])

    def invoke(self, ctx: click.Context) -> Any:  # Any: click's own signature
        with errors_as_one_line(ctx):
            return super().invoke(ctx)


@contextmanager
def errors_as_one_line(ctx: click.Context) -> Iterator[None]:
    """What goes wrong inside ends the program with "memspan: ..." and its exit code."""
    try:
        yield
    except MemspanError as why:
        _end(ctx, exit_code(why), str(why))
    except KeyboardInterrupt as stopped:
        _end(ctx, STOPPED, str(stopped) or "stopped")
    except BrokenPipeError:
        raise  # whoever read our output has enough; click ends quietly
    except OSError as why:
        text = f"{why.filename}: {why.strerror}" if why.filename and why.strerror else str(why)
        _end(ctx, USAGE if why.errno in _CALLERS_OWN else STORE, text)


def exit_code(error: MemspanError) -> int:
    """The exit code an error ends the program with.

    >>> from memspan.core.errors import StoreBusy
    >>> exit_code(StoreBusy("a.mem", 5))
    3
    """
    if isinstance(error, StoreError):
        return STORE
    return MISSING if isinstance(error, (MissingExtra, MissingModel)) else USAGE


def _end(ctx: click.Context, code: int, text: str) -> NoReturn:
    click.echo(f"memspan: {_show.one_line(text)}", err=True)
    ctx.exit(code)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(import_module("memspan").__version__, "-V", "--version", prog_name="memspan")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Memory for language-model agents: remember conversations, recall cited evidence. All of it on this machine.

    \b
    memspan remember chats.jsonl notes.md       read files into ./memory.mem
    memspan recall "Where does Alice live?"     the evidence, within 1,000 tokens
    memspan forget --session chats              erase a conversation for good, with a receipt
    memspan demo                                try it on a conversation that comes along
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """The entry point of the `memspan` command: UTF-8 out, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    cli(prog_name="memspan")
