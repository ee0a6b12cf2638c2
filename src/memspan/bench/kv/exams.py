"""The tasks as they are put: those that share a prompt are read once and asked one after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from memspan.bench.kv.settings import System
from memspan.testing.kv_tasks import Task, induction, multi_key, multi_turn, needle

FEW = 2
"""Batches of the induction task, and for a system that takes each sequence by itself: both take long."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A prompt and its questions. turns: by task, which of the questions are its"""

    name: str
    seed: int
    task: Task
    turns: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of a task. batch: sequences;  context: of each [tokens];  needles: in each

    seeds: how many such batches
    rows: sequences of the fidelity task
    """

    batch: int = 32
    context: int = 480
    needles: int = 24
    seeds: int = 4
    rows: int = 16


def exams(tasks: Sequence[str], sizes: Sizes, first: int) -> list[Exam]:
    """Every prompt of these tasks. first: seed of the first batch"""
    return [exam for seed in range(first, first + sizes.seeds) for exam in _of(tasks, sizes, seed, first)]


def asked_of(system: System, budget: float, every: Sequence[Exam]) -> list[Exam]:
    """Those that a system sits at a budget.

    Where nothing is dropped, one batch shows that; where each sequence is a batch of its own, a few have to do.
    """
    one_by_one = system.press is not None and system.press.alone
    most = 1 if budget == 1 and system.kind in ("memspan", "lookup") else FEW if one_by_one else len(every)
    seeds = sorted({exam.seed for exam in every})[:most]
    return [exam for exam in every if exam.seed in seeds]


def _of(tasks: Sequence[str], sizes: Sizes, seed: int, first: int) -> Iterator[Exam]:
    """The first question of a conversation is that of the needle: same prompt, same seed."""
    shape = (sizes.batch, sizes.context, sizes.needles)
    if aware := [name for name in ("needle-aware", "multi-key") if name in tasks]:
        long = "multi-key" in aware
        task = multi_key(*shape, seed=seed) if long else needle(*shape, aware=True, seed=seed)
        yield Exam("aware", seed, task, _turns(aware, "needle-aware", len(task.turns)))
    if blind := [name for name in ("needle-agnostic", "multi-turn") if name in tasks]:
        long = "multi-turn" in blind
        questions = min(8, sizes.needles)
        task = multi_turn(*shape, questions=questions, seed=seed) if long else needle(*shape, aware=False, seed=seed)
        yield Exam("agnostic", seed, task, _turns(blind, "needle-agnostic", len(task.turns)))
    if "induction" in tasks and seed < first + FEW:
        stretch = min(16, sizes.context // 2)
        task = induction(sizes.batch, sizes.context, stretch=stretch, aware=True, seed=seed)
        yield Exam("induction", seed, task, {"induction": (0,)})


def _turns(tasks: Sequence[str], single: str, count: int) -> dict[str, Sequence[int]]:
    return {name: (0,) if name == single else tuple(range(count)) for name in tasks}
