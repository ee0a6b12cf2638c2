"""`memspan watch`: follow the transcripts of coding agents into a memory."""

import json
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from memspan.core.errors import UsageError
from memspan.core.places import Location
from memspan.core.records import Json
from memspan.doors.cli import _options, _show
from memspan.doors.cli._stopping import Stopping
from memspan.doors.cli.remember import POLICIES

if TYPE_CHECKING:
    from memspan.doors.memories import Memories
    from memspan.doors.watch.watcher import Totals, Watcher

_SAID = {
    "anew": "{file} {why}; it is read anew",
    "bad": "{file}, line {line}: {why}; it is passed over",
    "bad_turn": "{file}: {why}; a turn of it is passed over",
    "busy": "{why}; trying again",
    "unreadable": "{file}: {why}; trying again when it changes",
}


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@_options.memory_option
@click.option("--once", is_flag=True, help="Read what is there and end, instead of waiting for more.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.01),
    default=2.0,
    show_default=True,
    help="Look again after so many seconds.",
)
@click.option(
    "--secrets",
    type=click.Choice(POLICIES),
    default="redact",
    show_default=True,
    help="What happens to keys and passwords in these scopes (extra [secrets], but for allow).",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that notes how far each transcript was read.  [default: beside the memory, with .watch behind it]",
)
@_options.setting_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event.")
def watch(folders: tuple[str, ...], memory: Location, once: bool, interval: float, as_json: bool, **how: Any) -> None:
    """Follow the transcripts under FOLDERS, such as ~/.claude/projects or ~/.codex/sessions, into a memory.

    Known are those of Claude Code, Codex CLI and Gemini CLI. Each project gets a scope of its own, named after the
    folder in which the agent was started: code/shop-b035bb. What tools print is kept apart from what people say, and
    cut; thinking is not kept. A broken line is named and passed over. Ctrl-C ends it, and it goes on where it was;
    nothing is lost or kept twice by a crash either.
    """
    from memspan.doors.watch.ledger import Ledger
    from memspan.doors.watch.watcher import Watcher

    memories = _memories(memory, how["setting"], how["secrets"])
    ledger = Ledger(how["state"] or _beside(memory))
    stopping = Stopping()
    watcher = Watcher(folders, memories, ledger, _Tell(as_json), stopping.held)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with stopping:
            _go_on(watcher, once=once, interval=interval)
    except KeyboardInterrupt:
        if once:
            raise KeyboardInterrupt("stopped; run the same command again to go on") from None
    finally:
        signal.signal(signal.SIGTERM, before)
        ledger.close()
        memories.close()
        _end(watcher.totals, memory, as_json)


def _memories(memory: Location, setting: str | None, secrets: str) -> "Memories":
    """Opens the scopes of projects. Raises MissingExtra before anything is read."""
    from memspan.doors.memories import Memories
    from memspan.text.memory import Memory
    from memspan.text.safety.secrets import check_policy

    check_policy(secrets)
    key = _options.key()
    return Memories(lambda scope: Memory(memory, scope=scope, setting=setting, key=key, secrets=secrets))


def _go_on(watcher: "Watcher", *, once: bool, interval: float) -> None:
    bar = _show.Bar("watching")
    while True:
        read = watcher.round()
        bar.note = f"{_show.amount(watcher.totals.files, 'transcript')}, {_show.amount(watcher.totals.added, 'turn')}"
        bar(0, 0)
        if not read:
            if once:
                bar.clear()
                return
            time.sleep(interval)


def _beside(memory: Location) -> Path:
    """Where the state is kept unless it is told. Raises UsageError where the memory is no file."""
    if str(memory).startswith(("postgresql:", "postgres:")):
        raise UsageError("a memory in a database has no place beside it; name a file with --state")
    return Path(f"{memory}.watch")


class _Tell:
    """Prints events as they come: as JSON, or new scopes on standard output and complaints on standard error."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, event: str, facts: Mapping[str, Json]) -> None:
        if self._as_json:
            _print_json({"event": event, **facts})
        elif event == "scope":
            click.echo(_show.one_line(f"scope {facts['scope']} of {facts['folder']}"))
        elif event in _SAID:
            click.echo(f"memspan: {_show.one_line(_SAID[event].format(**facts))}", err=True)


def _print_json(value: Mapping[str, Json]) -> None:
    click.echo(json.dumps(value))  # ASCII, so that nothing in it acts on a terminal
    sys.stdout.flush()


def _end(totals: "Totals", memory: Location, as_json: bool) -> None:
    if as_json:
        _print_json({"event": "end", "memory": str(memory), **asdict(totals)})
        return
    added, files = _show.amount(totals.added, "new turn"), _show.amount(totals.files, "transcript")
    there = f" ({totals.known:,} already there)" if totals.known else ""
    click.echo(_show.one_line(f"remembered {added}{there} of {files} in {memory}"))
    for name, what in _COUNTS.items():
        if count := getattr(totals, name):
            click.echo(f"{count:,} {what}")


_COUNTS = {
    "refused": "refused, because these words were forgotten here",
    "redacted": "stored with their secrets blacked out",
    "quarantined": "kept out of recall, because there are secrets in them",
    "bad": "lines passed over, because they are broken",
}


def _stop(number: int, frame: FrameType | None) -> None:
    """End as by Ctrl-C, which a process in the background may have been told to ignore."""
    raise KeyboardInterrupt
