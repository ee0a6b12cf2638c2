"""`memspan migrate`: a memory from a file to a server, or back."""

from contextlib import closing
from pathlib import Path

import click

from memspan.core.places import is_url
from memspan.doors.cli import _options, _show


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--scope", "-s", "scopes", multiple=True, help="Only this one; may be given several times.")
@_options.key_file_option
@_options.json_option
def migrate(source: str, target: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Copy a memory to another place: a file to a postgresql:// server, a server to a file.

    Everything comes along: turns, records, links, states, the log of changes, receipts, what may not be learned again.
    Every row is read again on both sides in the end. FROM stays as it is. A scope that is in TO already is refused; a
    call that was stopped goes on where it was.
    """
    if not is_url(source):
        _options.must_exist(Path(source))
    from memspan.text.store.migrate import migrate as move  # apsw and psycopg load here, not for --help
    from memspan.text.store.opening import open_store

    keys = [None if is_url(place) else _options.key() for place in (source, target)]
    bar = _show.Bar("migrate")
    with (
        closing(open_store(source, read_only=True, key=keys[0])) as here,
        closing(open_store(target, key=keys[1])) as there,
    ):
        try:
            done = move(here, there, scopes, bar)
        finally:
            bar.clear()
    if as_json:
        told = {"scopes": list(done.scopes), "rows": done.rows, "resumed": done.resumed}
        click.echo(
            _show.as_json({**told, "verified": sum(done.rows.values()), "written_meanwhile": list(done.meanwhile)})
        )
    else:
        click.echo(f"moved {_show.amount(len(done.scopes), 'scope')} with {_show.amount(done.rows['turn'], 'turn')}")
        for line in _show.table((name, f"{count:,}") for name, count in done.rows.items() if count):
            click.echo(f"  {line}")
        click.echo(f"all {sum(done.rows.values()):,} rows were read again on both sides and are the same")
    for scope in done.meanwhile:
        click.echo(
            f"memspan: scope {_show.one_line(scope)} was written to meanwhile; that did not come along", err=True
        )
    if done.meanwhile:
        raise SystemExit(1)
