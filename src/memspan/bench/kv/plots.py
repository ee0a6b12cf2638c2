"""Accuracy against bytes, a small chart a task: every cache a point, and the front that none of them beats.

Needs the extra [bench]: matplotlib is imported when plots are written, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
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
    """Those rows that no other beats: no fewer bytes with as many right answers; by bytes, ascending.

    >>> rows = [{"resident_bytes": b, "accuracy": {"mean": a}} for b, a in ((1, 0.2), (2, 0.1), (3, 0.9), (4, 0.9))]
    >>> [row["resident_bytes"] for row in front(rows)]
    [1, 3]
    """
    found: list[Result] = []
    for row in sorted(rows, key=lambda row: (row["resident_bytes"], -row["accuracy"]["mean"])):
        if not found or row["accuracy"]["mean"] > found[-1]["accuracy"]["mean"]:
            found.append(row)
    return found


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
    axes.set_ylim(-0.04, 1.09)
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
    axes.set_xlim(low / 1.5, edge * 1.3)
    _labels(axes, best)


def _point(axes: Axes, row: Result, look: tuple[str, str, str], leads: bool) -> None:
    colour, mark, _ = look
    shade, x, mean = COLOURS[colour][0], row["resident_bytes"] / 1000, row["accuracy"]
    axes.plot([x], [mean["mean"]], marker=mark, color=shade, markersize=5 if leads else 3, alpha=1 if leads else 0.45)
    if leads and mean["low"] is not None:
        axes.vlines([x], [mean["low"]], [mean["high"]], color=shade, linewidth=0.8)


def _labels(axes: Axes, best: Sequence[Result]) -> None:
    """Names of the front, left above their points, none on another."""
    floor = -1.0
    for row in best:
        x, y = row["resident_bytes"] / 1000, row["accuracy"]["mean"]
        place = max(y, floor + MIN_GAP)
        floor = place
        name = row["system"] + ("" if row["budget"] == 1 else f" {percent(row['budget'])}")
        axes.annotate(
            name, (x, y), xytext=(x / 1.04, min(place, 1.04)), fontsize=6.5, ha="right", va="bottom", textcoords="data"
        )
