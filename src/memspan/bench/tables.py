"""The result as tables: Markdown, which reads well on a terminal too."""

import json
from collections.abc import Sequence
from typing import Any

from memspan.bench.machine import line
from memspan.bench.verdicts import LEVEL, WORDS, lower_is_better, verdict
from memspan.core.errors import UsageError

SCHEMA = "memspan.bench.run/2"
MANY = 8
"""Systems: more do not fit beside each other with their intervals."""
AT_ONCE = 6
"""Sets beside each other where systems are many."""
FIGURES = (
    *("R@5", "R@10", "R@20", "hit@10", "all@10", "MRR", "nDCG@10", "T250", "T500", "T1000", "T2000", "P1000"),
    *("stale", "negative", "EM", "F1", "EM oracle", "EM nothing"),
)
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
    """A whole run: the headline of every set, comparisons, then each set by itself.

    Raises UsageError for a result of another schema.
    """
    if result.get("schema") != SCHEMA:
        raise UsageError(f"tables are made of results of schema {SCHEMA}, not {result.get('schema')!r}; run it again")
    parts = [
        "# memspan bench run",
        f"`{result['command']}`",
        f"{result['at']}; {_text(line(result['machine'], result['versions']))}.",
        _conditions(result),
        _remarks(result),
        "## Headline figures",
        _grid(result, "headline"),
        "## Gold in a context of 1,000 tokens",
        _grid(result, "T1000"),
        _macro(result),
        _compared(result),
        _subsets(result),
        "## Each set",
        *(_set(result, one) for one in result["sets"]),
        _files(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(result: Result) -> str:
    split = (
        "Dev clusters only: nothing here is a test figure."
        if result["split"] == "dev"
        else f"All clusters; runs into this folder that asked the test clusters before: {result['tests_before']}."
    )
    quick = " A stratified sample of the questions (quick), no large case." if result.get("quick") else ""
    model = f" Model: {_text(json.dumps(result['llm'], ensure_ascii=False))}." if result.get("llm") else ""
    return (
        f"95 % intervals: {result['resamples']:,} resamples of whole clusters, seed {result['seed']}. "
        f"{split}{quick}{model} Tn = share of the gold in a context of n tokens. "
        "Bold: the best of those that finished, controls aside."
    )


def _remarks(result: Result) -> str:
    """Notices, what is absent and why, what did not finish and why."""
    lines = [
        *(f"- {_text(notice)}" for notice in result["notices"]),
        *(f"- Absent: {_text(system)}: {_text(why)}" for system, why in result["absent"].items()),
        *(f"- {_text(row['system'])} on {_text(row['set'])}: {_state(row)}" for row in _stopped(result)),
    ]
    return "\n".join(lines)


def _stopped(result: Result) -> list[Result]:
    return [row for row in result["results"] if row["status"] != "done"]


def _state(row: Result) -> str:
    if row["status"] == "done":
        return "done"
    why = f": {row['why']}" if row["why"] else ""
    return _text(f"{row['status']}, {row['cases']} of {row['of_cases']} cases{why}")


def _text(value: object) -> str:
    """Words of others, harmless in a table and in a page made of it.

    >>> _text("a | <b>")
    'a \\\\| &lt;b>'
    """
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("<", "&lt;").replace("|", "\\|")


def _grid(result: Result, metric: str) -> str:
    """Sets by systems; where these are many, systems by a few sets at a time."""
    rows = {(row["set"], row["system"]): row for row in result["results"]}
    systems = [one for one in result["systems"] if any(name == one["name"] for _, name in rows)]
    figure = {one["set"]: one["headline"] if metric == "headline" else metric for one in result["sets"]}
    sets = [one["set"] for one in result["sets"] if any((one["set"], s["name"]) in rows for s in systems)]
    cells = {
        name: _cells({s["name"]: rows.get((name, s["name"])) for s in systems}, figure[name], systems) for name in sets
    }
    if len(systems) <= MANY:
        head = ["set", "figure", *(_text(one["name"]) for one in systems)]
        return table(head, [[_text(name), figure[name], *cells[name]] for name in sets])
    blocks = []
    for few in (sets[start : start + AT_ONCE] for start in range(0, len(sets), AT_ONCE)):
        head = ["system", *(f"{_text(name)}, {figure[name]}" for name in few)]
        blocks.append(
            table(head, [[_text(s["name"]), *(cells[name][n] for name in few)] for n, s in enumerate(systems)])
        )
    return "\n\n".join(blocks)


def _cells(rows: dict[str, Result | None], metric: str, systems: Sequence[Result]) -> list[str]:
    """One set's cells, a system each, the best in bold."""
    kinds = {one["name"]: one["kind"] for one in systems}
    ranked = [
        row["metrics"][metric]["mean"]
        for name, row in rows.items()
        if row and row["status"] == "done" and kinds[name] != "control" and metric in row["metrics"]
    ]
    best = (min if lower_is_better(metric) else max)(ranked) if ranked else None
    return [_cell(row, metric, None if kinds[name] == "control" else best) for name, row in rows.items()]


def _cell(row: Result | None, metric: str, best: float | None) -> str:
    if row is None:
        return "-"
    if metric not in row["metrics"]:
        return "-" if row["status"] == "done" else row["status"]
    shown = number(row["metrics"][metric])
    if row["status"] != "done":
        return f"{shown} {row['status']} {row['cases']}/{row['of_cases']}"
    value, _, rest = shown.partition(" ")
    return f"**{value}** {rest}".strip() if _short(row["metrics"][metric]["mean"]) == _short_or(best) else shown


def _short_or(value: float | None) -> str:
    return "" if value is None else _short(value)


def _macro(result: Result) -> str:
    """The mean of those that did all, and the mean of more of them on fewer questions."""
    common = result.get("common", ())
    parts = [_means(result["macro"])]
    if common:
        said = f"On the {common[0]['questions']:,} questions that all of these systems came to:"
        parts += [said, _means(common)]
    return "## Mean over families\n\n" + "\n\n".join(part for part in parts if part) if any(parts) else ""


def _means(entries: Sequence[Result]) -> str:
    rows = [
        [
            _text(one["system"]),
            f"{len(one['families'])} of {one['of']}",
            number(one.get("headline")),
            number(one.get("T1000")),
        ]
        for one in entries
        if one["families"]
    ]
    return table(["system", "families", "headline", "T1000"], rows) if rows else ""


def _subsets(result: Result) -> str:
    """How far a few questions are off the whole set, in points."""
    ways = ("stratified", "spaced", "medoids", "random")
    rows = [
        [one["set"], one["metric"], str(one["questions"]), *(f"{one[way] * 100:.1f}" for way in ways)]
        for one in result.get("subsets", ())
    ]
    if not rows:
        return ""
    said = "Mean error, in points, of a system's figure from so many questions; the system was left out of the choice."
    head = ["set", "figure", "questions", *ways]
    return f"## What a few questions tell of the whole\n\n{said}\n\n{table(head, rows)}"


def _compared(result: Result) -> str:
    pairs = result["compared"]
    if not pairs:
        return ""
    said = (
        "Paired on the same questions; a difference counts as shown where p, adjusted for all planned comparisons "
        f'(Holm), is under {_short(LEVEL)}. No difference shown is not the same as equal: "could show" is the smallest '
        "difference that so many clusters would have. Not testable: of so few clusters that even all pointing one way "
        "would not pass that adjustment; the interval stands."
    )
    headline = {one["set"]: one["headline"] for one in result["sets"]}
    first = [pair for pair in pairs if pair["metric"] == headline[pair["set"]]]
    rest = [pair for pair in pairs if pair["metric"] == "T1000"]
    parts = ["## Comparisons", said, "In how many sets, by headline:", _tally(first)]
    if rest:
        parts += ["By T1000:", _tally(rest)]
    return "\n\n".join([*parts, "Every pair, by headline, in points:", _pairs(first)])


def _tally(pairs: Sequence[Result]) -> str:
    found: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        found.setdefault((pair["ours"], pair["other"]), []).append(verdict(pair))
    rows = [
        [_text(ours), _text(other), *(str(words.count(word)) for word in WORDS)]
        for (ours, other), words in found.items()
    ]
    return table(["ours", "against", *WORDS], rows)


def _pairs(pairs: Sequence[Result]) -> str:
    rows = [
        [
            _text(pair["set"]),
            pair["metric"],
            _text(pair["ours"]),
            _text(pair["other"]),
            points({"mean": pair["difference"], "low": pair["low"], "high": pair["high"]}),
            _chance(pair["p"]),
            _chance(pair["p_holm"]),
            "-" if pair["mdd"] is None else f"{pair['mdd'] * 100:.1f}",
            f"{pair['questions']:,} / {pair['clusters']:,}",
            verdict(pair),
        ]
        for pair in pairs
    ]
    head = [
        "set",
        "figure",
        "ours",
        "against",
        "difference",
        "p",
        "p (Holm)",
        "could show",
        "questions / clusters",
        "verdict",
    ]
    return table(head, rows)


def _chance(p: float | None) -> str:
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else _short(p)


# ---- one set ---------------------------------------------------------------------------------------------------------


def _set(result: Result, one: Result) -> str:
    rows = [row for row in result["results"] if row["set"] == one["set"]]
    ran = [row for row in rows if row["metrics"]]
    parts = [
        f"### {_text(one['set'])}",
        _card(result, one),
        _figures(one, rows),
        _categories(one, ran),
        _ladder(one, ran),
    ]
    return "\n\n".join(part for part in [*parts, _costs(ran)] if part)


def _card(result: Result, one: Result) -> str:
    signal = next((s for s in result["signal"] if (s["set"], s["metric"]) == (one["set"], one["headline"])), None)
    card = one["card"]
    facts = [
        *(card[name] for name in ("title", "licence", "source") if card.get(name)),
        f"{one['protocol']}, scored by {one['level']}",
        f"{one['cases']:,} cases, {one['units']:,} units, {one['questions']:,} questions",
    ]
    if signal and signal["snr"] is not None:
        facts.append(
            f"signal to noise {signal['snr']:.1f}" + (": informational only" if signal["informational"] else "")
        )
    return f"{_text('; '.join(facts))}."


def _figures(one: Result, rows: Sequence[Result]) -> str:
    """Headline with interval, its halves, then the other figures that any system has."""
    names = [name for name in _names(rows) if name != one["headline"]]
    shown = [
        [
            _text(row["system"]),
            _state(row) if row["status"] == "done" else f"{row['status']} {row['cases']}/{row['of_cases']}",
            f"{row['questions']:,} / {row['clusters']:,}",
            number(row["metrics"].get(one["headline"])),
            *(_plain(row["halves"].get(half, {}).get(one["headline"])) for half in ("dev", "test")),
            *(_plain(row["metrics"].get(name)) for name in names),
        ]
        for row in rows
    ]
    head = ["system", "state", "questions / clusters", one["headline"], "on dev", "on test", *names]
    return table(head, shown) if shown else ""


def _names(rows: Sequence[Result]) -> list[str]:
    """Figures that any of the systems has: those known here, then others; no cost, no T without standing block."""
    held = dict.fromkeys(name for row in rows for name in row["metrics"])
    more = [name for name in held if name not in FIGURES and name != "tokens" and not name.endswith(" ranked")]
    return [name for name in FIGURES if name in held] + more


def _plain(mean: Result | float | None) -> str:
    value = mean["mean"] if isinstance(mean, dict) else mean
    return "-" if value is None else _short(value)


def _categories(one: Result, ran: Sequence[Result]) -> str:
    names = list(dict.fromkeys(name for row in ran for name in row["by_category"]))
    if len(names) < 2:
        return ""
    asked = {name: max(row["by_category"].get(name, {}).get("questions", 0) for row in ran) for name in names}
    rows = [
        [_text(row["system"]), *(_of_part(row["by_category"].get(name), one["headline"]) for name in names)]
        for row in ran
    ]
    head = ["system", *(f"{_text(name)} ({asked[name]:,})" for name in names)]
    return f"By category, {one['headline']}:\n\n{table(head, rows)}"


def _of_part(part: Result | None, metric: str) -> str:
    return _plain(part["metrics"].get(metric)) if part else "-"


def _ladder(one: Result, ran: Sequence[Result]) -> str:
    steps = sorted({int(step) for row in ran for step in row["by_rung"]})
    if not steps:
        return ""
    rows = [
        [
            _text(row["system"]),
            *(_of_part(row["by_rung"].get(str(step)), one["headline"]) for step in steps),
            *(_amount(row["by_rung"].get(str(step), {}).get("read_ms_p50")) for step in steps),
        ]
        for row in ran
    ]
    head = [
        "system",
        *(f"{one['headline']} at {step:,}" for step in steps),
        *(f"read p50 [ms] at {step:,}" for step in steps),
    ]
    return f"As the memory grows:\n\n{table(head, rows)}"


def _costs(ran: Sequence[Result]) -> str:
    names = [name for name in _COSTS if any(row["cost"].get(name) is not None for row in ran)]
    rows = [[_text(row["system"]), *(_amount(row["cost"].get(name)) for name in names)] for row in ran]
    return f"Cost:\n\n{table(['system', *names], rows)}" if names else ""


def _amount(value: float | None) -> str:
    """
    >>> _amount(0.0312), _amount(1234567), _amount(None)
    ('0.0312', '1,234,567', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


_COSTS = (
    *(
        "turns",
        "turns_per_s",
        "write_ms_p50",
        "write_ms_p95",
        "write_ms_p99",
        "read_ms_p50",
        "read_ms_p95",
        "read_ms_p99",
    ),
    *("bytes_on_disk", "peak_rss_mb", "tokens_out", "llm_calls"),
)


def _files(result: Result) -> str:
    rows = [
        [_text(one["set"]), _text(one["file"]), "known" if one["known"] else "another version", one["sha256"]]
        for one in result["files"]
    ]
    return "## Data\n\n" + table(["set", "file", "version", "sha256"], rows) if rows else ""


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
