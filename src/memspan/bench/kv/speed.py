"""What a cache costs beside transformers' own at thousands of tokens, in one run, with ratios and their goals."""

from collections.abc import Callable, Iterator
from typing import Any

from memspan.bench.kv.race import Run, Runner, raced, stand_in, times_as_long
from memspan.bench.kv.settings import KEEP_ALL, STOCK, System

QUARTER = 0.25
ROUNDS, TURNS = 5, 6
Result = dict[str, Any]  # Any: what json.dumps takes

_KEEP = System(name=KEEP_ALL, kind="baseline")
RUNNERS: tuple[tuple[str, System, float], ...] = (
    (STOCK, System(name=STOCK, kind="baseline"), 1.0),
    (KEEP_ALL, _KEEP, 1.0),
    ("int8", System(name="int8", kind="codec", codec="int8"), 1.0),
    ("int4", System(name="int4", kind="codec", codec="int4"), 1.0),
    ("snapkv 25 %", System(name="snapkv", kind="memspan", method="snapkv"), QUARTER),
    ("adakv 25 %", System(name="adakv", kind="memspan", method="adakv"), QUARTER),
    ("snapkv 25 %, int4", System(name="snapkv", kind="memspan", method="snapkv", codec="int4"), QUARTER),
)
"""Methods with the settings they come with: thousands of tokens have room for them."""

BESIDE = (("adakv 25 %", "snapkv 25 %"), ("int4", KEEP_ALL))
"""Pairs whose decode steps are compared."""


def timed(tokens: int, *, seed: int, say: Callable[[str], None], rounds: int = ROUNDS, turns: int = TURNS) -> Result:
    """Times and bytes of each, one sequence, and how far what it says is from the stock cache's."""
    runners = [Runner(system, budget, tokens) for _, system, budget in RUNNERS]
    runs = raced(stand_in(seed), runners, rounds=rounds, turns=turns, seed=seed, say=say)
    stock = runs[0]
    rows = [_row(name, run, stock) for (name, _, _), run in zip(RUNNERS, runs, strict=True)]
    named = {name: run for (name, _, _), run in zip(RUNNERS, runs, strict=True)}
    beside = {f"{one} / {other}": round(times_as_long(named[one], named[other])[1], 3) for one, other in BESIDE}
    return {"tokens": tokens, "prompts": rounds, "steps": len(stock.steps), "rows": rows, "beside": beside}


def _row(name: str, run: Run, stock: Run) -> Result:
    prefill, step = times_as_long(run, stock)
    apart = max(float((ours - theirs).abs().max()) for ours, theirs in zip(run.logits, stock.logits, strict=True))
    return {
        "name": name,
        "prefill_s": round(run.prefill_s, 4),
        "step_ms": round(run.step_s * 1000, 3),
        "resident_bytes": run.resident_bytes,
        "peak_bytes": run.peak_bytes,
        "prefill_ratio": round(prefill, 3),
        "step_ratio": round(step, 3),
        "bytes_ratio": round(run.resident_bytes / stock.resident_bytes, 4),
        "logits_apart": apart,
    }


def goals(speed: Result) -> list[Result]:
    """Each figure that has a goal: what, measured, goal, and whether it was reached."""
    return [
        {"what": what, "measured": measured, "goal": f"at most {most:g}", "reached": measured <= most}
        for what, measured, most in _goals(speed, {row["name"]: row for row in speed["rows"]})
    ]


def _goals(speed: Result, rows: dict[str, Result]) -> Iterator[tuple[str, float, float]]:
    keep, ada, snap = rows[KEEP_ALL], rows["adakv 25 %"], rows["snapkv 25 %"]
    heads, pages = speed["beside"].values()
    yield f"keep-all beside {STOCK}, {speed['tokens']} tokens: logits apart", keep["logits_apart"], 1e-3
    yield f"keep-all / {STOCK}, prefill", keep["prefill_ratio"], 1.25
    yield f"keep-all / {STOCK}, decode step", keep["step_ratio"], 1.25
    yield "adakv / snapkv at 25 %, decode step", heads, 1.3
    yield "int4 pages / raw, all rows, decode step", pages, 2.0
    yield "snapkv 25 %: bytes of the full cache", snap["bytes_ratio"], 0.26
    yield "adakv 25 %: bytes of the full cache", ada["bytes_ratio"], 0.26
