"""`memspan report`: a memory as one page that needs no server."""

from pathlib import Path

import click

from memspan.core.places import Location
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="memory.html",
    show_default=True,
    help="The page; a file that is there is replaced.",
)
def report(memory: Location, scope: str, out: Path) -> None:
    """Write what a scope holds as one HTML file: timeline, search by plain words, items, graph, changes, receipts.

    It opens in any browser, without a network and without a server, and can change nothing. It holds what was
    remembered in plain text, so keep it as you keep the memory. Quarantined turns are left out, and of a large memory
    all but the newest 20,000 turns and records.
    """
    with _options.opened(memory, scope, read_only=True) as opened:
        from memspan.core.clock import now, seconds
        from memspan.doors.web import carry, page

        carried = carry.of(opened, seconds(now()))
    text = page.html(carried)
    out.write_text(text, encoding="utf-8", newline="\n")
    held = f"{_show.amount(len(carried['turns']), 'turn')} and {_show.amount(len(carried['records']), 'record')}"
    click.echo(f"wrote {_show.one_line(str(out))}: {held}, {_show.size(len(text.encode()))}")
    if carried["left_out"]:
        left = f"{carried['left_out']:,} turns or records"
        click.echo(f"memspan: {left} left out: quarantined, or older than the newest {carry.MOST:,}", err=True)
