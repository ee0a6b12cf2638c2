"""`memspan serve`: the REST server and the page."""

from typing import Any

import click

from memspan.core.errors import MissingExtra
from memspan.core.places import Location, spelt
from memspan.doors.cli import _options, _show
from memspan.doors.rest.settings import Settings

state_option = click.option(
    "--state",
    type=click.Path(dir_okay=False),
    default="",
    help="The file with the API keys.  [default: the memory's name and .doors]",
)


@click.command()
@_options.memory_option
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; another than this only with keys."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8377, show_default=True, help="On which port.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes.")
@state_option
@click.option(
    "--cors", multiple=True, metavar="ORIGIN", help="Let pages of this origin call; may be given several times."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=1000.0,
    show_default=True,
    help="Calls a second of one key, or of one address where there are no keys; 0: any number.",
)
@_options.setting_option
def serve(memory: Location, **how: Any) -> None:
    """Serve a memory over HTTP: the REST API, and the page at /. Stop it with Ctrl-C or SIGTERM.

    Without keys only this machine can reach it. `memspan keys add` makes one; from then on nobody comes in without.
    Each call names its scope: ?scope=acme/alice. Calls in flight are answered before it stops.
    """
    key_file = _options.key_file()
    told = Settings(place=spelt(memory), key_file=str(key_file) if key_file else None, **how)
    try:
        from memspan.doors.rest import server
    except ImportError as why:
        raise MissingExtra("serve", "the server") from why
    server.check(told, _options.key())
    click.echo(f"serving {_show.one_line(str(memory))} on http://{told.host}:{told.port}/ (Ctrl-C stops it)")
    server.serve(told)
