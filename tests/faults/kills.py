"""Killed processes: at every statement, at every write to the file, and at random among ten that share one file.

Long forms: `python -m tests.faults.kills --kills 10000 --writers 8 --readers 2 --json OUT.jsonl`.
The children are forked from a parent that has no memory open; acks go through pipes, which survive the child.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
from tests.faults import workload as plain
from tests.faults.workload import folder_in_ram, memory

from memspan import Turn
from memspan.core.errors import MemspanError, StoreBusy

SYSTEM_VFS = apsw.vfs_names()[0]
GROUP = 3  # turns of one bulk call; a reader must never see a part of one


def die() -> None:
    """As if the power button of this process alone were pressed."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[int], object]) -> tuple[int, bytes]:
    """Run work(pipe) in a forked child; (wait status, all it wrote to the pipe)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            work(writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    return os.waitpid(child, 0)[1], said


class Countdown:
    """Calls `die` at the n-th tick."""

    def __init__(self, ticks: int) -> None:
        self.left = ticks

    def tick(self) -> bool:
        self.left -= 1
        return self.left == 0


def at_statement(number: int) -> None:
    """From here on, die just before the number-th SQL statement of this process."""
    countdown = Countdown(number)

    def trace(cursor: object, sql: str, bindings: object) -> bool:
        if countdown.tick():
            die()
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    apsw.connection_hooks.append(hook)


class KillingVfs(apsw.VFS):
    """The system's VFS; at the n-th write, sync, truncation or removal it dies before, within or after it."""

    def __init__(self, number: int, part: float) -> None:
        self.countdown, self.part = Countdown(number), part
        super().__init__("killing", SYSTEM_VFS, makedefault=True)

    def xOpen(self, name, flags):
        return KillingFile(self, name, flags)

    def xDelete(self, filename, syncdir):
        if self.countdown.tick():
            die()
        super().xDelete(filename, syncdir)


class KillingFile(apsw.VFSFile):
    """A file of KillingVfs."""

    def __init__(self, vfs, name, flags):
        self.vfs = vfs
        super().__init__(SYSTEM_VFS, name, flags)

    def xWrite(self, data, offset):
        if self.vfs.countdown.tick():
            if self.vfs.part:
                super().xWrite(bytes(data)[: max(1, int(len(data) * self.vfs.part))], offset)
            die()
        super().xWrite(data, offset)

    def xTruncate(self, newsize):
        if self.vfs.countdown.tick():
            die()
        super().xTruncate(newsize)

    def xSync(self, flags):
        if self.vfs.countdown.tick():
            die()
        super().xSync(flags)


@dataclass
class Tally:
    """Counts of one run. wrong: what was found broken"""

    kills: int = 0
    acks: int = 0
    reads: int = 0
    wrong: list[str] = field(default_factory=list)


def everywhere(
    steps: Sequence[Any], arm: Callable[[int], object], *, every: int = 1, workload: ModuleType = plain
) -> Tally:
    """Play the steps once for every n, killed at the n-th tick of what `arm(n)` counts, until nothing is killed.

    every: only each so-manieth n;  workload: whose play() and condition() it is
    """
    tally = Tally()
    for number in range(1, 100_000, every):
        with folder_in_ram() as folder:

            def work(pipe: int, folder: Path = folder, number: int = number) -> None:
                arm(number)
                workload.play(folder / "live.mem", steps, lambda _: os.write(pipe, b"."))

            status, said = in_child(work)
            if os.WIFEXITED(status):
                if os.WEXITSTATUS(status):
                    tally.wrong.append(f"n={number}: the workload itself failed")
                return tally
            acks = max(0, len(said) - 1)  # the first dot says: opened
            tally.kills, tally.acks = tally.kills + 1, tally.acks + acks
            if wrong := workload.condition(folder / "live.mem", steps, acks):
                tally.wrong.append(f"n={number}, {acks} acks: {wrong}")
    return tally


def _write_for_ever(path: Path, me: int, round_number: int, durability: str) -> Callable[[int], None]:
    def work(pipe: int) -> None:
        with memory(path, durability=durability) as here:
            for number in range(1_000_000):
                mark = f"{round_number}-{me}-{number}"
                size = GROUP if number % 4 == 3 else 1
                turns = [
                    Turn(f"group {mark} of {size} part {part}", session=f"s{me}", speaker=f"S{me}")
                    for part in range(size)
                ]
                here.remember(turns)
                os.write(pipe, f"{mark} {size}\n".encode())

    return work


def _read_for_ever(path: Path, durability: str) -> Callable[[int], None]:
    def work(pipe: int) -> None:
        seen = 0
        with memory(path, durability=durability) as here:
            while True:
                found = [turn.text for turn in here.turns()]
                if len(found) < seen:
                    os.write(pipe, b"!went back\n")
                seen = len(found)
                if half := half_groups(found):
                    os.write(pipe, f"!half a call is visible: {half[0]}\n".encode())
                hits = here.recall(f"group {seen % 7}", tokens=None, limit=3)
                if any(hit.text not in set(found) and not hit.text.startswith("group ") for hit in hits):
                    os.write(pipe, b"!recall gave a text that was never written\n")
                os.write(pipe, b"?\n")

    return work


def half_groups(found: Sequence[str]) -> list[str]:
    """Marks of calls of which only a part is there."""
    parts: dict[str, tuple[int, int]] = {}
    for text in found:
        _, mark, _, size, _, _ = text.split()
        parts[mark] = (parts.get(mark, (0, 0))[0] + 1, int(size))
    return [mark for mark, (there, size) in parts.items() if there != size]


def spawn(work: Callable[[int], None]) -> tuple[int, int]:
    """A forked child that does the work; (its process, the pipe to read from)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work(writing)
        except MemspanError as why:
            os.write(writing, f"!{type(why).__name__}: {why}\n".encode())
        finally:
            os._exit(1)
    os.close(writing)
    os.set_blocking(reading, False)
    return child, reading


def drain(pipe: int) -> bytes:
    """All that the pipe holds now."""
    said = b""
    while True:
        try:
            piece = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return said
        if not piece:
            return said
        said += piece


@dataclass(frozen=True)
class Crowd:
    """Who shares the file. mean_s: mean of the exponential delay before a kill [s]"""

    writers: int = 8
    readers: int = 2
    mean_s: float = 0.05
    durability: str = "power"


def crowd_round(path: Path, crowd: Crowd, chance: random.Random, number: int, tally: Tally) -> list[tuple[str, int]]:
    """Start all, kill one at random, let the others go on, kill them all together; the acks that came."""
    works = [_write_for_ever(path, me, number, crowd.durability) for me in range(crowd.writers)]
    works += [_read_for_ever(path, crowd.durability)] * crowd.readers
    living = [spawn(work) for work in works]
    said = {pipe: b"" for _, pipe in living}
    try:
        first = chance.choice(living)
        for some in ([first], [each for each in living if each != first]):
            until = time.monotonic() + chance.expovariate(1 / crowd.mean_s)
            while time.monotonic() < until:
                time.sleep(0.002)
                for pipe in said:
                    said[pipe] += drain(pipe)
            for child, _ in some:
                os.kill(child, signal.SIGKILL)
            for child, _ in some:
                status = os.waitpid(child, 0)[1]
                tally.kills += os.WIFSIGNALED(status)
    finally:
        for pipe in said:
            said[pipe] += drain(pipe)
            os.close(pipe)
    return _sorted_out(said.values(), tally)


def _sorted_out(said: Sequence[bytes], tally: Tally) -> list[tuple[str, int]]:
    acks = []
    for text in said:
        for line in text.decode().splitlines():
            if line.startswith("!"):
                tally.wrong.append(line[1:])
            elif line == "?":
                tally.reads += 1
            else:
                mark, size = line.split()
                acks.append((mark, int(size)))
    tally.acks += len(acks)
    return acks


def crowd_kills(kills: int, crowd: Crowd, seed: int, folder: Path, rounds_per_file: int = 12) -> Tally:
    """Rounds until so many processes were killed; after each one the file is opened and compared with the acks."""
    chance, tally = random.Random(seed), Tally()
    number, acknowledged = 0, []
    path = folder / "crowd-0.mem"
    while tally.kills < kills and len(tally.wrong) < 10:
        if number % rounds_per_file == 0:
            path, acknowledged = folder / f"crowd-{number}.mem", []
            in_child(lambda _, path=path: memory(path).close())
        acknowledged += crowd_round(path, crowd, chance, number, tally)
        number += 1
        tally.wrong += _compared(path, acknowledged)
    return tally


def _compared(path: Path, acknowledged: Sequence[tuple[str, int]]) -> list[str]:
    if not path.exists():
        return [f"no file, {len(acknowledged)} acks"] if acknowledged else []
    try:
        with memory(path) as here:
            found = [turn.text for turn in here.turns()]
            health = here.check()
            without = here.stats().without_vector
    except MemspanError as why:
        return [f"does not open: {type(why).__name__}: {why}"]
    there = set(found)
    lost = [mark for mark, size in acknowledged if f"group {mark} of {size} part 0" not in there]
    wrong = [f"{len(lost)} acknowledged calls lost, such as {lost[0]}"] if lost else []
    wrong += [f"half a call: {mark}" for mark in half_groups(found)]
    wrong += [] if health.ok else [f"check: {health.problems[:3]}"]
    wrong += [f"{without} turns without a vector"] if without else []
    wrong += ["a turn is stored twice"] if len(there) != len(found) else []
    return wrong


def main() -> None:
    """The long form of the crowd."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--kills", type=int, default=10_000)
    options.add_argument("--writers", type=int, default=8)
    options.add_argument("--readers", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--folder", type=Path, help="a real disk, where fsync means something")
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    started = time.perf_counter()
    tally = crowd_kills(given.kills, Crowd(given.writers, given.readers), given.seed, folder)
    line = json.dumps(
        {"harness": "kills", "seed": given.seed, **tally.__dict__, "seconds": time.perf_counter() - started}
    )
    print(line)
    if given.json:
        with given.json.open("a") as out:
            out.write(line + "\n")
    shutil.rmtree(folder)
    sys.exit(bool(tally.wrong))


if __name__ == "__main__":
    warnings.simplefilter("error")
    try:
        main()
    except StoreBusy as why:
        sys.exit(str(why))
