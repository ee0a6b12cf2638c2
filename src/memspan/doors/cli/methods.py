"""`memspan methods`: what can be plugged in."""

import click

from memspan.core.errors import MissingExtra
from memspan.core.records import Json
from memspan.core.registry import WINGS, load
from memspan.core.registry import methods as names_of
from memspan.doors.cli import _options, _show


@click.command()
@click.argument("wing", required=False)
@_options.json_option
def methods(wing: str | None, as_json: bool) -> None:
    """List all methods, or those of one WING (such as embed), with what they need and where they come from."""
    wings = [wing] if wing else sorted(WINGS)
    listed = [{"wing": each, "name": name, **_card(each, name)} for each in wings for name in names_of(each)]
    if as_json:
        click.echo(_show.as_json(listed))
        return
    for line in _show.table((f"{row['wing']}/{row['name']}", _line(row)) for row in listed):
        click.echo(line)


def _card(wing: str, name: str) -> dict[str, Json]:
    try:
        card = getattr(load(wing, name), "card", None)
    except MissingExtra as missing:
        return {"title": str(missing), "needs": missing.extra, "source": "", "year": None}
    if card is None:
        return {"title": "", "needs": "", "source": "", "year": None}
    return {"title": card.title, "needs": card.needs, "source": card.source, "year": card.year}


def _line(row: dict[str, Json]) -> str:
    needs = f" (needs {row['needs']})" if row["needs"] not in ("", "nothing") else ""
    return f"{row['title']}{needs}"
