"""`memspan changes` and `memspan history`: what happened to a memory, and to one thing in it."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show

if TYPE_CHECKING:
    from memspan.core.changes import Event


@click.command()
@_options.whose_memory
@click.option("--since", help="From this moment on: ISO 8601, when memory learned of it.")
@click.option("--until", help="Before this moment.")
@click.option("--about", default="", help="Only what has all these words in it.")
@_options.json_option
def changes(memory: Location, scope: str, since: str | None, until: str | None, about: str, as_json: bool) -> None:
    """Print what was added, corrected, superseded or forgotten, the oldest first, with the number `undo` takes.

    The exit code is 1 where nothing happened.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        events = opened.changes(since=since, until=until, about=about)
    _print(events, memory, scope, as_json)
    if not events:
        sys.exit(1)


@click.command()
@click.argument("id")
@_options.whose_memory
@_options.json_option
def history(id: str, memory: Location, scope: str, as_json: bool) -> None:
    """Print all that happened to the turn or record ID, its earlier and later versions, the oldest first."""
    with _options.opened(memory, scope, read_only=True) as opened:
        events = opened.history(id)
    _print(events, memory, scope, as_json)


def _print(events: Sequence["Event"], memory: Location, scope: str, as_json: bool) -> None:
    if as_json:
        told = [fields.of_event(event) for event in events]
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, "events": told}))
        return
    for event in events:
        click.echo("\n".join(_entry(event)))
    if not events:
        click.echo(_show.one_line(f"nothing happened in {memory}, scope {scope}"))


def _entry(event: "Event") -> Iterator[str]:
    """When, what and in which operation; the words; the id, what replaced it and why."""
    thing = "" if event.kind == "turn" else f" {event.kind}"
    head = click.style(_show.one_line(f"{event.what}{thing}"), bold=True)
    yield f"{_show.when(event.at, seconds=True)}  {head}  operation {event.operation}"
    if event.text:
        yield _show.wrapped(event.text)
    facts = {"id": event.id, "replaced by": event.heir, "why:": event.why}
    told = " · ".join(f"{name} {value}" for name, value in facts.items() if value)
    if told:
        yield click.style(f"{_show.INDENT}{_show.one_line(told)}", dim=True)
    yield ""
