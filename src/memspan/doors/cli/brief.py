"""`memspan brief`: what matters now, for the start of a session."""

import sys
from pathlib import Path

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    help="The scope that `memspan watch` made for this folder, instead of --scope.",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=0),
    default=600,
    show_default=True,
    help="The block costs at most so many tokens.",
)
@click.option("--now", help="The day it is made for: ISO 8601.  [default: today]")
@_options.json_option
def brief(memory: Location, scope: str, project: Path | None, tokens: int, now: str | None, as_json: bool) -> None:
    """Print standing instructions, preferences, decisions, what is open and the last sessions.

    It is a block for a prompt, fenced as data like that of `memspan recall`; each line cites the turn it is taken
    from. The same memory gives the same bytes all day (UTC). The exit code is 1 where there is nothing to say.
    """
    if project is not None:
        from memspan.doors.watch.projects import scope_of

        scope = scope_of(str(project.absolute()))
    with _options.opened(memory, scope, read_only=True) as opened:
        found = opened.brief(tokens=tokens, now=now)
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), **fields.of_brief(found, scope)}))
    elif found:
        click.echo(_show.safe(found.context), nl=False)
    else:
        click.echo(_show.one_line(f"nothing to say of {memory}, scope {scope}"), err=True)
    if not found:
        sys.exit(1)
