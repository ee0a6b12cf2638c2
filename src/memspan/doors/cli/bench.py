"""`memspan bench`: measure recall on labelled conversations, and speed on this machine."""

import json
import sys
from pathlib import Path
from typing import Any

import click

ALL_SETS = "locomo,beam,realmem,knowme-d3,lifebench,madial,memdaily,prefeval,multihop,standing-syn"
_OUT = click.Path(dir_okay=False, path_type=Path)


def _list(context: click.Context, option: click.Parameter, value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _sizes(context: click.Context, option: click.Parameter, value: str) -> list[int]:
    try:
        sizes = [int(size.replace("_", "")) for size in _list(context, option, value)]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of whole numbers such as 10000,100000") from None
    if not sizes or min(sizes) < 1:
        raise click.BadParameter("every size is at least one turn")
    return sizes


def _command() -> list[str]:
    return ["memspan", *sys.argv[1:]]


def _write(path: Path | None, result: dict[str, Any]) -> None:
    if path:
        path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@click.group(short_help="Measure recall on labelled data, and speed.")
def bench() -> None:
    """Measure quality on labelled data, and speed."""


@bench.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder that holds the data sets.")
@click.option("--sets", default=ALL_SETS, show_default=True, callback=_list, help="Data sets, comma separated.")
@click.option("--systems", default="default,bm25", show_default=True, callback=_list, help="Systems, comma separated.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the tables here.")
@click.option("--rows", "rows_path", type=_OUT, help="Write every question's figures here, one JSON object a line.")
@click.option("--limit-cases", type=click.IntRange(1), help="Only the first so many cases of each set.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(100), help="Bootstrap draws.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of the bootstrap.")
def run(
    json_path: Path | None, md_path: Path | None, rows_path: Path | None, resamples: int, seed: int, **plan: Any
) -> None:
    """Run systems over labelled conversations and compare them."""
    from memspan.bench.report import Resampling
    from memspan.bench.run import Plan, execute
    from memspan.bench.tables import markdown

    plan["resampling"] = Resampling(resamples=resamples, seed=seed)
    result, board = execute(Plan(**plan), _command())
    _write(json_path, result)
    if rows_path:
        lines = (json.dumps(row, ensure_ascii=False) for row in board.rows())
        rows_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables = markdown(result)
    if md_path:
        md_path.write_text(tables, encoding="utf-8")
    click.echo(tables, nl=False)


@bench.command()
@click.option("--records", default="10000,100000", show_default=True, callback=_sizes, help="Turns, comma separated.")
@click.option("--data", type=click.Path(path_type=Path), help="Build the text from the turns of LoCoMo found here.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Disk to measure on.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
@click.option("--asked", default=200, show_default=True, type=click.IntRange(10), help="How many recalls.")
@click.option("--told", default=200, show_default=True, type=click.IntRange(10), help="How many single remembers.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of text and questions.")
def speed(data: Path | None, json_path: Path | None, md_path: Path | None, **plan: Any) -> None:
    """Time recall and remember, beside FTS5 with a NumPy cosine."""
    from memspan.bench.datasets import real_texts
    from memspan.bench.speed import SpeedPlan, measure
    from memspan.bench.tables import speed_markdown

    plan["texts"] = real_texts(data) if data else ()
    result = measure(SpeedPlan(**plan), _command(), lambda line: click.echo(line, err=True))
    _write(json_path, result)
    table = speed_markdown(result)
    if md_path:
        md_path.write_text(table, encoding="utf-8")
    click.echo(table, nl=False)


@bench.command()
@click.option("--records", default="10000,100000", show_default=True, callback=_sizes, help="Turns, comma separated.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Disk to measure on.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
@click.option("--asked", default=200, show_default=True, type=click.IntRange(10), help="How many recalls of each kind.")
@click.option("--times", default=20, show_default=True, type=click.IntRange(3), help="How many of each change.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of text and questions.")
def changing(json_path: Path | None, md_path: Path | None, **plan: Any) -> None:
    """Time correct, undo, looking back and forget in a large memory."""
    from memspan.bench.changing import ChangingPlan, markdown, measure

    result = measure(ChangingPlan(**plan), _command(), lambda line: click.echo(line, err=True))
    _write(json_path, result)
    table = markdown(result)
    if md_path:
        md_path.write_text(table, encoding="utf-8")
    click.echo(table, nl=False)


@bench.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder that holds the data sets.")
@click.option("--sets", default="locomo", show_default=True, callback=_list, help="Data sets, comma separated.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write into.")
def turns(data: Path, sets: list[str], out: Path) -> None:
    """Write a data set's conversations as files that remember reads."""
    from memspan.bench.convert import write_turns

    for path, count in write_turns(data, sets, out):
        click.echo(f"{path}: {count:,} turns")


@bench.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder that holds the data sets.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
def ranges(data: Path, json_path: Path | None, md_path: Path | None) -> None:
    """Compare the times that questions mean, read by rules, with labels."""
    from memspan.bench.time_ranges import markdown, measure

    result = measure(data, _command())
    _write(json_path, result)
    table = markdown(result)
    if md_path:
        md_path.write_text(table, encoding="utf-8")
    click.echo(table, nl=False)


@bench.command()
@click.option("--cases", "only", default="", callback=_list, help="Ids like A1,C3, comma separated; without, all.")
@click.option("--variants", default=20, show_default=True, type=click.IntRange(1, 1000), help="Of each case.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of data sets, to count flags on real turns.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
def attacks(json_path: Path | None, md_path: Path | None, **plan: Any) -> None:
    """Plant attacks in conversations and see what holds."""
    from memspan.bench.attacks.report import Plan, markdown, measure

    result = measure(Plan(**plan), _command(), lambda line: click.echo(line, err=True))
    _write(json_path, result)
    table = markdown(result)
    if md_path:
        md_path.write_text(table, encoding="utf-8")
    click.echo(table, nl=False)


@bench.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder that holds letta-core; without it, streams only.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the tables here.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of the generated streams.")
def updates(data: Path | None, json_path: Path | None, md_path: Path | None, seed: int) -> None:
    """See whether the last word comes first when facts change."""
    from memspan.bench.updates.measure import markdown, measure

    result = measure(data, seed, _command(), lambda line: click.echo(line, err=True))
    _write(json_path, result)
    tables = markdown(result)
    if md_path:
        md_path.write_text(tables, encoding="utf-8")
    click.echo(tables, nl=False)
