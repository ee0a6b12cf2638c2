"""`memspan branch` and `memspan merge`: a copy to try something in, and what it learned brought back."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memspan.core.places import Location
from memspan.doors.cli import _options, _show
from memspan.doors.cli._stopping import Stopping

if TYPE_CHECKING:
    from memspan.text.merging import Merged


@click.command()
@click.argument("name")
@_options.whose_memory
@_options.json_option
def branch(name: str, memory: Location, scope: str, as_json: bool) -> None:
    """Copy the memory, all its scopes, to try something in. NAME goes beside it: memory.mem, trip: memory@trip.mem.

    NAME may also be a path. Nothing is overwritten. What is forgotten later in the memory stays in its branches:
    forget it there too, or remove the file.
    """
    with _options.opened(memory, scope, read_only=True) as opened, Stopping() as stopping, stopping.held():
        path = opened.branch(name)
    size = path.stat().st_size
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "branch": str(path), "bytes": size}))
        return
    shown = _show.one_line(str(path))
    click.echo(f"branched off to {shown} ({_show.size(size)})")
    click.echo(f"`memspan merge {shown} --scope {_show.one_line(scope)}` brings back what it learns")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_options.whose_memory
@_options.json_option
def merge(file: Path, memory: Location, scope: str, as_json: bool) -> None:
    """Take in what a scope of the branch FILE has learned since it was branched off; merging again takes what is new.

    Where both changed the same thing, the memory's own stays and its id is printed. What was forgotten here is not
    taken; what was forgotten in the branch is printed and stays. `memspan undo` takes a merge back.
    """
    with _options.opened(memory, scope) as opened:
        merged = opened.merge(file)
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, "branch": str(file), **asdict(merged)}))
        return
    click.echo(_told(merged))
    for names, why in (
        (merged.conflicts, "changed in both; ours stays"),
        (merged.refused, "not taken, because of what was forgotten here"),
        (merged.forgotten, "forgotten in the branch, still here; `memspan forget` them here too, if that is meant"),
    ):
        if names:
            click.echo(f"{len(names):,} {why}:")
            click.echo("\n".join(f"{_show.INDENT}{_show.one_line(name)}" for name in names))


def _told(merged: "Merged") -> str:
    things = {"turn": merged.turns, "record": merged.records, "link": merged.links, "change of state": merged.states}
    parts = [_show.amount(count, thing) for thing, count in things.items() if count]
    if not merged.operation:
        return "nothing new in the branch"
    return f"merged {', '.join(parts) or 'nothing'}, operation {merged.operation}".replace("of states", "of state")
