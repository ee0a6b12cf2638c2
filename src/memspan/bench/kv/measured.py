"""One cache in one exam: which answers were right, the bytes at three moments, and where the time went."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from memspan.bench.kv.settings import STOCK, System, policy
from memspan.core.budget import Budget
from memspan.kv.compressing import compress
from memspan.kv.store.pages import unique_bytes
from memspan.kv.store.tiers import Tier
from memspan.testing.fidelity import TextModel, divergences
from memspan.testing.kv_tasks import Task

Result = dict[str, Any]  # Any: what json.dumps takes
Model = Any  # transformers' models are not typed
Cache = Any  # transformers' caches and ours share calls, not a type
WHERE = ("score", "attend", "move")


@contextmanager
def opened(model: Model, system: System, budget: float) -> Iterator[Cache]:
    """An empty cache of that system for the model; pages that are looked up lie in the host's memory.

    budget: share of the rows that stay, or are attended to
    """
    if system.name == STOCK:
        from transformers import DynamicCache

        yield DynamicCache()
        return
    method = None if system.method is None else policy(system.method, system.settings)
    limit = None if system.method is None else Budget(ratio=budget)
    tier: Tier = "host" if system.kind == "lookup" else "device"
    with compress(model, method, limit, codec=system.codec, tier=tier) as cache:
        yield cache


def held(cache: Cache) -> int:
    """Bytes of what the cache holds at hand, whoever made it."""
    if hasattr(cache, "nbytes"):
        return int(cache.nbytes())
    return unique_bytes([rows for layer in cache.layers if layer.is_initialized for rows in (layer.keys, layer.values)])


def elsewhere(cache: Cache) -> int:
    """Bytes of pages that lie in the host's memory until they are looked up."""
    return int(cache.nbytes("host")) if hasattr(cache, "nbytes") else 0


@torch.no_grad()
def sat(model: Model, task: Task, system: System, budget: float) -> Result:
    """The exam's result: `right` (batch, turns), bytes, seconds.

    prefill_s: to read the prompt and cut its cache;  step_s: of a decode step of the whole batch, median
    prefill_split, decode_split: of those, spent on score, attend and move [s]; None where the cache does not tell
    """
    with opened(model, system, budget) as cache:
        began = perf_counter()
        last = model(task.prompt, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        prefill_s = perf_counter() - began
        resident, away = held(cache), elsewhere(cache)
        clock = _Clock(model)
        right = [clock.turn(_forked(cache), last, *turn) for turn in task.turns]
        engine = getattr(cache, "engine", None)
        return {
            "right": torch.stack(right, 1).int().tolist(),
            "resident_bytes": resident,
            "away_bytes": away,
            "peak_bytes": max(resident, engine.peak) if engine else resident,
            "decoded_bytes": clock.bytes,
            "prefill_s": prefill_s,
            "step_s": median(clock.steps),
            "prefill_split": _split(cache),
            "decode_split": [one / len(clock.steps) for one in clock.split] if engine else None,
        }


@dataclass(slots=True)
class _Clock:
    """Answers questions and times each step of one token."""

    model: Model
    steps: list[float] = field(default_factory=list)
    split: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    bytes: int = 0

    def turn(self, cache: Cache, last: Tensor, fed: Tensor, answer: Tensor) -> Tensor:
        """Whether each sequence says the answer, (batch,)."""
        if fed.shape[1]:
            last = self.model(fed, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        said = [last.argmax(-1)]
        before = _split(cache)
        while len(said) < answer.shape[1]:
            began = perf_counter()
            last = self.model(said[-1][:, None], past_key_values=cache, use_cache=True).logits[:, -1]
            self.steps.append(perf_counter() - began)
            said.append(last.argmax(-1))
        after = _split(cache)
        if before and after:
            self.split = [sum(one) - start for *one, start in zip(self.split, after, before, strict=True)]
        self.bytes = max(self.bytes, held(cache))
        return (torch.stack(said, 1) == answer).all(1)


def _forked(cache: Cache) -> Cache:
    return cache.fork() if hasattr(cache, "fork") else deepcopy(cache)


def _split(cache: Cache) -> list[float] | None:
    times = getattr(getattr(cache, "engine", None), "times", None)
    return [getattr(times, name) for name in WHERE] if times else None


def strayed(text: TextModel, rows: int, full: Tensor, system: System, budget: float) -> Result:
    """How far the cache moves what the small language model says: `kl` [nats] and `agreement`, one a sequence.

    full: what it says without a cache, log-probabilities (rows, time, vocabulary)
    """
    ids = text.held_out[:rows]
    with opened(text.model, system, budget) as cache:
        began = perf_counter()
        kl, agreement = divergences(text.model, ids, lambda: cache, full=full)
        engine = getattr(cache, "engine", None)
        return {
            "kl": kl.clamp(min=0).tolist(),  # a sum of rounded terms may end just below the zero it stands for
            "agreement": agreement.tolist(),
            "seconds": perf_counter() - began,
            "resident_bytes": held(cache),
            "away_bytes": elsewhere(cache),
            "peak_bytes": max(held(cache), engine.peak) if engine else held(cache),
            "prefill_split": _split(cache),
        }
