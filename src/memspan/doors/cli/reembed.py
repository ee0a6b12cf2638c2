"""`memspan reembed`: vectors for another embedder."""

import click

from memspan.core.places import Location
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@_options.setting_option
def reembed(memory: Location, scope: str, setting: str | None) -> None:
    """Make the vectors that the present embedders lack. It may be stopped and run again."""
    bar = _show.Bar("embedding")
    with _options.opened(memory, scope, setting=setting) as opened:
        count = opened.reembed(bar)
        bar.clear()
        click.echo(f"made {_show.amount(count, 'vector')}, setting {opened.stats().setting}")
