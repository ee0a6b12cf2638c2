"""`memspan undo`: take the last change back."""

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@click.option("--operation", type=click.IntRange(min=1), help="The one of this number, as `memspan changes` prints it.")
@_options.json_option
def undo(memory: Location, scope: str, operation: int | None, as_json: bool) -> None:
    """Take the last command that changed a scope back, or an earlier one; it can be undone in turn.

    What was forgotten is gone, and what was changed again since must be taken back first: then nothing is changed
    and the exit code is 2.
    """
    with _options.opened(memory, scope) as opened:
        undone = opened.undo(operation)
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, **fields.of_undone(undone)}))
        return
    click.echo(
        f"took back operation {undone.operation} ({undone.verb}, {_show.amount(undone.items, 'item')}); "
        f"`memspan undo --operation {undone.by}` has it again"
    )
