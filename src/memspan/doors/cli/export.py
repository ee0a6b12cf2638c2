"""`memspan export`: all turns of a scope, as JSONL that `remember` reads."""

import click

from memspan.core.places import Location
from memspan.doors.cli import _options, _show


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@_options.whose_memory
def export(file: str, memory: Location, scope: str) -> None:
    """Write all turns of a scope to FILE (- is standard output), one JSON object a line.

    `memspan remember FILE` reads it back, equal to the last character.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        if file == "-":
            from memspan.text.read.jsonl import as_line

            for turn in opened.turns():
                click.echo(as_line(turn))
            return
        count = opened.export(file)
    click.echo(
        f"wrote {_show.amount(count, 'turn')} of scope {_show.one_line(scope)} to {_show.one_line(file)}", err=True
    )
