"""`memspan doctor`: check a memory file, make its derived tables anew, save what is readable of a damaged one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memspan.core.errors import UsageError
from memspan.core.places import Location
from memspan.core.records import Json
from memspan.doors.cli import _options, _show

if TYPE_CHECKING:
    from memspan.text.store.doctor import Health


@click.command()
@_options.memory_option
@click.option("--rebuild", is_flag=True, help="Make all derived tables anew from the turns.")
@click.option(
    "--repair", is_flag=True, help="Save every readable turn into a new file; the damaged one is kept beside it."
)
@_options.json_option
def doctor(memory: Location, rebuild: bool, repair: bool, as_json: bool) -> None:
    """Read every row of a memory file, of all its scopes, and compare it with its checksum.

    The exit code is 1 where problems are left. Without --rebuild and --repair nothing is changed.
    """
    _options.must_exist(memory)
    if rebuild and repair:
        raise click.UsageError("--rebuild mends derived tables, --repair a damaged file: give one of them.")
    done: dict[str, Json] = {}
    if repair:
        done = _repair(memory)
    elif rebuild:
        done = {"rebuilt": _rebuild(memory)}
    health = _examined(memory)
    _report(health, memory, done, as_json)
    if not health.ok:
        sys.exit(1)


def _examined(memory: Location) -> "Health":
    from memspan.text.store.doctor import check, examine
    from memspan.text.store.opening import open_store

    if isinstance(memory, Path):
        return examine(memory, _options.key())
    store = open_store(memory, read_only=True)
    try:
        return check(store)
    finally:
        store.close()


def _rebuild(memory: Location) -> int:
    """How many turns, of all scopes of the file."""
    from memspan.text.store.opening import open_store

    store = open_store(memory, read_only=True, key=_options.key())
    try:
        scopes = store.scopes()
    finally:
        store.close()
    bar, count = _show.Bar("rebuilding"), 0
    for scope in scopes:
        with _options.opened(memory, scope) as opened:
            count += opened.rebuild(bar)
    bar.clear()
    return count


def _repair(memory: Location) -> dict[str, Json]:
    from memspan.text.store.doctor import repair

    if not isinstance(memory, Path):
        raise UsageError("--repair makes a new file of a damaged one; on a server, restore a backup")
    bar = _show.Bar("repairing")
    made = repair(memory, bar, _options.key())
    bar.clear()
    return {
        "new_file": str(made.new_path),
        "damaged_file": str(made.quarantined_path),
        "saved": made.saved,
        "lost": list(made.lost),
        "renamed_scopes": list(made.renamed),
    }


def _report(health: "Health", memory: Location, done: dict[str, Json], as_json: bool) -> None:
    problems = [
        {"table": problem.table, "key": str(problem.key), "what": problem.what, "repairable": problem.repairable}
        for problem in health.problems
    ]
    if as_json:
        fields = {"memory": str(memory), "ok": health.ok, "checked": dict(health.checked), "problems": problems}
        click.echo(_show.as_json({**fields, **done}))
        return
    for line in _show.table((name.replace("_", " "), _value(value)) for name, value in done.items()):
        click.echo(line)
    checked = ", ".join(f"{table} {count:,}" for table, count in health.checked.items())
    click.echo(f"checked rows: {checked or 'none'}, in {_show.one_line(str(memory))}")
    for problem in problems:
        hint = "" if problem["repairable"] else " (not repairable)"
        click.echo(_show.one_line(f"problem: {problem['table']} {problem['key']}: {problem['what']}{hint}"))
    click.echo(
        "all is well" if health.ok else f"{_show.amount(len(problems), 'problem')}; try --rebuild, then --repair"
    )


def _value(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return f"{_show.amount(value, 'turn')}" if isinstance(value, int) else str(value)
