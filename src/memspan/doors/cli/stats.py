"""`memspan stats`: what a memory holds."""

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show


@click.command()
@_options.whose_memory
@_options.json_option
def stats(memory: Location, scope: str, as_json: bool) -> None:
    """Print how many turns a scope holds, from when to when, the file's size, format and embedders."""
    with _options.opened(memory, scope, read_only=True) as opened:
        found = opened.stats()
    values = fields.of_stats(found)
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, **values}))
        return
    rows = [("memory", str(memory)), ("scope", scope), *((name, _value(name, value)) for name, value in values.items())]
    for line in _show.table((name.replace("_", " "), value) for name, value in rows):
        click.echo(line)


def _value(name: str, value: object) -> str:
    if name == "bytes" and isinstance(value, int):
        return _show.size(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{count:,} of {key}" for key, count in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value not in ("", None) else "not known"
