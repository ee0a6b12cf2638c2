"""Speed: recall and remember of memspan beside what a user would otherwise write, each size in a process of its own.

Run by `memspan bench speed`; this module is also what the fresh processes run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from memspan.bench.cases import Unit
from memspan.bench.machine import head, peak_rss
from memspan.bench.speech import conversations, questions

SCHEMA = "memspan.bench.speed/1"
BATCH = 1000
SAMPLED = 2000
Result = dict[str, Any]  # Any: what json.dumps takes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedPlan:
    """What to measure. records: sizes [turns];  texts: real turns to build from, else words are made up

    folder: where the files lie, for the disk matters;  asked, told: how many recalls and single remembers are timed
    """

    records: Sequence[int]
    texts: Sequence[str] = ()
    folder: Path | None = None
    asked: int = 200
    told: int = 200
    seed: int = 7


def measure(plan: SpeedPlan, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Every size, memspan and the comparison. say: hears what is going on"""
    sizes = []
    for size in plan.records:
        say(f"{size:,} turns: memspan")
        ours = _in_fresh_process(plan, "memspan", size)
        say(f"{size:,} turns: FTS5 + NumPy")
        theirs = _in_fresh_process(plan, "diy", size)
        sizes.append({"records": size, "memspan": ours, "diy": theirs, "ratio": ratios(ours, theirs)})
    return {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": plan.seed,
        "text": f"recombined from {len(plan.texts):,} real turns" if plan.texts else "made up (Zipf words)",
        "sizes": sizes,
    }


def ratios(ours: Result, theirs: Result) -> Result:
    """Theirs over ours: above 1, memspan is faster. Bulk is turned round, so that it reads the same way."""
    found = {name: theirs[name] / ours[name] for name in ("recall_ms_p50", "recall_ms_p95", "remember_ms_p50")}
    found["bulk_turns_per_s"] = ours["bulk_turns_per_s"] / theirs["bulk_turns_per_s"]
    return {name: round(value, 2) for name, value in found.items()}


def _in_fresh_process(plan: SpeedPlan, system: str, size: int) -> Result:
    """Peak memory and first use are only right in a process that did nothing before."""
    with TemporaryDirectory(prefix="memspan-speed-", dir=plan.folder) as folder:
        order = {"system": system, "size": size, "folder": folder, "asked": plan.asked, "told": plan.told}
        texts = Path(folder) / "texts.json"
        texts.write_text(json.dumps({**order, "seed": plan.seed, "texts": list(plan.texts)}), encoding="utf-8")
        for step in ("write", "read"):
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "memspan.bench.speed", step, str(texts)],
                check=False,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
            if done.returncode:
                raise RuntimeError(f"the measuring process failed:\n{done.stderr}")
            order |= json.loads(done.stdout)
        return {name: value for name, value in order.items() if name not in ("folder", "system", "size")}


# -- what runs in the fresh process


def main(step: str, path: str) -> None:
    """Do one step and print what was measured."""
    order = json.loads(Path(path).read_text(encoding="utf-8"))
    store = _stores()[order["system"]](Path(order["folder"]))
    print(json.dumps({"write": _write, "read": _read}[step](store, order)))


def _stores() -> dict[str, Callable[[Path], Any]]:
    from memspan.bench.speed_stores import Diy, Ours

    return {"memspan": Ours, "diy": Diy}


def _units(order: Result) -> Iterator[Unit]:
    return conversations(order["seed"], order["texts"])


def _write(store: Any, order: Result) -> Result:
    """Bulk, then one turn at a time; then the bare cost of a durable write in the same folder."""
    store.load()
    units = islice(_units(order), order["size"] + order["told"])
    text_bytes, wrote, bulk_s = 0, 0, 0.0
    store.open()
    while batch := list(islice(units, min(BATCH, order["size"] - wrote))):
        text_bytes += sum(len(unit.text.encode()) for unit in batch)
        start = perf_counter()
        store.remember(batch)
        bulk_s += perf_counter() - start
        wrote += len(batch)
    on_disk = _settled(store, Path(order["folder"]))
    single, bare, cpu_s = _singles(store, units, Path(order["folder"]))
    store.close()
    return {
        "bulk_turns_per_s": round(wrote / bulk_s),
        "text_bytes_per_turn": round(text_bytes / wrote),
        "disk_bytes_per_turn_beyond_text": round((on_disk - text_bytes) / wrote),
        **percentiles("remember_ms", single),
        "remember_cpu_ms_mean": round(cpu_s / len(single) * 1000, 4),
        **percentiles("fdatasync_ms", bare),
        "write_peak_rss_mb": peak_rss_mb(),
    }


def _settled(store: Any, folder: Path) -> int:
    """Bytes of the memory once it is closed; it is open again afterwards."""
    store.close()
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name != "texts.json")
    store.open()
    return size


def _singles(store: Any, units: Iterator[Unit], folder: Path) -> tuple[list[float], list[float], float]:
    """Times of single remembers, of bare durable writes between them, and the processor's share of the former [s].

    Bare: 4 kB written into a file and synced. In turns, for a shared disk is not the same from second to second.
    """
    sync = getattr(os, "fdatasync", os.fsync)
    single, bare, cpu_s = [], [], 0.0
    with (folder / "floor").open("wb", buffering=0) as file:

        def once() -> None:
            file.write(b"x" * 4096)
            sync(file.fileno())

        for unit in units:
            before = thread_time()
            single.append(_timed(store.remember, [unit]))
            cpu_s += thread_time() - before
            bare.append(_timed(once))
    return single, bare, cpu_s


def _read(store: Any, order: Result) -> Result:
    """Open, first recall, then many."""
    asked = questions(list(islice(_units(order), min(order["size"], SAMPLED))), order["asked"] + 1, order["seed"] + 1)
    import_s = _timed(store.load)
    before_mb = peak_rss_mb()
    first_cpu = thread_time()
    open_s = _timed(store.open)
    first_s = _timed(store.recall, asked[0])
    cpu = thread_time()
    first_cpu = cpu - first_cpu
    times = [_timed(store.recall, question) for question in asked[1:]]
    cpu = thread_time() - cpu
    store.close()
    return {
        "import_ms": round(import_s * 1000, 2),
        "open_ms": round(open_s * 1000, 2),
        "first_recall_ms": round(first_s * 1000, 2),
        "open_and_first_recall_ms": round((open_s + first_s) * 1000, 2),
        "open_and_first_recall_cpu_ms": round(first_cpu * 1000, 2),
        **percentiles("recall_ms", times),
        "recall_cpu_ms_mean": round(cpu / len(times) * 1000, 4),
        "read_peak_rss_mb": peak_rss_mb(),
        "rss_before_open_mb": before_mb,
        **store.remarks(),
    }


def _timed(call: Callable[..., object], *given: object) -> float:
    start = perf_counter()
    call(*given)
    return perf_counter() - start


def percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds.

    >>> percentiles("x_ms", [0.001, 0.002, 0.003])["x_ms_p50"]
    2.0
    """
    values = np.percentile(np.array(times) * 1000, [50, 95, 99])
    return {f"{name}_p{at}": round(float(value), 4) for at, value in zip((50, 95, 99), values, strict=True)}


def peak_rss_mb() -> float | None:
    """Most memory this process ever held [MB]; None where the platform does not tell."""
    return round(peak_rss() / 2**20, 1) or None


if __name__ == "__main__":
    main(*sys.argv[1:])
