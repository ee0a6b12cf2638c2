"""One system over one case: a fresh store, the clock on each call, gold left behind.

What crosses to a system's process is a Job: units, and what is asked. Gold, categories and answers stay behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from memspan.bench.cases import Ask, Case, DataSet, Question, Unit
from memspan.bench.machine import peak_rss
from memspan.bench.peers.client import Peer
from memspan.bench.systems import Packed, System, load
from memspan.bench.tasks import Write, steps
from memspan.core.errors import BrokenIsolation

BUDGETS = (250, 500, 1000, 2000)
TIMED = 1000
"""The budget whose packing is timed: the call that a user makes, and the first about a question."""
DEPTHS = {"unit": 20, "session": 300}
"""How many units are asked for: sessions rank where the first of their units ranks, so they need more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One system over one case. asks: (what is asked, visible units), in order of time."""

    system: str
    units: Sequence[Unit]
    asks: Sequence[tuple[Ask, int]]
    depth: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system gave for one question. read_s: time to rank and pack 1,000 tokens [s]"""

    ranked: tuple[str, ...]
    packed: dict[int, Packed]
    read_s: float


@dataclass(slots=True)
class Outcome:
    """What a system gave for one case.

    write_s: time of all remember calls [s];  singles: of those with one unit [s]
    bytes_on_disk: at the end;  peak_rss: most memory the process ever held [bytes]
    """

    replies: list[Reply] = field(default_factory=list)
    write_s: float = 0.0
    singles: list[float] = field(default_factory=list)
    turns: int = 0
    bytes_on_disk: int = 0
    peak_rss: int = 0


def job_of(data: DataSet, case: Case, questions: Sequence[Question], system: str) -> Job:
    """The case as the system sees it. questions: those to put, by what is visible to them"""
    return Job(system, case.units, [(one.ask, one.visible) for one in questions], DEPTHS[data.level])


def work(job: Job) -> Outcome:
    """Run one job in a folder of its own. Raises BrokenIsolation where another scope of the store shows anything."""
    with TemporaryDirectory(prefix="memspan-bench-") as folder:
        system = load(job.system)(Path(folder))
        try:
            return _work(job, system)
        finally:
            system.close()


def _work(job: Job, system: System) -> Outcome:
    outcome = Outcome()
    for step in steps(job.units, job.asks):
        if isinstance(step, Write):
            seconds = _write(system, step.units)
            outcome.write_s += seconds
            outcome.turns += len(step.units)
            outcome.singles += [seconds] if len(step.units) == 1 else []
        else:
            outcome.replies.append(_ask(system, step.ask, job.depth))
    if job.asks and (leaked := system.elsewhere(job.asks[-1][0])):
        raise BrokenIsolation(job.system, leaked[0])
    outcome.bytes_on_disk = system.bytes_on_disk()
    outcome.peak_rss = system.peak_rss() if isinstance(system, Peer) else peak_rss()
    return outcome


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
