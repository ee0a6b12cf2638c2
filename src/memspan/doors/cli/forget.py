"""`memspan forget` and `memspan receipts`: erase for good, and what was erased."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from memspan.core.clock import iso
from memspan.core.errors import UsageError
from memspan.core.places import Location
from memspan.doors import fields
from memspan.doors.cli import _items, _options, _show
from memspan.doors.cli._stopping import Stopping

if TYPE_CHECKING:
    from memspan.core.changes import Receipt
    from memspan.text.memory import Memory

SHOWN = 5
_MEANS = {
    "planned": "nothing was changed",
    "pending": "gone from every table; another program still reads, so the log keeps the bytes until it is done and "
    "`memspan receipts` is run",
    "erased": "no byte of it is left in the file and its log",
}


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_options.whose_memory
@click.option("--session", help="All of this conversation.")
@click.option("--speaker", help="All that this speaker said.")
@click.option("--source", help='All that came from here, as its meta["source"] says.')
@click.option("--since", help="All that happened from this moment on: ISO 8601.")
@click.option("--until", help="All that happened before this moment.")
@click.option("--query", help="All that has all these words in it.")
@click.option("--everything", is_flag=True, help="The whole scope.")
@click.option("--dry-run", is_flag=True, help="Say what would go and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_options.json_option
def forget(
    ids: tuple[str, ...], memory: Location, scope: str, dry_run: bool, yes: bool, as_json: bool, **where: Any
) -> None:
    """Erase turns and records, what was made of them and every byte of them from the file, and print the receipt.

    Give IDs, --query, --everything, or any of the others: then what meets all of them goes. On a terminal it shows
    how much that is and asks; anywhere else it refuses without --yes (exit code 2). The exit code is 1 where nothing
    was forgotten. Words that were forgotten are refused when they come again, but for `memspan remember --again`.
    """
    where = {name: value for name, value in where.items() if value is not None}
    with _options.opened(memory, scope, read_only=dry_run) as opened:
        plan = opened.forget(list(ids) or None, dry_run=True, **where)
        if not plan.items or dry_run:
            _print(plan, _preview(opened, plan), memory, scope, as_json)
        elif yes or _agreed(opened, plan, scope):
            with Stopping() as stopping, stopping.held():  # what was erased is said, come what may
                receipt = opened.forget(list(ids) or None, confirm=plan.digest, **where)
                _print(receipt, [], memory, scope, as_json)
            return
        else:
            click.echo("nothing was forgotten", err=True)
    if not (dry_run and plan.items):
        sys.exit(1)


def _agreed(opened: "Memory", plan: "Receipt", scope: str) -> bool:
    """Whether the user says yes to what is shown. Raises UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"{_show.amount(plan.items, 'item')} would be forgotten for good, and nobody can be asked here; look at "
            "--dry-run, then give --yes. Nothing was forgotten"
        )
    click.echo(_title(plan, scope, "would be forgotten"), err=True)
    click.echo("\n".join(_preview(opened, plan)), err=True)
    try:
        return click.confirm("There is no undo. Forget this?", err=True)
    except click.Abort:
        raise KeyboardInterrupt("stopped, nothing was forgotten") from None


def _preview(opened: "Memory", plan: "Receipt") -> list[str]:
    """The first few texts that would go."""
    lines = list(_items.listed(opened, plan.ids[:SHOWN]))
    if len(plan.ids) > SHOWN:
        lines.append(f"{_show.INDENT}and {len(plan.ids) - SHOWN:,} more")
    return lines


@click.command()
@_options.whose_memory
@_options.json_option
def receipts(memory: Location, scope: str, as_json: bool) -> None:
    """Print the receipts of all that was forgotten in a scope, the oldest first; finishes what was kept pending.

    The exit code is 1 where nothing was ever forgotten.
    """
    with _options.opened(memory, scope) as opened:
        found = opened.receipts()
    if as_json:
        told = [fields.of_receipt(receipt) for receipt in found]
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, "receipts": told}))
    for receipt in () if as_json else found:
        click.echo("\n".join((*_page(receipt, [], scope), "")))
    if not found:
        if not as_json:
            click.echo(_show.one_line(f"nothing was ever forgotten in {memory}, scope {scope}"))
        sys.exit(1)


def _print(receipt: "Receipt", preview: list[str], memory: Location, scope: str, as_json: bool) -> None:
    if as_json:
        click.echo(_show.as_json({"memory": str(memory), "scope": scope, **fields.of_receipt(receipt)}))
    elif not receipt.items:
        click.echo(_show.one_line(f"nothing to forget {receipt.selector} in {memory}, scope {scope}"))
    else:
        click.echo("\n".join(_page(receipt, preview, scope)))


def _title(receipt: "Receipt", scope: str, done: str) -> str:
    what = f"{_show.amount(receipt.items, 'item')} of scope {scope} {done}, selected {receipt.selector}"
    return click.style(_show.one_line(what), bold=True)


def _page(receipt: "Receipt", preview: list[str], scope: str) -> Iterator[str]:
    planned = receipt.status == "planned"
    yield _title(receipt, scope, "would be forgotten" if planned else "forgotten")
    yield from preview
    rows = dict(receipt.rows)
    tombstones = rows.pop("tombstone", 0)
    facts = [
        ("status", f"{receipt.status}: {_MEANS[receipt.status]}"),
        ("operation", "" if planned else str(receipt.operation)),
        ("at", "" if planned else iso(receipt.at)),
        ("rows", ", ".join(f"{table} {count:,}" for table, count in rows.items() if count)),
        ("left", f"{_show.amount(tombstones, 'tombstone')}, to refuse the same words by" if tombstones else ""),
        ("kept", f"{', '.join(receipt.kept)}: on hold" if receipt.kept else ""),
        ("digest", receipt.digest),
        ("not covered", receipt.not_covered),
    ]
    for name, value in facts:
        if value:
            lines = _show.wrapped(_show.one_line(value), " " * 15).lstrip()
            yield f"  {name:<11}  {lines}"
