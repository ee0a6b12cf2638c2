"""`memspan bench kv`: what a model still answers when its cache is compressed, in how many bytes and how fast."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from memspan.doors.cli._show import Bar

if TYPE_CHECKING:
    from memspan.bench.kv.run import KvPlan, Seen

_OUT = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _names(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    return [name for name in (part.strip() for part in value.split(",")) if name and name != "all"]


def _shares(_context: click.Context, _option: click.Parameter, value: str) -> list[float]:
    try:
        return [float(part) for part in value.split(",") if part.strip()]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of shares such as 1,.5,.25") from None


@click.command()
@click.option(
    "--methods", default="all", show_default=True, callback=_names, help="Methods and codecs, comma separated."
)
@click.option("--budgets", default="1,.5,.25,.125", show_default=True, callback=_shares, help="Shares of the rows.")
@click.option("--tasks", default="all", show_default=True, callback=_names, help="Tasks, comma separated.")
@click.option(
    "--parts", default="accuracy", show_default=True, callback=_names, help="Of accuracy,speed,cost, comma separated."
)
@click.option("--batch", default=32, show_default=True, type=click.IntRange(2), help="Sequences at once.")
@click.option("--context", default=480, show_default=True, type=click.IntRange(32), help="Tokens of a sequence.")
@click.option("--needles", default=24, show_default=True, type=click.IntRange(4, 64), help="In each sequence.")
@click.option("--seeds", default=4, show_default=True, type=click.IntRange(1), help="Batches of each task.")
@click.option("--tokens", default=4096, show_default=True, type=click.IntRange(64), help="Of the prompt that is timed.")
@click.option("--no-peers", is_flag=True, help="Leave kvpress out where it is installed.")
@click.option("--quick", is_flag=True, help="Two methods at one budget, small batches, seconds: to see that it works.")
@click.option(
    "--folder", type=_FOLDER, help="Models, made where they are not there.  [default: the user's cache folder]"
)
@click.option("--json", "json_path", type=_OUT, help="Write the result here.")
@click.option("--md", "md_path", type=_OUT, help="Write the tables here.")
@click.option("--html", "html_path", type=_OUT, help="Write the page here.")
@click.option("--plots", type=_FOLDER, help="Write PNG and SVG here, with the extra [bench].")
@click.option("--seed", default=0, show_default=True, type=int, help="Of the first batch of each task.")
def kv(
    json_path: Path | None, md_path: Path | None, html_path: Path | None, plots: Path | None, **options: Any
) -> None:
    """See what a model still answers when its cache is compressed.

    Accuracy, bytes and time of every method at every budget, on two small models that are made here at the first call,
    beside transformers' own cache and kvpress, which runs in a process of its own (memspan bench peers --install).
    What is measured is kept in --folder until the run is complete: one that was cut off goes on from there.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported, here and beside
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # its bars would break ours
    from memspan.core.errors import MissingExtra

    try:
        from memspan.bench.kv.run import measure, text_of
    except ImportError as error:
        raise MissingExtra("kv", "memspan bench kv") from error
    from memspan.bench.kv import page, tables
    from memspan.bench.kv.plots import write as write_plots

    with _seen() as seen:
        result = measure(_plan(options), ["memspan", *sys.argv[1:]], seen)
    shown = tables.markdown(result)
    if json_path:
        json_path.write_text(text_of(result), encoding="utf-8")
    if md_path:
        md_path.write_text(shown, encoding="utf-8")
    if html_path:
        page.write(result, html_path)
    if plots and "rows" in result:
        write_plots(result, plots)
    click.echo(shown, nl=False)


def _plan(options: dict[str, Any]) -> "KvPlan":
    from memspan.bench.kv.exams import Sizes
    from memspan.bench.kv.run import KvPlan, quick

    quickly, folder = options.pop("quick"), options.pop("folder")
    sizes = Sizes(**{name: options.pop(name) for name in ("batch", "context", "needles", "seeds")})
    plan = KvPlan(sizes=sizes, peers=not options.pop("no_peers"), **options)
    plan = replace(plan, folder=folder) if folder else plan
    return quick(plan) if quickly else plan


@contextmanager
def _seen() -> Iterator["Seen"]:
    """A line that is written over, on a terminal; Ctrl-C says how to go on."""
    from memspan.bench.kv.run import Seen

    bar = Bar("bench kv")

    def say(note: str) -> None:
        bar.note = note
        bar(0, 0)

    try:
        yield Seen(say=say, progress=bar)
    except KeyboardInterrupt:
        click.echo("\nStopped. What is done is kept: the same command goes on from there.", err=True)
        raise
    finally:
        bar.clear()
