"""`memspan bench doors`: REST, MCP and the page, measured from outside."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

_OUT = click.Path(dir_okay=False, path_type=Path)


def _parts(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


@click.command()
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(100), help="Turns in the memory.")
@click.option(
    "--parts", default="", callback=_parts, help="Of rest,clients,mcp,page,peers,soak.  [default: all of them]"
)
@click.option("--asked", default=400, show_default=True, type=click.IntRange(20), help="Recalls and round trips timed.")
@click.option("--clients", default=50, show_default=True, type=click.IntRange(1, 500), help="At once.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1), help="They ask for so long.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes of the server.")
@click.option("--soak", default=5000, show_default=True, type=click.IntRange(1), help="Mixed requests.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Disk to measure on; a soak that was stopped goes on from what it left there.",
)
@click.option("--hindsight", type=click.IntRange(1, 65535), help="Port of a Hindsight server here, to be timed too.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the tables here.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of text and questions.")
def doors(json_path: Path | None, md_path: Path | None, **plan: Any) -> None:
    """Time REST, MCP and the page from outside, and soak the server.

    The server is started by its command on a free port of the loopback, and stopped in the end.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported, here and in the servers
    from memspan.bench.doors.measure import DoorsPlan, markdown, measure

    result = measure(DoorsPlan(**plan), ["memspan", *sys.argv[1:]], lambda line: click.echo(line, err=True))
    if json_path:
        json_path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    tables = markdown(result)
    if md_path:
        md_path.write_text(tables, encoding="utf-8")
    click.echo(tables, nl=False)
