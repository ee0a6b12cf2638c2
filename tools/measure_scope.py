"""What one small scope costs: the figures that `memspan plan scale` goes by. Seconds are of the processor.

    python tools/measure_scope.py PLACE [--scopes 20] [--records 1000]

PLACE: a new file, or postgresql:// of an empty database. Made-up text, 201 bytes a turn; medians over the scopes.
"""

import argparse
import json
import os
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time

from memspan.bench.speech import conversations, questions
from memspan.text.memory import Memory

SAMPLED = 50


def main() -> None:
    """Fill the scopes, then open each anew and use it; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("place")
    parser.add_argument("--scopes", type=int, default=20)
    parser.add_argument("--records", type=int, default=1000)
    told = parser.parse_args()
    text = 0
    for nth in range(told.scopes):
        units = list(islice(conversations(nth), told.records))
        text += sum(len(unit.text.encode()) for unit in units)
        with Memory(told.place, scope=f"t{nth}") as memory:
            memory.remember(unit.turn() for unit in units)
            size = memory.stats().bytes
    print(json.dumps({**_used(told.place, told.scopes, told.records), **_sizes(size, text, told)}, indent=1))


def _sizes(size: int, text: int, told: argparse.Namespace) -> dict[str, object]:
    records = told.scopes * told.records
    return {
        "records_a_scope": told.records,
        "bytes_a_record": round(size / records),
        "text_bytes": round(text / records),
    }


def _used(place: str, scopes: int, records: int) -> dict[str, object]:
    """Processor seconds of opening with a first recall, of the next ones, of a remember; memory held by each scope."""
    cold, warm, told = [], [], []
    held = []
    before = _rss()
    for nth in range(scopes):
        asked = questions(list(islice(conversations(nth), records)), SAMPLED + 1, 1)
        start = process_time()
        memory = Memory(place, scope=f"t{nth}")
        memory.recall(asked[0])
        cold.append(process_time() - start)
        held.append(memory)
        warm += [_timed(memory, question) for question in asked[1:]]
    after = _rss()
    for nth, memory in enumerate(held):
        for number in range(10):
            start = process_time()
            memory.remember(f"One more thing, number {number} of {nth}.")
            told.append(process_time() - start)
        memory.close()
    found = {"cold_recall_s": median(cold[1:]), "warm_recall_s": median(warm), "remember_s": median(told)}
    return {name: round(value, 5) for name, value in found.items()} | {"open_bytes_a_scope": (after - before) // scopes}


def _timed(memory: Memory, question: str) -> float:
    start = process_time()
    memory.recall(question)
    return process_time() - start


def _rss() -> int:
    """Memory this process holds [bytes]."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
