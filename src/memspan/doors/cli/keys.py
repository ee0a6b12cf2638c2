"""`memspan keys`: who may call the server, for which scopes, and what they may do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from memspan.core.clock import now
from memspan.core.places import Location, spelt
from memspan.doors import fields
from memspan.doors.cli import _options, _show
from memspan.doors.cli.serve import state_option
from memspan.doors.rest.settings import RIGHTS, USUAL_RIGHTS, Settings

if TYPE_CHECKING:
    from memspan.doors.rest.keys import Key, Keys


@click.group()
def keys() -> None:
    """Make, list and revoke the keys of a memory's server. What is done here counts at once, in all its workers."""


@keys.command()
@_options.place_option
@state_option
@click.option("--tenant", required=True, help="Whose key: the first part, or parts, of the scopes it opens.")
@click.option("--scopes", default="", help="Open only these, and what lies below them.  [default: all of the tenant]")
@click.option(
    "--rights", default=",".join(USUAL_RIGHTS), show_default=True, help=f"What it may do: of {', '.join(RIGHTS)}."
)
@click.option("--expires", help="Good until then: ISO 8601.  [default: for ever]")
@_options.json_option
def add(
    memory: Location, state: str, tenant: str, scopes: str, rights: str, expires: str | None, as_json: bool
) -> None:
    """Make a key and print its token, this once: only a hash of it is kept.

    A key of tenant acme opens acme and acme/alice, never acme2. read: recall and all that looks; write: remember and
    all that changes; forget: erase; admin: the server's figures (/metrics).
    """
    with _opened(memory, state) as opened:
        key, token = opened.add(tenant, scopes=_listed(scopes), rights=_listed(rights), expires_at=expires)
    if as_json:
        click.echo(_show.as_json({**_told(key), "token": token}))
        return
    click.echo(token)
    click.echo(
        _show.one_line(f"key {key.id} opens {', '.join(key.scopes)}; keep the token, it is not shown again"), err=True
    )


@keys.command(name="list")
@_options.place_option
@state_option
@_options.json_option
def list_(memory: Location, state: str, as_json: bool) -> None:
    """List all keys there ever were, the oldest first; no token can be shown again."""
    with _opened(memory, state) as opened:
        found = opened.all()
    if as_json:
        click.echo(_show.as_json({"keys": [_told(key) for key in found]}))
        return
    for key in found:
        what = f"opens {', '.join(key.scopes)} to {', '.join(key.rights)}"
        click.echo(_show.one_line(f"{key.id}  {_status(key):8}  {what}{_until(key)}"))
    if not found:
        click.echo("no keys; only this machine can reach a server of this memory")


@keys.command()
@click.argument("id")
@_options.place_option
@state_option
def revoke(id: str, memory: Location, state: str) -> None:
    """Let the key ID open nothing any more, at once and for good."""
    with _opened(memory, state) as opened:
        key = opened.revoke(id)
    click.echo(_show.one_line(f"key {key.id} of {key.tenant} opens nothing any more"))


@contextmanager
def _opened(memory: Location, state: str) -> Iterator["Keys"]:
    from memspan.doors.rest.keys import Keys
    from memspan.doors.rest.state import State  # apsw loads here, not for --help

    file = State(Settings(place=spelt(memory), state=state).state_path)
    try:
        yield Keys(file)
    finally:
        file.close()


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _told(key: "Key") -> fields.Fields:
    times = {name: fields.moment(getattr(key, name)) for name in ("made_at", "expires_at", "revoked_at")}
    who = {"id": key.id, "tenant": key.tenant, "scopes": list(key.scopes), "rights": list(key.rights)}
    return {**who, "status": _status(key), **times}


def _status(key: "Key") -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "good" if key.alive(now()) else "expired"


def _until(key: "Key") -> str:
    return f", until {_show.when(key.expires_at)}" if key.expires_at is not None else ""
