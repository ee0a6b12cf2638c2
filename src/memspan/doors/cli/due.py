"""`memspan due`: the reminders whose time has come."""

import sys

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@click.option("--now", help="As if it were this moment: ISO 8601.  [default: the clock]")
@_options.json_option
def due(memory: Location, scope: str, now: str | None, as_json: bool) -> None:
    """Print the reminders ("remind me to ... on Friday", "... when Ann calls") that have fired, the first first.

    `memspan archive ID` puts one away that is done. The exit code is 1 where nothing is due.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        found = opened.due(now)
    if as_json:
        told = [fields.of_due(one) for one in found]
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, "due": told}))
    else:
        for one in found:
            click.echo(click.style(_show.one_line(one.what), bold=True) + f"  since {_show.when(one.since)}")
            click.echo(_show.wrapped(one.text))
            by = f" · brought up by {one.by}" if one.by else ""
            click.echo(click.style(f"{_show.INDENT}{_show.one_line(f'id {one.id}{by}')}\n", dim=True))
        if not found:
            click.echo(_show.one_line(f"nothing is due in {memory}, scope {scope}"))
    if not found:
        sys.exit(1)
