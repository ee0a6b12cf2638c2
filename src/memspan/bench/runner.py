"""Runs systems over cases: a fresh store for each case, the clock on each call, gold left behind.

What crosses to a system's process is units and question texts; gold, categories and answers stay here.
"""

import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from memspan.bench.cases import Ask, Case, DataSet, Question, Unit
from memspan.bench.systems import Packed, System, load

BUDGETS = (250, 500, 1000, 2000)
TIMED = 1000
"""The budget whose packing is timed: the call that a user makes, and the first about a question."""
DEPTHS = {"unit": 20, "session": 300}
"""How many units are asked for: sessions rank where the first of their units ranks, so they need more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One system over one case. asked: (what is asked, visible units), in order of time."""

    system: str
    units: Sequence[Unit]
    asked: Sequence[tuple[Ask, int]]
    depth: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system gave for one question. read_s: time to rank and pack 1,000 tokens [s]"""

    ranked: tuple[str, ...]
    packed: dict[int, Packed]
    read_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a system gave for one case. write_s: time of all remember calls [s]; bytes_on_disk: at the end"""

    replies: list[Reply]
    write_s: float
    turns: int
    bytes_on_disk: int


def questions_of(case: Case) -> list[Question]:
    """The questions with gold, in order of what is visible to them."""
    return sorted((one for one in case.questions if one.gold), key=lambda one: one.visible)


def job_of(data: DataSet, case: Case, system: str) -> Job:
    """The case as the system sees it."""
    asked = [(one.ask, one.visible) for one in questions_of(case)]
    return Job(system, case.units, asked, DEPTHS[data.level])


def work(job: Job) -> Outcome:
    """Run one job in a folder of its own."""
    with TemporaryDirectory(prefix="memspan-bench-") as folder:
        system = load(job.system)(Path(folder))
        try:
            return _work(job, system)
        finally:
            system.close()


def _work(job: Job, system: System) -> Outcome:
    replies: list[Reply] = []
    write_s, done = 0.0, 0
    for ask, visible in job.asked:
        for batch in _sessions(job.units[done:visible], whole=not done and visible == len(job.units)):
            write_s += _write(system, batch)
        done = max(done, visible)
        replies.append(_ask(system, ask, job.depth))
    return Outcome(replies, write_s, done, system.bytes_on_disk())


def _sessions(units: Sequence[Unit], *, whole: bool) -> Iterator[Sequence[Unit]]:
    """All at once where all is there from the start; else a session at a time, as it ends."""
    if whole:
        yield units
        return
    start = 0
    for end in range(1, len(units) + 1):
        if end == len(units) or units[end].session != units[start].session:
            yield units[start:end]
            start = end


def _write(system: System, units: Sequence[Unit]) -> float:
    turns = [unit.turn() for unit in units]
    start = perf_counter()
    system.remember(turns)
    return perf_counter() - start


def _ask(system: System, ask: Ask, depth: int) -> Reply:
    start = perf_counter()
    packed = {TIMED: system.pack(ask, TIMED)}
    read_s = perf_counter() - start
    packed |= {tokens: system.pack(ask, tokens) for tokens in BUDGETS if tokens != TIMED}
    return Reply(tuple(system.recall(ask, depth)), packed, read_s)


def run(jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs."""
    if processes <= 1:
        yield from map(work, jobs)
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=fresh) as pool:
        yield from pool.map(work, jobs)


def watched(outcomes: Iterable[Outcome], total: int, label: str) -> Iterator[Outcome]:
    """The same outcomes, with a line of progress on a terminal's stderr."""
    show = sys.stderr.isatty()
    for done, outcome in enumerate(outcomes, 1):
        if show:
            print(f"\r{label}: {done}/{total} cases", end="\n" if done == total else "", file=sys.stderr, flush=True)
        yield outcome
