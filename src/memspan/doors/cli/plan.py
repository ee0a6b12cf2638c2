"""`memspan plan`: what would be needed, computed from measured figures."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from memspan.core.errors import UsageError
from memspan.doors.cli import _options, _show
from memspan.plan.cache import CODECS, SHAPES, ModelShape
from memspan.plan.device import DEVICES

if TYPE_CHECKING:
    from memspan.plan.theoretical_peak import Peak

_COMPARED = ("16-bit", "int8", "int4", "int2")
_SHARES = (1.0, 0.5, 0.25)


@click.group(short_help="Compute what would be needed.")
def plan() -> None:
    """Compute what would be needed, from measured figures."""


@plan.command()
@click.option("--model", type=click.Choice(list(SHAPES), case_sensitive=False), help="One whose shape is known.")
@click.option("--layers", type=click.IntRange(1), help="Of another model; takes the next four too.")
@click.option("--heads", type=click.IntRange(1), help="Of queries, in each layer.")
@click.option("--kv-heads", type=click.IntRange(1), help="That are stored, in each layer.")
@click.option("--head-dim", type=click.IntRange(1), help="Numbers of a key of one head.")
@click.option("--params-b", type=click.FloatRange(0, min_open=True), help="Weights, in billions.")
@click.option("--context", default=32_768, show_default=True, type=click.IntRange(1), help="Tokens of a sequence.")
@click.option(
    "--device",
    default="A100-80",
    show_default=True,
    type=click.Choice(list(DEVICES), case_sensitive=False),
    help="Where the model runs.",
)
@click.option("--devices", default=1, show_default=True, type=click.IntRange(1), help="As if splitting were free.")
@click.option("--codec", default="16-bit", show_default=True, type=click.Choice(list(CODECS)), help="Of the cache.")
@click.option(
    "--kept", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True), help="Share of the tokens."
)
@click.option(
    "--weight-bits", default=16.0, show_default=True, type=click.FloatRange(1, 32), help="Of each weight, scales too."
)
@_options.json_option
def cache(device: str, devices: int, context: int, weight_bits: float, as_json: bool, **told: Any) -> None:
    """Compute the bytes of a model's KV cache, what fits a device, and the least time of a step.

    Times are floors: everything read once at the maker's bandwidth. The formulas stand in docs/kv-costs.md.
    """
    from memspan.plan.cache import weight_bytes
    from memspan.plan.device import several
    from memspan.plan.theoretical_peak import compared, peak

    shape, on = _shape(told), several(DEVICES[device], devices)
    asked = peak(shape, on, context, codec=CODECS[told["codec"]], kept=told["kept"], weight_bits=weight_bits)
    others = compared(shape, on, context, [CODECS[name] for name in _COMPARED], _SHARES, weight_bits)
    weights = weight_bytes(shape, weight_bits)
    if as_json:
        made = {"shape": asdict(shape), "device": asdict(on), "context": context, "weight_bytes": weights}
        click.echo(_show.as_json({**made, "asked": asdict(asked), "compared": [asdict(row) for row in others]}))
        return
    head = [
        ("model", f"{shape.params / 1e9:.1f} billion weights, {_show.size(int(weights))} at {weight_bits:g} bits"),
        ("cache", f"{asked.codec}, {asked.kept:.0%} of {context:,} tokens"),
        ("device", f"{on.name}, {_show.size(on.memory)}, {_show.size(int(on.bandwidth))}/s"),
    ]
    for line in _show.table([*head, *_told(asked)]):
        click.echo(line)
    click.echo()
    for line in _columns(others):
        click.echo(line)


def _shape(told: dict[str, Any]) -> ModelShape:
    """The named model's, or that of the five numbers. Raises UsageError where neither or both are given."""
    names = ("layers", "heads", "kv_heads", "head_dim", "params_b")
    given = [name for name in names if told[name] is not None]
    if told["model"] and not given:
        return SHAPES[told["model"]]
    if told["model"] or len(given) < len(names):
        raise UsageError("give --model, or all of --layers, --heads, --kv-heads, --head-dim and --params-b instead")
    rest = {name: told[name] for name in names[:-1]}
    return ModelShape(params=max(1, round(told["params_b"] * 1e9)), **rest)


def _told(asked: "Peak") -> list[tuple[str, str]]:
    """The figures of one setting, by name."""
    sizes = [
        ("a token in the cache", _show.size(round(asked.token_bytes))),
        ("a sequence", _show.size(round(asked.sequence_bytes))),
    ]
    if not asked.fits:
        return [*sizes, ("sequences that fit", "none")]
    about = f"; measured like it: {_show.duration(asked.batch1_s)}" if asked.batch1_s else ""
    return [
        *sizes,
        ("sequences that fit", f"{asked.fits:,}"),
        ("a step of one", f"at least {_show.duration(asked.step_s)}{about}"),
        (
            "a step of all",
            f"at least {_show.duration(asked.full_step_s)}, at most {asked.tokens_a_second:,.0f} tokens/s",
        ),
        ("reading the prompt", f"at least {_show.duration(asked.prefill_s)}"),
        ("changing users", f"at least {_show.duration(asked.switch_s)}"),
    ]


def _columns(rows: "list[Peak]") -> Iterator[str]:
    """A line for each format and share."""
    yield f"{'codec':8}{'kept':>6}{'sequence':>12}{'fit':>9}{'step of one':>13}{'tokens/s':>10}"
    for row in rows:
        size, step = _show.size(round(row.sequence_bytes)), _show.duration(row.step_s)
        yield f"{row.codec:8}{row.kept:>6.0%}{size:>12}{row.fits:>9,}{step:>13}{row.tokens_a_second:>10,.0f}"


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
