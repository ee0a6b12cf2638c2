"""`memspan plan`: what would be needed, computed from measured figures."""

from dataclasses import asdict
from typing import Any

import click

from memspan.doors.cli import _options, _show


@click.group(short_help="Compute what would be needed.")
def plan() -> None:
    """Compute what would be needed, from measured figures."""


@plan.command()
@click.option("--tenants", default=1_000_000, show_default=True, type=click.IntRange(1), help="Each has a scope.")
@click.option("--records", default=1000, show_default=True, type=click.IntRange(1), help="Turns of each.")
@click.option("--recalls", default=20.0, show_default=True, type=click.FloatRange(0), help="Of a tenant on a day.")
@click.option("--remembers", default=20.0, show_default=True, type=click.FloatRange(0), help="Of a tenant on a day.")
@click.option("--peak", default=3.0, show_default=True, type=click.FloatRange(0), help="Busiest time over the mean.")
@click.option(
    "--open-share", default=0.8, show_default=True, type=click.FloatRange(0, 1), help="Recalls in open scopes."
)
@click.option(
    "--store", type=click.Choice(["file", "postgres"]), default="postgres", show_default=True, help="Where it lies."
)
@click.option("--cores", default=16, show_default=True, type=click.IntRange(1), help="Of one server.")
@click.option("--memory-gb", default=64.0, show_default=True, type=click.FloatRange(0.1), help="Of one server.")
@click.option("--disk-gb", default=2000.0, show_default=True, type=click.FloatRange(0.1), help="Of one server.")
@_options.json_option
def scale(store: str, as_json: bool, **told: Any) -> None:
    """Compute servers, disk, memory and the slowest percent of calls for many tenants.

    The model and what it assumes stand in docs/scale.md; tools/measure_scope.py measures what it goes by.
    """
    from memspan.plan.scale import COSTS, Load, Machine
    from memspan.plan.scale import plan as computed

    machine = Machine(
        cores=told.pop("cores"), memory=int(told.pop("memory_gb") * 1e9), disk=int(told.pop("disk_gb") * 1e9)
    )
    made = computed(Load(**told), COSTS[store], machine)
    if as_json:
        click.echo(_show.as_json(asdict(made)))
        return
    rows = [
        ("servers", f"{made.servers:,} (decided by {made.limit})"),
        ("tenants of the fullest", f"{made.tenants_a_server:,}"),
        ("disk of all", _show.size(made.disk)),
        ("disk of the fullest", _show.size(made.disk_a_server)),
        ("scopes it keeps open", f"{made.open_scopes:,}, {_show.size(made.memory_a_server)}"),
        ("calls a second, all", f"{made.calls_a_second:,.0f}"),
        ("its cores are busy", f"{made.queue.load:.0%}"),
        ("calls that wait", f"{made.queue.waits:.2%}"),
        ("p50, p99 of a call", f"{_show.duration(made.p50_s)}, {_show.duration(made.p99_s)}"),
    ]
    for line in _show.table(rows):
        click.echo(line)
