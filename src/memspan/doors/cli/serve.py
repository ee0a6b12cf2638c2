"""`memspan serve`: the REST server and the page."""

from pathlib import Path

import click

from memspan.core.errors import MissingExtra
from memspan.doors.cli import _options
from memspan.doors.rest.settings import Settings


@click.command()
@_options.memory_option
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to listen; public only once there is a key."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8377, show_default=True, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option(
    "--state", type=click.Path(dir_okay=False), default="", help="The file with the keys.  [default: beside the memory]"
)
@_options.setting_option
def serve(memory: Path, host: str, port: int, workers: int, state: str, setting: str | None) -> None:
    """Serve a memory over HTTP until stopped; see docs/how-to/rest.md."""
    told = Settings(place=str(memory), host=host, port=port, workers=workers, state=state, setting=setting)
    try:
        from memspan.doors.rest import server
    except ImportError as why:
        raise MissingExtra("serve", "the server") from why
    click.echo(f"serving {told.place} on http://{told.host}:{told.port}")
    server.serve(told)
