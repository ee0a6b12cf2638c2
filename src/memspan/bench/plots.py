"""The result as pictures, PNG and SVG, for documents; the page draws its own.

Needs the extra [bench]: matplotlib is imported when plots are written, never before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memspan.bench.looks import COLOURS, Look, looks
from memspan.bench.verdicts import BETTER, SAME, UNTESTABLE, WORDS, WORSE, verdict
from memspan.core.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

SCHEMA = "memspan.bench.run/2"
BUDGETS = (250, 500, 1000, 2000)
KINDS = ("memspan", "peer", "baseline", "control")  # ablations are many and have their tables
Result = dict[str, Any]  # Any: read back from JSON
Point = tuple[float, Result]  # x, and {mean, low, high}

_MARKS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "x", "plus": "+", "down": "v"}
_VERDICTS = {BETTER: ("green", ">"), SAME: ("ash", "o"), WORSE: ("vermilion", "<"), UNTESTABLE: ("mist", "x")}
STYLE: Any = {  # Any: matplotlib lists every key
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "memspan",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e5e9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "figure.dpi": 110,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture of small charts, one a set. points: of a system's row on a set, with its headline"""

    file: str
    title: str
    x: str
    y: str
    points: Callable[[Result, str], Sequence[Point]]
    share: bool = True


def write(result: Result, folder: Path | str) -> list[Path]:
    """Draw every picture the result has figures for; gives the files.

    overview: gold in the context by its size;  latency, bytes: the headline against read time and room;  ladder,
    ladder-read: the headline and read time as the memory grows;  compared-OURS: differences with intervals
    Raises MissingExtra without matplotlib, UsageError for a result of another schema.
    """
    if result.get("schema") != SCHEMA:
        raise UsageError(f"plots are made of results of schema {SCHEMA}, not {result.get('schema')!r}; run it again")
    try:
        import matplotlib
    except ImportError:
        raise MissingExtra("bench", "drawing plots") from None
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        return [path for name, figure in _figures(result) for path in saved(figure, folder / name)]


def _figures(result: Result) -> Iterator[tuple[str, Figure]]:
    for chart in CHARTS:
        figure = _small_charts(result, chart)
        if figure:
            yield chart.file, figure
    for ours in dict.fromkeys(pair["ours"] for pair in result["compared"]):
        yield f"compared-{re.sub('[^A-Za-z0-9-]+', '_', ours)}", _forest(result, ours)


def saved(figure: Figure, stem: Path) -> list[Path]:
    """The figure as PNG and SVG, the same bytes for the same figure. stem: path without an ending"""
    # no date in the files: the same result gives the same pictures
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg")]
    for path, metadata in zip(paths, ({"Software": None}, {"Date": None}), strict=True):
        figure.savefig(path, metadata=metadata)
    return paths


# ---- points ----------------------------------------------------------------------------------------------------------


def _budgets(row: Result, headline: str) -> list[Point]:
    return [(size, row["metrics"][f"T{size}"]) for size in BUDGETS if f"T{size}" in row["metrics"]]


def _against(cost: str) -> Callable[[Result, str], list[Point]]:
    def points(row: Result, headline: str) -> list[Point]:
        value, mean = row["cost"].get(cost), row["metrics"].get(headline)
        return [(value, mean)] if value and mean else []  # nothing has no place on a logarithmic axis

    return points


def _rungs(row: Result, headline: str) -> list[Point]:
    steps = sorted(row["by_rung"].items(), key=lambda step: int(step[0]))
    return [(int(size), step["metrics"][headline]) for size, step in steps if headline in step["metrics"]]


def _rung_reads(row: Result, headline: str) -> list[Point]:
    steps = sorted(row["by_rung"].items(), key=lambda step: int(step[0]))
    return [(int(size), {"mean": step["read_ms_p50"], "low": None, "high": None}) for size, step in steps]


CHARTS = (
    Chart("overview", "Gold in the context, by its size", "context [tokens]", "share of the gold", _budgets),
    Chart("latency", "Headline figure against read time", "read time, median [ms]", "", _against("read_ms_p50")),
    Chart("bytes", "Headline figure against room on disk", "on disk [bytes]", "", _against("bytes_on_disk")),
    Chart("ladder", "Headline figure as the memory grows", "units in memory", "", _rungs),
    Chart("ladder-read", "Read time as the memory grows", "units in memory", "read [ms]", _rung_reads, share=False),
)

# ---- small charts ----------------------------------------------------------------------------------------------------


def _small_charts(result: Result, chart: Chart) -> Figure | None:
    drawn = {one["set"]: found for one in result["sets"] if (found := _series(result, one, chart))}
    if not drawn:
        return None
    columns = min(5, len(drawn))
    figure, grid = _canvas(columns, ceil(len(drawn) / columns), (2.4, 1.9))
    headlines = {one["set"]: one["headline"] for one in result["sets"]}
    shown, limits = looks(result["systems"]), _limits(chart, drawn)
    for place, (name, series) in enumerate(drawn.items()):
        _axes(grid[place], chart, limits)
        grid[place].set_title(name if chart.y else f"{name}, {headlines[name]}", fontsize=8, loc="left")
        grid[place].tick_params(labelbottom=place + columns >= len(drawn), labelleft=place % columns == 0)
        for system, points in series.items():
            _draw(grid[place], shown[system], points)
    for spare in grid[len(drawn) :]:
        spare.remove()
    title = f"{chart.title}. Bars are 95 % intervals." if chart.share else chart.title
    _words(figure, title, f"{chart.x}, logarithmic", chart.y)
    _legend(figure, [_key(name, shown[name]) for name in shown if any(name in series for series in drawn.values())])
    return figure


def _canvas(columns: int, lines: int, panel: tuple[float, float]) -> tuple[Figure, Sequence[Axes]]:
    """A figure with a grid of axes of that size [inches], and room for words around it.

    Laid out by hand and unshared: matplotlib's own layout takes longer than the drawing.
    """
    from matplotlib.figure import Figure

    wide, high = 0.95 + panel[0] * columns, 1.75 + panel[1] * lines
    figure = Figure(figsize=(wide, high))
    figure.subplots_adjust(
        left=0.75 / wide,
        right=1 - 0.1 / wide,
        bottom=1.25 / high,
        top=1 - 0.55 / high,
        wspace=0.12,
        hspace=0.32,
    )
    return figure, list(figure.subplots(lines, columns, squeeze=False).flatten())


def _words(figure: Figure, title: str, x: str, y: str) -> None:
    high = figure.get_figheight()
    figure.suptitle(title, fontsize=10, y=1 - 0.12 / high)
    figure.supxlabel(x, fontsize=8, y=0.8 / high)
    figure.supylabel(y, fontsize=8, x=0.12 / figure.get_figwidth())


def _series(result: Result, one: Result, chart: Chart) -> dict[str, Sequence[Point]]:
    kinds = {system["name"]: system["kind"] for system in result["systems"]}
    rows = [row for row in result["results"] if row["set"] == one["set"] and kinds[row["system"]] in KINDS]
    found = {row["system"]: chart.points(row, one["headline"]) for row in rows}
    return {name: points for name, points in found.items() if points}


Limits = tuple[tuple[float, float], tuple[float, float]]


def _limits(chart: Chart, drawn: dict[str, dict[str, Sequence[Point]]]) -> Limits:
    """Of x and y, the same for all small charts."""
    points = [point for series in drawn.values() for some in series.values() for point in some]
    x = [x for x, _ in points]
    y = (-0.03, 1.03) if chart.share else _padded([mean["mean"] for _, mean in points])
    return _padded(x), y


def _padded(values: Sequence[float]) -> tuple[float, float]:
    room = max(1.15, (max(values) / min(values)) ** 0.06)
    return min(values) / room, max(values) * room


def _axes(axes: Axes, chart: Chart, limits: Limits) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    if not chart.share:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_steps(limits[1])))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
    if chart.file == "overview":
        axes.set_xticks(BUDGETS)
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=_steps(limits[0])))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))
    axes.minorticks_off()
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _steps(limits: tuple[float, float]) -> tuple[float, ...]:
    """Ticks within a power of ten: none but its start where there are several powers."""
    return (1.0,) if limits[1] / limits[0] > 80 else (1.0, 2.0, 5.0)


def _brief(value: float) -> str:
    """
    >>> _brief(250.0), _brief(100000.0), _brief(2.5e6)
    ('250', '100k', '2.5M')
    """
    step, unit = next(((n, u) for n, u in ((1e9, "G"), (1e6, "M"), (1e4, "k")) if value >= n), (1.0, ""))
    return f"{value / (1e3 if unit == 'k' else step):g}{unit}"


def _draw(axes: Axes, look: Look, points: Sequence[Point]) -> None:
    colour = COLOURS[look.colour][0]
    axes.plot(
        [x for x, _ in points],
        [mean["mean"] for _, mean in points],
        color=colour,
        linestyle=_dash(look) if len(points) > 1 else "none",
        marker=_MARKS[look.mark],
        markersize=3.2,
        linewidth=1.1,
    )
    bars = [(x, mean) for x, mean in points if mean["low"] is not None]
    axes.vlines(
        [x for x, _ in bars], [m["low"] for _, m in bars], [m["high"] for _, m in bars], color=colour, linewidth=0.7
    )


def _dash(look: Look) -> Any:  # Any: a name or a pattern, as matplotlib takes either
    return (0, tuple(float(part) for part in look.dash.split())) if look.dash else "-"


def _key(name: str, look: Look) -> Line2D:
    from matplotlib.lines import Line2D

    colour, mark = COLOURS[look.colour][0], _MARKS[look.mark]
    return Line2D([], [], color=colour, linestyle=_dash(look), marker=mark, markersize=4, label=name)


def _legend(figure: Figure, keys: Sequence[Line2D]) -> None:
    columns = max(2, min(len(keys), int(figure.get_figwidth() / 1.4)))
    below = (0.5, 0.62 / figure.get_figheight())
    figure.legend(handles=keys, loc="upper center", bbox_to_anchor=below, ncols=columns, frameon=False)


# ---- differences -----------------------------------------------------------------------------------------------------


def _forest(result: Result, ours: str) -> Figure:
    headline = {one["set"]: one["headline"] for one in result["sets"]}
    pairs = [one for one in result["compared"] if one["ours"] == ours and one["metric"] == headline[one["set"]]]
    others = list(dict.fromkeys(one["other"] for one in pairs))
    sets = list(dict.fromkeys(one["set"] for one in pairs))
    figure, grid = _canvas(len(others), 1, (max(1.5, 6 / len(others)), max(0.6, 0.21 * len(sets))))
    figure.subplots_adjust(left=1.9 / figure.get_figwidth())
    reach = 110 * max(abs(pair[name] or 0) for pair in pairs for name in ("difference", "low", "high"))
    for axes, other in zip(grid, others, strict=True):
        axes.set_title(other, fontsize=8)
        axes.axvline(0, color=COLOURS["ash"][0], linewidth=0.8)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(len(sets) - 0.4, -0.6)
        axes.set_yticks(range(len(sets)), [f"{name}, {headline[name]}" for name in sets])
        axes.tick_params(labelleft=axes is grid[0])
        for pair in pairs:
            if pair["other"] == other:
                _difference(axes, pair, sets.index(pair["set"]))
    _words(figure, f"{ours} minus each other system, headline figure, 95 % intervals", "difference [points]", "")
    _legend(figure, [_verdict_key(word) for word in WORDS])
    return figure


def _difference(axes: Axes, pair: Result, place: int) -> None:
    colour, mark = _VERDICTS[verdict(pair)]
    axes.plot([pair["difference"] * 100], [place], color=COLOURS[colour][0], marker=mark, markersize=3.6)
    if pair["low"] is not None:
        axes.hlines([place], [pair["low"] * 100], [pair["high"] * 100], color=COLOURS[colour][0], linewidth=1.0)


def _verdict_key(word: str) -> Line2D:
    from matplotlib.lines import Line2D

    colour, mark = _VERDICTS[word]
    return Line2D([], [], color=COLOURS[colour][0], marker=mark, linestyle="none", label=word)
