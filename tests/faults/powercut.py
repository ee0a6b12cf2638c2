"""Power cuts, simulated: record every write, then build each file that a cut could have left and open it.

A write is on the medium once a later sync of that file returned; until then it may be there, be missing or be torn.
Run the long form with `python -m tests.faults.powercut --rounds 20 --json OUT.jsonl`.

Left out: the loss of a directory entry (a name that was created or removed counts as settled at the next use of it).
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
from tests.faults import workload as plain
from tests.faults.workload import folder_in_ram, script

from memspan.core.errors import MemspanError

ALL_SUBSETS_UP_TO = 6
RANDOM_SUBSETS = 24
SECTOR = 512
SYSTEM_VFS = apsw.vfs_names()[0]


@dataclass(frozen=True)
class Write:
    """One change to a file that is not yet known to be on the medium. op: write, truncate or delete"""

    name: str
    op: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Trace:
    """What happened, in order: writes, syncs (as file names) and marks of the workload (as numbers of acks)."""

    events: list[Write | str | int] = field(default_factory=list)


class Recorder(apsw.VFS):
    """The system's VFS, with every write of our files noted down."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.names = trace, {}
        super().__init__("recorder", SYSTEM_VFS, makedefault=True)

    def xOpen(self, name, flags):
        file = RecordedFile(self.trace, name, flags)
        self.names[os.stat(file.path).st_ino] = file.name
        return file

    def xDelete(self, filename, syncdir):
        super().xDelete(filename, syncdir)
        self.trace.events.append(Write(Path(filename).name, "delete"))
        if syncdir:
            self.trace.events.append(Path(filename).name)


class RecordedFile(apsw.VFSFile):
    """A file whose writes, truncations and syncs are noted once they happened."""

    def __init__(self, trace, name, flags):
        self.trace = trace
        self.path = Path(name.filename() if hasattr(name, "filename") else name)
        self.name = self.path.name
        super().__init__(SYSTEM_VFS, name, flags)

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        self.trace.events.append(Write(self.name, "write", offset, bytes(data)))

    def xTruncate(self, newsize):
        super().xTruncate(newsize)
        self.trace.events.append(Write(self.name, "truncate", newsize))

    def xSync(self, flags):
        super().xSync(flags)
        self.trace.events.append(self.name)


@contextmanager
def recording() -> Iterator[Trace]:
    """Everything SQLite writes inside goes into the trace."""
    trace = Trace()
    recorder = Recorder(trace)
    sync = os.fsync

    def fsync(handle: int) -> None:
        sync(handle)
        trace.events.append(recorder.names.get(os.fstat(handle).st_ino, ""))

    os.fsync = fsync
    try:
        yield trace
    finally:
        os.fsync = sync
        recorder.unregister()
        apsw.set_default_vfs(SYSTEM_VFS)


Image = dict[str, bytes | None]  # file name -> content, None = not there


def applied(image: Image, write: Write) -> None:
    """Do a write to an image."""
    old = image.get(write.name) or b""
    if write.op == "delete":
        image[write.name] = None
    elif write.op == "truncate":
        image[write.name] = old[: write.offset].ljust(write.offset, b"\0")
    else:
        end = write.offset + len(write.data)
        image[write.name] = old[: write.offset].ljust(write.offset, b"\0") + write.data + old[end:]


def torn(write: Write) -> list[Write]:
    """What a cut in the middle of a long write leaves: a half, the other half, one sector."""
    size = len(write.data)
    if write.op != "write" or size <= SECTOR:
        return []
    half = size // 2 // SECTOR * SECTOR or SECTOR
    middle = size // SECTOR // 2 * SECTOR
    pieces = [(0, half), (half, size), (middle, min(size, middle + SECTOR))]
    return [Write(write.name, "write", write.offset + low, write.data[low:high]) for low, high in pieces if low < high]


def kept(pending: list[Write], chance: random.Random) -> Iterator[list[Write]]:
    """The ways in which pending writes can have reached the medium."""
    count = len(pending)
    if count <= ALL_SUBSETS_UP_TO:
        for size in range(count + 1):
            yield from (list(some) for some in combinations(pending, size))
    else:
        yield []
        for place in range(count):
            yield pending[: place + 1]
            yield pending[:place] + pending[place + 1 :]
            yield [pending[place]]
        for _ in range(RANDOM_SUBSETS):
            yield [write for write in pending if chance.random() < 0.5]
    for place, write in enumerate(pending):
        for part in torn(write):
            yield [*pending[:place], part]
            yield [*pending[:place], part, *pending[place + 1 :]]


@dataclass(frozen=True)
class State:
    """Files after a cut, and how many acks had been given before it; -1 = the first opening was still under way."""

    image: tuple[tuple[str, bytes], ...]
    acks: int


def states(trace: Trace, seed: int, since: int = -1) -> Iterator[State]:
    """Every distinct state that a cut after each event could leave. since: only after so many acks"""
    chance = random.Random(seed)
    settled: Image = {}
    pending: list[Write] = []
    acks = -1
    seen: set[bytes] = set()
    for event in trace.events:
        if isinstance(event, int):
            acks = event
        elif isinstance(event, str):
            for write in pending:
                if write.name == event:
                    applied(settled, write)
            pending = [write for write in pending if write.name != event]
        else:
            if event.op != "delete":  # a name in use again: its removal has settled
                for write in [write for write in pending if write.name == event.name and write.op == "delete"]:
                    applied(settled, write)
                    pending.remove(write)
            pending.append(event)
        for some in kept(pending, chance) if acks >= since else ():
            image = dict(settled)
            for write in some:
                applied(image, write)
            files = tuple(sorted((name, content) for name, content in image.items() if content is not None))
            key = blake2b(repr(acks).encode(), digest_size=16)
            for name, content in files:
                key.update(name.encode() + len(content).to_bytes(8, "little") + content)
            if key.digest() not in seen:
                seen.add(key.digest())
                yield State(files, acks)


@dataclass(frozen=True)
class Outcome:
    """What a run found. unborn: states of a file whose first opening never returned, failing to open

    bad: up to ten (acks, what was wrong)
    """

    states: int
    failures: int
    unborn: int
    bad: tuple[tuple[int, str], ...]
    seconds: float


def explore(
    steps: Sequence[Any],
    *,
    durability: str = "power",
    seed: int = 0,
    sample: float = 1.0,
    since: int = -1,
    workload: ModuleType = plain,
) -> Outcome:
    """Record the steps, build the states and open each one.

    sample: the share of states that is opened [0..1]; the rest is passed over at random
    since: only states after so many acks;  workload: whose play() and condition() it is
    """
    started = time.perf_counter()
    chance = random.Random(seed + 1)
    tried, failures, unborn, bad = 0, 0, 0, []
    with folder_in_ram() as folder:
        with recording() as trace:
            workload.play(folder / "live.mem", steps, trace.events.append, durability=durability)
        for state in states(trace, seed, since):
            if chance.random() >= sample:
                continue
            wrong = _opened(folder / "cut", state, steps, workload)
            tried += 1
            if wrong:
                failures += state.acks >= 0
                unborn += state.acks < 0
                bad += [(state.acks, wrong)][: 10 - len(bad)]
    return Outcome(tried, failures, unborn, tuple(bad), time.perf_counter() - started)


def _opened(folder: Path, state: State, steps: Sequence[Any], workload: ModuleType) -> str | None:
    folder.mkdir()
    try:
        for name, content in state.image:
            (folder / name).write_bytes(content)
        return workload.condition(folder / "live.mem", steps, max(0, state.acks))
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """The long form: rounds of seeded workloads, one line of JSON each."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    total = failures = 0
    for seed in range(given.seed, given.seed + given.rounds):
        found = explore(script(seed, calls=12), seed=seed)
        total, failures = total + found.states, failures + found.failures
        line = json.dumps({"harness": "powercut", "seed": seed, **found.__dict__})
        print(line, flush=True)
        if given.json:
            with given.json.open("a") as out:
                out.write(line + "\n")
    print(f"{total:,} states, {failures} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    warnings.simplefilter("error")
    try:
        main()
    except MemspanError as why:
        sys.exit(f"the workload itself failed: {why}")
