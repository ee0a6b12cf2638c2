"""The result as tables: Markdown, which reads well on a terminal too."""

from collections.abc import Sequence
from typing import Any

from memspan.bench.machine import line

Result = dict[str, Any]  # Any: read back from JSON


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns lined up; numbers to the right.

    >>> print(table(["set", "R"], [["a", ".5"]]))
    | set |  R |
    |-----|---:|
    | a   | .5 |
    """
    widths = [max(len(str(row[n])) for row in [head, *rows]) for n in range(len(head))]

    def shown(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return f"| {' | '.join(cells)} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([shown(head), f"|{rule}|", *map(shown, rows)])


def number(mean: Result | None) -> str:
    """A share with its interval.

    >>> number({"mean": 0.5, "low": 0.25, "high": 1.0})
    '.500 [.250, 1.000]'
    """
    if mean is None:
        return "-"
    if mean["low"] is None:
        return _short(mean["mean"])
    return f"{_short(mean['mean'])} [{_short(mean['low'])}, {_short(mean['high'])}]"


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def points(mean: Result | None) -> str:
    """A difference in points with its interval.

    >>> points({"mean": 0.05, "low": 0.01, "high": 0.1})
    '+5.0 [+1.0, +10.0]'
    """
    if mean is None:
        return "-"
    if mean["low"] is None:
        return f"{mean['mean'] * 100:+.1f}"
    return f"{mean['mean'] * 100:+.1f} [{mean['low'] * 100:+.1f}, {mean['high'] * 100:+.1f}]"


def markdown(result: Result) -> str:
    """The whole result."""
    parts = [
        "# memspan bench run",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        "95 % intervals: bootstrap over clusters "
        f"({result['resamples']} resamples, seed {result['seed']}). Tn = evidence in a context of n tokens.",
        _headlines(result),
        _budgets(result),
        _macro(result),
        _instruction(result),
        _categories(result),
        _costs(result),
        *(f"Absent: {system}: {why}" for system, why in result["absent"].items()),
        _files(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headlines(result: Result) -> str:
    rows = [
        [
            one["set"],
            one["system"],
            str(one["questions"]),
            one["headline"],
            number(one["metrics"][one["headline"]]),
            points((one["minus_bm25"] or {}).get(one["headline"])),
            number(one["metrics"]["T1000"]),
            points((one["minus_bm25"] or {}).get("T1000")),
            _short(one["metrics"]["MRR"]["mean"]),
        ]
        for one in result["results"]
    ]
    head = ["set", "system", "questions", "figure", "mean", "minus bm25, points", "T1000", "minus bm25, points", "MRR"]
    return table(head, rows)


def _budgets(result: Result) -> str:
    names = ["R@5", "R@10", "R@20", "hit@10", "all@10", "T250", "T500", "T1000", "T2000"]
    rows = [
        [one["set"], one["system"], *(_short(one["metrics"][name]["mean"]) for name in names)]
        for one in result["results"]
    ]
    return "## All figures\n\n" + table(["set", "system", *names], rows)


def _macro(result: Result) -> str:
    rows = [
        [
            one["system"],
            f"{len(one['families'])} of {one['of']}",
            number(one["headline"]),
            points(one.get("minus_bm25", {}).get("headline")),
            number(one["T1000"]),
            points(one.get("minus_bm25", {}).get("T1000")),
        ]
        for one in result["macro"]
        if one["families"]
    ]
    head = ["system", "families", "headline", "minus bm25, points", "T1000", "minus bm25, points"]
    return "## Mean over families\n\n" + table(head, rows) if rows else ""


def _instruction(result: Result) -> str:
    rows = [
        [
            one["system"],
            str(one["questions"]),
            number(one["T1000"]),
            number(one["T1000 ranked"]),
            number(one["R@10"]),
        ]
        for one in result["instruction"]
    ]
    head = ["system", "questions", "T1000 with the standing block", "T1000 ranked part alone", "R@10"]
    title = "## BEAM instruction questions\n\nThe standing block counts within the same 1,000 tokens.\n\n"
    return title + table(head, rows) if rows else ""


def _categories(result: Result) -> str:
    rows = [
        [one["set"], one["system"], name, str(part["questions"])]
        + [_short(part["metrics"][figure]["mean"]) for figure in (one["headline"], "T1000")]
        for one in result["results"]
        if 1 < len(one["by_category"]) <= 12
        for name, part in one["by_category"].items()
    ]
    return (
        "## By category\n\n" + table(["set", "system", "category", "questions", "figure", "T1000"], rows)
        if rows
        else ""
    )


def _costs(result: Result) -> str:
    rows = [[one["set"], one["system"], *(str(one["cost"][name]) for name in _COSTS)] for one in result["results"]]
    return "## Cost\n\n" + table(["set", "system", *_COSTS], rows)


_COSTS = ("turns", "write_s", "turns_per_s", "read_ms_p50", "read_ms_p95", "bytes_on_disk")


def _files(result: Result) -> str:
    rows = [[one["set"], one["file"], one["sha256"]] for one in result["files"]]
    return "## Data\n\n" + table(["set", "file", "sha256"], rows)


_SPEED = (
    "recall_ms_p50",
    "recall_ms_p95",
    "recall_ms_p99",
    "recall_cpu_ms_mean",
    "import_ms",
    "open_ms",
    "first_recall_ms",
    "open_and_first_recall_ms",
    "open_and_first_recall_cpu_ms",
    "remember_ms_p50",
    "remember_ms_p95",
    "remember_cpu_ms_mean",
    "fdatasync_ms_p50",
    "bulk_turns_per_s",
    "text_bytes_per_turn",
    "disk_bytes_per_turn_beyond_text",
    "write_peak_rss_mb",
    "read_peak_rss_mb",
)


def speed_markdown(result: Result) -> str:
    """The speed result; the last column says how many times faster memspan is, where that can be said."""
    rows = [
        [
            f"{size['records']:,}",
            name,
            str(size["memspan"][name]),
            str(size["diy"][name]),
            str(size["ratio"].get(name, "")),
        ]
        for size in result["sizes"]
        for name in _SPEED
    ]
    left_out = "; ".join(dict.fromkeys(size["diy"]["query_embedding"] for size in result["sizes"]))
    parts = [
        "# memspan bench speed",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        f"Text: {result['text']}, seed {result['seed']}. Recall packs 1,000 tokens; remember is one turn, synced.",
        table(["turns", "figure", "memspan", "FTS5 + NumPy", "times faster"], rows),
        f"FTS5 + NumPy: query embedding: {left_out}. Vectors of its turns are random and cost nothing to make.",
    ]
    return "\n\n".join(parts) + "\n"
