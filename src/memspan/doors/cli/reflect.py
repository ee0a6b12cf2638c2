"""`memspan reflect`: consolidate what was said."""

from typing import TYPE_CHECKING

import click

from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _options, _show

if TYPE_CHECKING:
    from memspan.text.consolidate.jobs import Reflected


@click.command()
@_options.whose_memory
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="Stop after so long; the next call goes on.  [default: to the end]"
)
@_options.json_option
def reflect(memory: Location, scope: str, seconds: float | None, as_json: bool) -> None:
    """Consolidate a scope: episodes, days and weeks and months, entities, standing wishes, duplicates.

    It also decides what new turns replace or contradict, erases what has expired and archives what is past the
    capacity. Every derived record cites its turns.
    Stopped or killed, the next call goes on; where nothing is new, it does nothing.
    """
    from memspan.core.budget import Budget

    bar = _show.Bar("reflecting")
    with _options.opened(memory, scope) as opened:
        try:
            done = opened.reflect(budget=Budget(seconds=seconds), progress=bar)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("stopped. What was done stays; run it again to go on") from None
        finally:
            bar.clear()
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, **fields.of_reflected(done)}))
        return
    click.echo(_told(done))


def _told(done: "Reflected") -> str:
    counts = {
        **{f"{kind} record": count for kind, count in done.derived.items()},
        "link": done.links,
        "superseded turn": done.superseded,
        "retired record": done.retired,
        "expired turn": done.expired,
        "archived turn": done.archived,
    }
    parts = [_show.amount(count, thing) for thing, count in counts.items() if count]
    looked = f"looked at {_show.amount(done.turns, 'turn')} in {_show.duration(done.cost.seconds)}"
    rest = "" if done.finished else "\nnot finished within the time given; run it again to go on"
    return f"{looked}: {', '.join(parts) or 'nothing new'}{rest}"
