"""Accuracy against bytes, a small chart a task: every cache a point, and the front that none of them beats.

Needs the extra [bench]: matplotlib is imported when plots are written, never before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memspan.bench.kv.tables import percent
from memspan.bench.looks import COLOURS
from memspan.bench.plots import STYLE, saved
from memspan.core.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = dict[str, Any]  # Any: read back from JSON
LOOKS = {
    "baseline": ("coal", "s", "full cache"),
    "codec": ("green", "D", "pages in few bits"),
    "memspan": ("blue", "o", "memspan, drops rows"),
    "lookup": ("magenta", "v", "memspan, keeps all and looks up"),
    "peer": ("vermilion", "^", "kvpress"),
}
"""By kind: colour, mark, words."""
ALIKE = 0.02
"""Positions of rows, which ours keep, come to one byte in a hundred here."""
MIN_GAP = 0.055
"""Labels nearer than this share of the height are pushed apart."""


def write(result: Result, folder: Path) -> list[Path]:
    """Draw `pareto` as PNG and SVG; gives the files. Raises MissingExtra without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("bench", "drawing plots") from None
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        return saved(_figure(result), folder / "pareto")


def front(rows: Sequence[Result]) -> list[Result]:
    """Those rows that no other beats, by bytes, ascending; with them those that are alike, a few bytes aside.

    >>> sizes = ((50, 0.2), (70, 0.1), (99, 0.9), (100, 0.9))
    >>> rows = [{"resident_bytes": size, "accuracy": {"mean": mean}} for size, mean in sizes]
    >>> [row["resident_bytes"] for row in front(rows)]
    [50, 99, 100]
    """
    found: list[Result] = []
    for row in sorted(rows, key=lambda row: (row["resident_bytes"], -row["accuracy"]["mean"])):
        if not found or row["accuracy"]["mean"] > found[-1]["accuracy"]["mean"] or alike(row, found[-1]):
            found.append(row)
    return found


def alike(row: Result, other: Result) -> bool:
    """Whether they answer the same in bytes that differ by less than ALIKE."""
    same = row["accuracy"]["mean"] == other["accuracy"]["mean"]
    return bool(same and abs(row["resident_bytes"] / other["resident_bytes"] - 1) < ALIKE)


def _figure(result: Result) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    tasks = result["tasks"]
    columns = min(3, len(tasks))
    lines = ceil(len(tasks) / columns)
    wide, high = 0.8 + 4.3 * columns, 1.0 + 3.0 * lines
    figure = Figure(figsize=(wide, high))
    grid = figure.subplots(lines, columns, squeeze=False).flatten()
    figure.subplots_adjust(
        left=0.6 / wide, right=1 - 0.15 / wide, bottom=0.85 / high, top=1 - 0.75 / high, wspace=0.16, hspace=0.3
    )
    kinds = {one["name"]: one["kind"] for one in result["systems"]}
    for axes, task in zip(grid, tasks, strict=False):
        _chart(axes, task, [row for row in result["rows"] if row["task"] == task and row["resident_bytes"]], kinds)
    for spare in grid[len(tasks) :]:
        spare.remove()
    figure.suptitle("Right answers by bytes of the cache; the line is the front that none beats", fontsize=10)
    figure.supxlabel("KB a sequence after the prompt, logarithmic", fontsize=8, y=0.42 / high)
    keys = [
        Line2D([], [], color=COLOURS[colour][0], marker=mark, linestyle="none", markersize=4, label=words)
        for kind, (colour, mark, words) in LOOKS.items()
        if kind in kinds.values()
    ]
    figure.legend(handles=keys, loc="lower center", ncols=len(keys), frameon=False, bbox_to_anchor=(0.5, 0.0))
    return figure


def _chart(axes: Axes, task: str, rows: Sequence[Result], kinds: dict[str, str]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_title(task + (", same likeliest token" if task == "fidelity" else ""), fontsize=9, loc="left")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    if not rows:
        return
    best = front(rows)
    for row in rows:
        _point(axes, row, LOOKS[kinds[row["system"]]], row in best)
    # right answers stay what they are until a cache of more bytes has more
    edge = max(row["resident_bytes"] for row in rows) / 1000
    x = [*(row["resident_bytes"] / 1000 for row in best), edge]
    y = [*(row["accuracy"]["mean"] for row in best), best[-1]["accuracy"]["mean"]]
    axes.step(x, y, where="post", color=COLOURS["mist"][0], linewidth=1.0, zorder=1)
    low = min(row["resident_bytes"] for row in rows) / 1000
    least = min(row["accuracy"]["mean"] for row in rows) if task == "fidelity" else 0.0
    axes.set_xlim(low / 1.25, edge * 1.25)
    axes.set_ylim(least - 0.04 * (1 - least), 1 + 0.13 * (1 - least))
    _labels(axes, best)


def _point(axes: Axes, row: Result, look: tuple[str, str, str], leads: bool) -> None:
    colour, mark, _ = look
    shade, x, mean = COLOURS[colour][0], row["resident_bytes"] / 1000, row["accuracy"]
    axes.plot([x], [mean["mean"]], marker=mark, color=shade, markersize=5 if leads else 3, alpha=1 if leads else 0.45)
    if leads and mean["low"] is not None:
        axes.vlines([x], [mean["low"]], [mean["high"]], color=shade, linewidth=0.8)


def _labels(axes: Axes, best: Sequence[Result]) -> None:
    """Names of the front above their points, none on another; those alike share one."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    gap, place = MIN_GAP * (top - bottom), bottom
    for lead, names in _named(best):
        x, y = lead["resident_bytes"] / 1000, lead["accuracy"]["mean"]
        place = max(y + gap / 2, place + gap)
        near = log(x / left) / log(right / left) < 0.45
        axes.annotate(names, (x * (1.02 if near else 1.0), place), fontsize=6.5, ha="left" if near else "right")


def _named(best: Sequence[Result]) -> Iterator[tuple[Result, str]]:
    groups: list[list[Result]] = []
    for row in best:
        if groups and alike(row, groups[-1][0]):
            groups[-1].append(row)
        else:
            groups.append([row])
    for group in groups:
        names = [row["system"] + ("" if row["budget"] == 1 else f" {percent(row['budget'])}") for row in group]
        yield group[0], " = ".join(names) if len(names) < 4 else f"{names[0]} = {len(names) - 1} others"
