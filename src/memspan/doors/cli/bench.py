"""`memspan bench`: measure recall on labelled conversations, and speed on this machine."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click

from memspan.doors.cli._show import Bar
from memspan.doors.cli.bench_doors import doors
from memspan.doors.cli.bench_kv import kv
from memspan.doors.cli.bench_mine import mine

_OUT = click.Path(dir_okay=False, path_type=Path)


def _list(context: click.Context, option: click.Parameter, value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").split(",") if name.strip()]


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


bench.add_command(mine)
bench.add_command(doors)
bench.add_command(kv)


@bench.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of your data sets; without, only those made.")
@click.option("--sets", callback=_list, help="Data sets, comma separated.  [default: all that are there]")
@click.option("--systems", callback=_list, help="Systems, comma separated.  [default: default,bm25]")
@click.option("--all", "every", is_flag=True, help="Every data set and every system, peers too.")
@click.option("--quick", is_flag=True, help="Some 40 questions of each set, no large case: minutes.")
@click.option("--test", is_flag=True, help="Ask the test clusters too; the ledger keeps that you did.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="[default: benchmarks/DATE]")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--limit-s", type=click.FloatRange(1), help="Of one system on one set.  [default: 1800, peers 60]")
@click.option("--answerer", help="openai:MODEL@URL: a model that answers from what was packed; key in OPENAI_API_KEY.")
@click.option("--judge", help="openai:MODEL@URL: a model that judges those answers; the result names both.")
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(100), help="Bootstrap draws.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of the bootstrap.")
def run(out: Path | None, every: bool, sets: list[str], systems: list[str], **plan: Any) -> None:
    """Run systems over labelled conversations and compare them.

    \b
    Writes into the folder of --out:
      report.html, report.md     to read; result.json is the same for programs
      plots/                     PNG and SVG, with the extra [bench]
      ledger.jsonl               every run, and what each system did on each set
      replies.jsonl              what systems answered: a run that was cut off goes on from it
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported, here and in the workers
    from memspan.bench.answerer import Answerer, Judge
    from memspan.bench.datasets import usual
    from memspan.bench.outputs import write
    from memspan.bench.report import Resampling
    from memspan.bench.run import Plan, execute
    from memspan.bench.systems import usual as usual_systems
    from memspan.text.embed.onnx import default_model_dir

    key = os.environ.get("OPENAI_API_KEY", "")
    out = out or Path("benchmarks") / date.today().isoformat()
    chosen: dict[str, Any] = {
        "sets": sets or usual(),
        "systems": systems or (usual_systems() if every else ["default", "bm25"]),
        "lenient": not sets,
        "vectors": default_model_dir().parent / "bench-vectors.db",
        "answerer": Answerer.of(answerer, key) if (answerer := plan.pop("answerer")) else None,
        "judge": Judge.of(judge, key) if (judge := plan.pop("judge")) else None,
        "resampling": Resampling(resamples=plan.pop("resamples"), seed=plan.pop("seed")),
    }
    with _progress() as say:
        result = execute(Plan(out=out, **chosen, **plan), _command(), say)
    tables, missing = write(result, out)
    click.echo(tables.partition("## Each set")[0], nl=False)
    click.echo(f"\nReport: {out / 'report.html'}", err=True)
    if missing:
        click.echo(missing, err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line that is written over, on a terminal; Ctrl-C says how to go on."""
    bar = Bar("bench")

    def say(note: str) -> None:
        bar.note = note
        bar(0, 0)

    try:
        yield say
    except KeyboardInterrupt:
        click.echo("\nStopped. What is done is kept: the same command goes on from there.", err=True)
        raise
    finally:
        bar.clear()


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
@click.argument("url")
@click.option("--records", default="1000,100000", show_default=True, callback=_sizes, help="Turns, comma separated.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Disk for the file.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
@click.option("--asked", default=200, show_default=True, type=click.IntRange(30), help="How many recalls.")
@click.option("--told", default=100, show_default=True, type=click.IntRange(10), help="How many single remembers.")
@click.option("--seed", default=7, show_default=True, type=int, help="Of text and questions.")
def postgres(url: str, json_path: Path | None, md_path: Path | None, **plan: Any) -> None:
    """Time a memory on the PostgreSQL server at URL, beside a file and beside the server's own search."""
    from memspan.bench.on_server import ServerPlan, markdown, measure
    from memspan.core.places import Server

    result = measure(ServerPlan(server=Server(url), **plan), _command(), lambda said: click.echo(said, err=True))
    _write(json_path, result)
    page = markdown(result)
    if md_path:
        md_path.write_text(page, encoding="utf-8")
    click.echo(page, nl=False)


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


@bench.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cards(name: str | None, as_json: bool) -> None:
    """Show what data sets hold, whose they are, and how to read a figure."""
    from memspan.bench.cards import card, names, page

    shown = [card(name)] if name else [card(one) for one in names()]
    if as_json:
        told = [one.fields() for one in shown]
        click.echo(json.dumps(told[0] if name else told, indent=2, ensure_ascii=False))
    elif name:
        click.echo(page(shown[0]), nl=False)
    else:
        click.echo("".join(f"{one.name:<22}{one.title}\n" for one in shown), nl=False)


@bench.command()
@click.option("--install", is_flag=True, help="Make the environments that are missing, with pip.")
@click.option("--only", callback=_list, help="Peers, comma separated.  [default: all]")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="[default: the user's cache folder]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def peers(install: bool, only: list[str], folder: Path | None, as_json: bool) -> None:
    """Show which other systems can be measured here.

    Each lives in a virtual environment of its own, never in yours. With --install they are fetched from the package
    index; without, nothing leaves this machine, and while they are measured they may not call the network.
    """
    from memspan.bench.peers import environments
    from memspan.bench.peers.client import try_out
    from memspan.bench.peers.pins import PINS, pin

    chosen, root = [pin(name) for name in only or PINS], folder or environments.default_root()
    failed = None
    if install:
        bar = Bar("peers")

        def say(note: str) -> None:
            bar.note = note
            bar(0, 0)

        failed = environments.install_all(chosen, root, say, try_out)
        bar.clear()
    found = [environments.look(one, root, weigh=True) for one in chosen]
    if as_json:
        click.echo(json.dumps([environments.fields(one) for one in found], indent=2, ensure_ascii=False))
    else:
        click.echo(environments.table(found), nl=False)
    if failed:
        raise failed


@bench.command()
@click.option("--systems", default="default,bm25", show_default=True, callback=_list, help="Systems, comma separated.")
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the table here.")
def operations(systems: list[str], json_path: Path | None, md_path: Path | None) -> None:
    """Score what systems derive: facts found, guesses believed, changes followed."""
    from memspan.bench.operations import markdown, measure

    result = measure(systems, _command())
    _write(json_path, result)
    tables = markdown(result)
    if md_path:
        md_path.write_text(tables, encoding="utf-8")
    click.echo(tables, nl=False)
