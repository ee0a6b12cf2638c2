"""`memspan pin`, `unpin`, `hold`, `release`, `expire`, `archive`, `restore`: what is to become of one item."""

from typing import TYPE_CHECKING, Any

import click

from memspan.core.places import Location
from memspan.doors.cli import _items, _options, _show

if TYPE_CHECKING:
    from memspan.text.memory import Memory

_reason = click.option("--reason", default="", help="Why; kept with the change.")


def _of_one_item(command: Any) -> click.Command:  # Any: click's own decorators
    """A command on one id of a memory."""
    with_options = click.argument("id")(_options.whose_memory(command))
    return click.command()(with_options)


def _say(opened: "Memory", memory: Location, id: str, done: str, as_json: bool, **facts: str | None) -> None:
    if as_json:
        fields = {"memory": str(memory), "scope": opened.scope, "id": id, "done": done, **facts}
        click.echo(_show.as_json(fields))
        return
    told = "".join(f" {name} {value}:" for name, value in facts.items() if value)
    click.echo(_show.one_line(f"{done}{told} {id}"))
    click.echo("\n".join(_items.listed(opened, [id])))


@_of_one_item
@_options.json_option
def pin(id: str, memory: Location, scope: str, as_json: bool) -> None:
    """Keep the turn or record ID when others are archived for room."""
    with _options.opened(memory, scope) as opened:
        opened.pin(id)
        _say(opened, memory, id, "pinned", as_json)


@_of_one_item
@_options.json_option
def unpin(id: str, memory: Location, scope: str, as_json: bool) -> None:
    """Let ID be archived for room again."""
    with _options.opened(memory, scope) as opened:
        opened.pin(id, False)
        _say(opened, memory, id, "unpinned", as_json)


@_of_one_item
@_reason
@_options.json_option
def hold(id: str, reason: str, memory: Location, scope: str, as_json: bool) -> None:
    """Refuse to forget ID until `memspan release`: a legal hold, say."""
    with _options.opened(memory, scope) as opened:
        opened.hold(id, reason=reason)
        _say(opened, memory, id, "held", as_json)


@_of_one_item
@_reason
@_options.json_option
def release(id: str, reason: str, memory: Location, scope: str, as_json: bool) -> None:
    """Take the hold off ID: it may be forgotten again."""
    with _options.opened(memory, scope) as opened:
        opened.release(id, reason=reason)
        _say(opened, memory, id, "released", as_json)


@_of_one_item
@click.option("--at", help="The moment: ISO 8601, e.g. 2025-01-31 or 2025-01-31T18:00Z.")
@click.option("--never", is_flag=True, help="Take the moment away again.")
@_options.json_option
def expire(id: str, at: str | None, never: bool, memory: Location, scope: str, as_json: bool) -> None:
    """Hide ID from a moment on; the first `memspan reflect` after it erases it."""
    if (at is None) != never:
        raise click.UsageError("give --at WHEN, or --never.")
    from memspan.core.clock import iso, seconds

    moment = None if at is None else seconds(at)
    with _options.opened(memory, scope) as opened:
        opened.expire(id, moment)
        when = None if moment is None else iso(moment)
        _say(opened, memory, id, "never expires" if never else "expires", as_json, at=when)


@_of_one_item
@_reason
@_options.json_option
def archive(id: str, reason: str, memory: Location, scope: str, as_json: bool) -> None:
    """Put ID out of the way: no recall finds it until `memspan restore`."""
    with _options.opened(memory, scope) as opened:
        opened.archive(id, reason=reason)
        _say(opened, memory, id, "archived", as_json)


@_of_one_item
@_reason
@_options.json_option
def restore(id: str, reason: str, memory: Location, scope: str, as_json: bool) -> None:
    """Bring ID back that was archived, superseded or quarantined."""
    with _options.opened(memory, scope) as opened:
        opened.restore(id, reason=reason)
        _say(opened, memory, id, "restored", as_json)
