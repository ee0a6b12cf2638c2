"""Several caches timed in turns, a few steps each and round again, so that a noisy machine is noisy for all alike."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from memspan.bench.kv.measured import held, opened
from memspan.bench.kv.settings import System

Model = Any  # transformers' models are not typed
Cache = Any  # transformers' caches and ours share calls, not a type
VOCABULARY = 512
SETTINGS = {
    "hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 64, "vocab_size": VOCABULARY, "max_position_embeddings": 16384,
}  # fmt: skip
"""A model with random weights: what it says means nothing, how long it takes does."""
STEPS = 8
"""A cache's turn: long enough that the first step's cold caches do not make the median."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Who takes part. budget: share of the rows that stay;  tokens: of the prompt"""

    system: System
    budget: float
    tokens: int


@dataclass(slots=True)
class Run:
    """What came of it. prefill, steps: [s];  logits: after the prompt and after each step, (steps + 1, vocabulary)"""

    resident_bytes: int = 0
    peak_bytes: int = 0
    prefill: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)

    @property
    def prefill_s(self) -> float:
        """Median over rounds."""
        return median(self.prefill)

    @property
    def step_s(self) -> float:
        """Median over all steps."""
        return median(self.steps)


def times_as_long(run: Run, other: Run) -> tuple[float, float]:
    """How many times as long as another a prompt and a step take: medians over rounds and turns, each by itself.

    What slows the machine down for a while slows both.

    >>> times_as_long(Run(prefill=[2, 8, 2], steps=[3.0] * 8), Run(prefill=[1, 4, 2], steps=[2.0] * 8))
    (2.0, 1.5)
    """
    prompts = [mine / theirs for mine, theirs in zip(run.prefill, other.prefill, strict=True)]
    turns = [mine / theirs for mine, theirs in zip(_turns(run), _turns(other), strict=True)]
    return median(prompts), median(turns)


def _turns(run: Run) -> list[float]:
    return [median(run.steps[start : start + STEPS]) for start in range(0, len(run.steps), STEPS)]


def stand_in(seed: int) -> Model:
    """The model that is timed."""
    from memspan.kv.hf import new_llama

    return new_llama(SETTINGS, seed)


@torch.no_grad()
def raced(
    model: Model, runners: Sequence[Runner], *, rounds: int, turns: int, seed: int, say: Callable[[str], None]
) -> list[Run]:
    """Each runner's times. rounds: prompts read by each;  turns: of STEPS decoded tokens each, after the last prompt"""
    random = torch.Generator().manual_seed(seed)
    longest = max(runner.tokens for runner in runners)
    ids = torch.randint(1, VOCABULARY, (1, longest + turns * STEPS), generator=random)
    runs = [Run() for _ in runners]
    with ExitStack() as stack:
        lanes = [_Lane(model, runner, stack) for runner in runners]
        for number in range(rounds):
            for lane, run in zip(lanes, runs, strict=True):
                say(f"prompt {number + 1} of {rounds}: {lane.runner.system.name}")
                lane.read(ids, run)
        for number in range(turns):
            say(f"decoding, turn {number + 1} of {turns}")
            for lane, run in zip(lanes, runs, strict=True):
                lane.decode(ids, run)
    return runs


class _Lane:
    """A runner with a model of its own: one model serves one open cache."""

    def __init__(self, model: Model, runner: Runner, stack: ExitStack) -> None:
        self.runner, self._model = runner, deepcopy(model)
        self._empty = stack.enter_context(opened(self._model, runner.system, runner.budget))
        self._cache: Cache = None
        self._at = runner.tokens

    def read(self, ids: Tensor, run: Run) -> None:
        """A prompt, into a new cache."""
        fresh = self._empty
        self._cache = fresh.fork() if hasattr(fresh, "fork") else deepcopy(fresh)
        began = perf_counter()
        out = self._model(ids[:, : self.runner.tokens], past_key_values=self._cache, logits_to_keep=1)
        run.prefill.append(perf_counter() - began)
        run.resident_bytes = held(self._cache)
        engine = getattr(self._cache, "engine", None)
        run.peak_bytes = max(run.resident_bytes, engine.peak) if engine else run.resident_bytes
        run.logits = [out.logits[0, -1]]

    def decode(self, ids: Tensor, run: Run) -> None:
        """A turn of tokens, the same for all."""
        for _ in range(STEPS):
            token = ids[:, self._at : self._at + 1]
            began = perf_counter()
            out = self._model(token, past_key_values=self._cache, logits_to_keep=1)
            run.steps.append(perf_counter() - began)
            run.logits.append(out.logits[0, -1])
            self._at += 1
