"""`memspan correct`: a new version of what was wrong."""

import click

from memspan.core.places import Location
from memspan.doors.cli import _items, _options, _show


@click.command()
@click.argument("id")
@click.argument("text")
@_options.whose_memory
@click.option("--reason", default="", help="What was wrong; kept with the change.")
@_options.json_option
def correct(id: str, text: str, memory: Location, scope: str, reason: str, as_json: bool) -> None:
    """Put TEXT in the place of the turn or record ID, which steps back behind it.

    The old words stay in the file: `memspan history` tells of them, `memspan recall --known-at` shows what was
    believed then, `memspan undo` takes the correction back.
    """
    with _options.opened(memory, scope) as opened:
        old = _items.words_of(opened, id)
        new = opened.correct(id, text, reason=reason)
        if as_json:
            click.echo(_show.as_json({"memory": str(memory), "scope": scope, "id": new, "replaces": id}))
            return
        click.echo("corrected")
        click.echo(_show.wrapped(_items.shortened(old)))
        click.echo(click.style(_show.one_line(f"{_show.INDENT}id {id}"), dim=True))
        click.echo("is now")
        click.echo(_show.wrapped(_items.shortened(_items.words_of(opened, new))))
        click.echo(click.style(_show.one_line(f"{_show.INDENT}id {new}"), dim=True))
