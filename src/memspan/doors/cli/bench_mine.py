"""`memspan bench mine`: a memory asked about itself."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memspan.doors.cli import _options, _show

if TYPE_CHECKING:
    from memspan.bench.mine import Way

_OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@_options.whose_memory
@click.option("--against", type=click.Path(dir_okay=False, path_type=Path), help="Another file with the same turns.")
@click.option("--setting", type=click.Choice(_options.SETTINGS), help="Ask the same memory with another setting too.")
@click.option("--quality", type=click.Choice(["high"]), help="Ask the same memory with that quality too.")
@click.option("--questions", default=200, show_default=True, type=click.IntRange(10, 5000), help="At most so many.")
@click.option("--show", default=0, type=click.IntRange(0), help="Print so many examples, with what was remembered.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the tables here.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of the questions and the bootstrap.")
def mine(
    memory: Path, scope: str, against: Path | None, setting: str | None, quality: str | None,
    json_path: Path | None, md_path: Path | None, **plan: Any,
) -> None:  # fmt: skip
    """Make questions of a memory's own turns, and see whether they are found.

    No labels are needed. The file is only read; where --setting lacks vectors, a copy is embedded and deleted.
    Nothing of what was remembered is printed or written, unless --show asks for examples.
    """
    from memspan.bench.mine import MinePlan, markdown, measure

    plan["ways"] = list(_ways(memory, scope, against, setting, quality))
    command = ["memspan", *sys.argv[1:]]
    result = measure(MinePlan(**plan), command, lambda said: click.echo(_show.one_line(said), err=True))
    if json_path:
        json_path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    tables = _show.safe(markdown(result))
    if md_path:
        md_path.write_text(tables, encoding="utf-8")
    click.echo(tables, nl=False)


def _ways(memory: Path, scope: str, against: Path | None, setting: str | None, quality: str | None) -> "list[Way]":
    """The memory as it is, then what it is compared with."""
    from memspan.bench.mine import Way

    for path in (memory, against):
        if path is not None:
            _options.must_exist(path)
    key = {"key": _options.key()}
    ways = [Way(label=memory.name, path=memory, scope=scope, memory=key)]
    if against is not None:
        label = against.name if against.name != memory.name else str(against)
        ways.append(Way(label=label, path=against, scope=scope, memory=key))
    if setting is not None:
        label = f"{memory.name}, {setting}"
        ways.append(Way(label=label, path=memory, scope=scope, memory={**key, "setting": setting}))
    if quality is not None:
        label = f"{memory.name}, quality {quality}"
        ways.append(Way(label=label, path=memory, scope=scope, memory=key, recall={"quality": quality}))
    return ways
