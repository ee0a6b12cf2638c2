"""The result as Markdown: what each cache answers, what it costs, and what a sound method should show."""

from collections.abc import Iterator, Sequence
from typing import Any

from memspan.bench.kv.scored import FLOOR, RISES
from memspan.bench.machine import line
from memspan.bench.tables import number, points, table

Result = dict[str, Any]  # Any: read back from JSON
WORDS = {
    "needle-aware": "One question about one needle, in the prompt: a method can look at it while it compresses.",
    "needle-agnostic": "The same question after the prompt: a method has to keep what anybody may ask for.",
    "multi-key": "Four questions one after another, the first in the prompt.",
    "multi-turn": "Compressed once, then eight questions, each from the cache as the prompt left it.",
    "induction": "A stretch of 16 symbols begins again; its other 14 are the answer, all of them right.",
    "fidelity": "A small language model of text: how often its likeliest next token is that of the full cache.",
}


def markdown(result: Result) -> str:
    """Every part that was measured."""
    parts = ["# memspan bench kv", f"`{result['command']}`", f"{result['at']}; {_machine(result)}."]
    if "rows" in result:
        parts += list(_accuracy(result))
    if "speed" in result:
        parts += list(_speed(result))
    if "cost" in result:
        parts += list(_cost(result["cost"]))
    return "\n\n".join(parts) + "\n"


def _machine(result: Result) -> str:
    return line(result["machine"], result["versions"])


def percent(budget: float) -> str:
    """
    >>> percent(0.125), percent(1.0)
    ('12.5 %', '100 %')
    """
    return f"{budget * 100:g} %"


# -- accuracy


def _accuracy(result: Result) -> Iterator[str]:
    sizes, why = result["sizes"], result["peer"]["why_absent"]
    yield (
        f"{sizes['seeds']} batches of {sizes['batch']} sequences, {sizes['context']} tokens with {sizes['needles']} "
        f"needles each, seed {result['seed']}; fidelity: {sizes['rows']} texts of 512 tokens, of which 256 are "
        "compressed. At 100 % a method sees one batch. Intervals are 95 %, sequences drawn. The recall model tests "
        "mechanisms: it ranks no methods for real models."
    )
    if why:
        yield f"kvpress: absent ({why})."
    for task in result["tasks"]:
        yield f"## {task}"
        yield WORDS[task] + _counts(result, task)
        yield _by_budget(result, task, "accuracy")
        if task == "fidelity":
            yield "KL(full cache || this one) [nats]; 0 = the same."
            yield _by_budget(result, task, "kl")
    yield "## Costs"
    yield (
        "Of one sequence [KB]: after the prompt, the most while it was read, after the last question. Of a batch: "
        "prefill [s], a decode step [ms], tokens a second; in brackets what of it went to scoring, attention and "
        f"moving rows [ms]. From {_costed(result)}; kvpress runs in a process of its own at the same time. Methods "
        "that look pages up keep all rows, most in the host's memory (`away`): their budget is what is attended to."
    )
    yield _costs(result)
    yield from _checks(result)
    yield "## Settings"
    yield "What departs from a method's own defaults, and why."
    yield table(["system", "settings", "why"], [_setting(one) for one in result["systems"] if _setting(one)[1]])
    if result["failed"]:
        yield "## Failed"
        yield table(["system", "budget", "task", "why"], [_failure(one) for one in result["failed"]])


def _counts(result: Result, task: str) -> str:
    rows = [one for one in result["rows"] if one["task"] == task]
    if not rows:
        return " Nothing was measured."
    most = max(rows, key=lambda one: float(one["questions"]))
    if task == "fidelity":
        return f" {most['sequences']} texts."
    return f" {most['questions']} questions in {most['sequences']} sequences."


def _by_budget(result: Result, task: str, figure: str) -> str:
    found = {(one["system"], one["budget"]): one[figure] for one in result["rows"] if one["task"] == task}
    budgets = sorted({budget for _, budget in found}, reverse=True)
    names = [one["name"] for one in result["systems"] if any((one["name"], budget) in found for budget in budgets)]
    shown = small if figure == "kl" else number
    rows = [[name, *(shown(found.get((name, budget))) for budget in budgets)] for name in names]
    return table(["system", *map(percent, budgets)], rows)


def small(mean: Result | None) -> str:
    """
    >>> small({"mean": 0.0123, "low": 0.01, "high": 0.02})
    '.0123 [.0100, .0200]'
    """
    if mean is None:
        return "-"
    figures = [f"{mean[name]:.4f}".removeprefix("0") for name in ("mean", "low", "high") if mean[name] is not None]
    return figures[0] + (f" [{figures[1]}, {figures[2]}]" if figures[1:] else "")


def _costed(result: Result) -> str:
    """The task whose costs are tabled: the one that decodes most."""
    order = ("multi-turn", "needle-agnostic", "multi-key", "needle-aware", "induction", "fidelity")
    return next(task for task in order if task in result["tasks"])


def _costs(result: Result) -> str:
    task = _costed(result)
    head = ["system", "budget", "after prompt", "away", "peak", "after decoding", "prefill", "step", "tokens/s"]
    return table(head, [_cost_row(row) for row in result["rows"] if row["task"] == task])


def _cost_row(row: Result) -> list[str]:
    step, prefill = row["step_ms"], row["prefill_s"]
    sizes = (row["resident_bytes"], row["away_bytes"] or None, row["peak_bytes"], row["decoded_bytes"])
    return [
        row["system"],
        percent(row["budget"]),
        *("-" if one is None else f"{one / 1000:,.1f}" for one in sizes),
        "-" if prefill is None else f"{prefill:.2f}{split(row['prefill_ms'])}",
        "-" if step is None else f"{step:.1f}{split(row['decode_ms'])}",
        "-" if row["tokens_per_s"] is None else f"{row['tokens_per_s']:,}",
    ]


def split(parts: Result | None) -> str:
    """
    >>> split({"score": 1.0, "attend": 20.04, "move": 0.25}), split(None)
    (' (1.0, 20.0, 0.2)', '')
    """
    return f" ({', '.join(f'{one:.1f}' for one in parts.values())})" if parts else ""


def _checks(result: Result) -> Iterator[str]:
    for what, words in (
        (RISES, "For each method the pair of neighbouring budgets that speaks most against it, larger minus smaller"),
        (FLOOR, "For each method the budget that speaks most against it, minus `random` at the same budget"),
    ):
        found = [one for one in result["checks"] if one["check"] == what]
        if not found:
            continue
        least, passed = found[0]["least"] * 100, sum(one["passed"] for one in found)
        yield f"## Check: {what}"
        yield (
            f"{words}, in points with its 95 % interval. Passed where that reaches {least:+g} or more: {passed} of "
            f"{len(found)}. A `!` stands where it is not; at 95 % a few of so many are chance."
        )
        cells = {(one["system"], one["task"]): one for one in found}
        tasks = [task for task in result["tasks"] if any(key[1] == task for key in cells)]
        names = dict.fromkeys(one["system"] for one in found)
        yield table(
            ["method", *tasks], [[name, *(_checked(cells.get((name, task))) for task in tasks)] for name in names]
        )


def _checked(one: Result | None) -> str:
    if one is None:
        return "-"
    return ("" if one["passed"] else "! ") + points(one["difference"])


def _setting(system: Result) -> list[str]:
    settings = ", ".join(f"{name} = {value}" for name, value in system.get("settings", {}).items())
    return [system["name"], settings or ("" if not system.get("reason") else "-"), system.get("reason", "")]


def _failure(one: Result) -> list[str]:
    return [one["system"], percent(one["budget"]), one["task"], " ".join(one["why"].replace("|", "/").split())]


# -- speed and cost


def _speed(result: Result) -> Iterator[str]:
    speed = result["speed"]
    yield "## Speed"
    yield (
        f"{speed['tokens']} tokens, one sequence, random weights (4 layers, 512 wide, 4 kv heads of 64); all take "
        f"turns in one run, medians of {speed['prompts']} prompts and {speed['steps']} steps; ratios are medians of "
        "those of each round."
    )
    yield goals_table(result["goals"])
    head = ["cache", "prefill s", "step ms", "MB", "peak MB", "prefill x", "step x", "bytes x", "logits apart"]
    yield table(head, [_speed_row(row) for row in speed["rows"]])


def goals_table(goals: Sequence[Result]) -> str:
    """Figures beside their goals."""
    rows = [[one["what"], f"{one['measured']:.4g}", one["goal"], "yes" if one["reached"] else "no"] for one in goals]
    return table(["what", "measured", "goal", "reached"], rows)


def _speed_row(row: Result) -> list[str]:
    return [
        row["name"],
        f"{row['prefill_s']:.2f}",
        f"{row['step_ms']:.1f}",
        f"{row['resident_bytes'] / 1e6:.2f}",
        f"{row['peak_bytes'] / 1e6:.2f}",
        *(f"{row[name]:.3f}" for name in ("prefill_ratio", "step_ratio", "bytes_ratio")),
        f"{row['logits_apart']:.2g}",
    ]


def _cost(cost: Result) -> Iterator[str]:
    device = cost["device"]
    yield "## Predicted and measured"
    yield (
        f"This machine reads {device['memory_bandwidth'] / 1e9:.1f} GB/s and does {device['operations'] / 1e9:.0f} "
        "billion operations a second, both measured. A step takes no less than reading "
        f"{cost['weights_bytes'] / 1e6:.0f} MB of weights and the cache; what it takes beyond is overhead. Predicted "
        "bytes leave out positions and rows that wait for a full page."
    )
    head = ["cache", "kept", "tokens", "MB predicted", "MB", "step ms predicted", "step ms", "ratio"]
    yield table(head, [_foretold(row) for row in cost["rows"]])


def _foretold(row: Result) -> list[str]:
    return [
        row["cache"],
        percent(row["kept"]),
        str(row["tokens"]),
        f"{row['bytes_predicted'] / 1e6:.2f}",
        f"{row['bytes_measured'] / 1e6:.2f}",
        f"{row['step_ms_predicted']:.2f}",
        f"{row['step_ms_measured']:.2f}",
        f"{row['step_ratio']:.2f}",
    ]
