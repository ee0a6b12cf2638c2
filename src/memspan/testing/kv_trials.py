"""What the checks of KV-cache methods are tried on: a small Llama, caches of it, and what can be seen of them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from memspan.core.budget import Budget
from memspan.core.registry import load
from memspan.kv.compressing import compress
from memspan.kv.engine import Engine, Incoming
from memspan.kv.hf import KVCache, Model, new_llama
from memspan.kv.policy import Lookup, Policy
from memspan.kv.signals import Rotary, View
from memspan.testing.kept_models import own_random_state

LAYERS, KV_HEADS, VOCABULARY, PROMPT = 2, 2, 64, 96
STOCK = 1e-3
"""So close are logits to those of the stock model."""
ALONE = 1e-4
"""So close are logits of two ways to compute the same."""


# -- the model and what is read


@cache
def small_model(dtype: torch.dtype) -> Model:
    """Weights far from zero, so that attention prefers some tokens to others."""
    settings = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2 * KV_HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
    }
    with own_random_state():
        return new_llama(settings, seed=1).to(dtype)


@contextmanager
def opened(policy: Policy, budget: Budget, *, dtype: torch.dtype = torch.float32, **more: Any) -> Iterator[KVCache]:
    """A cache of the small model, without gradients. more: what compress() takes"""
    if policy.codec is not None:
        more.pop("codec", None)
    with torch.no_grad(), compress(small_model(dtype), policy, budget, **more) as held:
        yield held


def told(held: KVCache, ids: Tensor, mask: Tensor | None = None) -> Tensor:
    """Logits of what a cache reads next."""
    logits: Tensor = held.model(ids, past_key_values=held, attention_mask=mask).logits
    return logits


def stock_logits(ids: Tensor) -> Tensor:
    """What the model gives without a cache of ours."""
    with torch.no_grad():
        logits: Tensor = small_model(torch.float32)(ids).logits
    return logits


def tokens(batch: int, time: int, seed: int = 0) -> Tensor:
    """Ids to read, (batch, time)."""
    return torch.randint(VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(100 * seed + time))


def left_padding(batch: int, time: int, pad: int) -> Tensor:
    """A mask that hides the first `pad` tokens of the first sequence."""
    mask = torch.ones((batch, time), dtype=torch.int64)
    mask[0, :pad] = 0
    return mask


def sufficient(policy: Policy, wanted: int) -> int:
    """A room that suffices for the policy and for what the checks protect; pages that are looked up take more."""
    return max(wanted, 48 if isinstance(policy, Lookup) else policy.least(wanted))


def room_of(held: KVCache, batch: int) -> int:
    """Rows a head by the budget; a ratio never goes below what has to stay."""
    plan = held.engine.plan
    room = plan.room.rows(held.get_seq_length(), batch)
    return max(room, plan.policy.least(room)) if plan.room.budget.ratio is not None else room


def bytes_of(policy: Policy, codec: str | None, share: float, ids: Tensor) -> int:
    """What a share of the rows of these tokens takes, and what comes with them."""
    with opened(policy, Budget(ratio=1.0), codec=codec) as held:
        room = held.engine.plan.room
    rows = LAYERS * KV_HEADS * ids.numel() * share
    return int(rows * (room.row_bytes + room.newest_bytes) / 2 + room.fixed * len(ids))


def assert_close(got: Tensor, wanted: Tensor, within: float) -> None:
    """Raises AssertionError where two tensors are further apart than allowed."""
    apart = float((got - wanted).abs().max())
    assert apart < within, f"{apart:.2g} apart where {within} is allowed"


def each_head(held: KVCache) -> Iterator[tuple[int, int, int, list[int]]]:
    """Layer, sequence, head, and the true places of its rows in the order in which they lie."""
    for number, layer in enumerate(held.engine.layers):
        for row, heads in enumerate(layer.positions().tolist()):
            for head, places in enumerate(heads):
                yield number, row, head, [place for place in places if place >= 0]


def rows_of(held: KVCache, sequence: int) -> list[list[int]]:
    """Places of the rows of one sequence, a list for each layer and head."""
    return [places for _, row, _, places in each_head(held) if row == sequence]


# -- what is reached from a cache


def reachable(held: KVCache) -> list[Tensor]:
    """Tensors found by following references from a cache, but not into its plan, its model or modules."""
    found: list[Tensor] = []
    seen = {id(held.engine.plan), id(held._owner)}
    waiting: list[Any] = [held]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, str, int, float, Rotary)) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            found.append(one)
        else:
            waiting.extend(gc.get_referents(one))
    return found


def storages(held: KVCache) -> set[int]:
    """Where the storages lie of all tensors that can be reached from a cache."""
    return {tensor.untyped_storage().data_ptr() for tensor in reachable(held) if tensor.numel()}


def reachable_bytes(held: KVCache) -> int:
    """Bytes of the storages of all tensors that can be reached from a cache."""
    by_place = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in reachable(held)}
    return sum(by_place.values())


# -- what a policy is shown


@dataclass(frozen=True, slots=True)
class Cut:
    """What a policy saw and kept."""

    view: View
    room: Tensor
    kept: Tensor


def cuts_of(policy: Policy, budget: Budget) -> list[Cut]:
    """The cuts of a prompt and of a second one."""
    cuts: list[Cut] = []
    own = type(policy)

    class Watched(own):  # type: ignore[misc, valid-type]
        def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
            kept: Tensor = own.select(self, scores, room, view)
            cuts.append(Cut(view, room, kept & view.present))
            return kept

    assert is_dataclass(policy), "a method is a frozen dataclass"
    watched = Watched(**{one.name: getattr(policy, one.name) for one in fields(policy)})
    with opened(watched, budget) as held:
        for seed, time in enumerate((PROMPT, 40)):
            told(held, tokens(2, time, seed=seed))
    assert cuts, "nothing was cut"
    return cuts


def bounded(scores: Tensor, view: View) -> Tensor:
    """As the engine hands them on."""
    most = torch.finfo(torch.float32).max
    return scores.float().clamp(max=most).masked_fill(~view.present, -torch.inf)


def only(view: View, kept: Tensor) -> View:
    """The view of the rows that were kept."""
    order = (~kept).to(torch.int8).argsort(dim=-1, stable=True)[..., : int(kept.sum(-1).max())]
    index = order[..., None].expand(-1, -1, -1, view.keys.shape[-1])
    return replace(
        view,
        keys=view.keys.gather(2, index),
        values=view.values.gather(2, index),
        positions=view.positions.masked_fill(~kept, -1).gather(2, order),
        figures={name: figure.gather(2, order) for name, figure in view.figures.items()},
    )


# -- attention by the book


@dataclass(frozen=True, slots=True)
class Step:
    """A layer's part in a forward pass. held: places of the rows before it, (batch, kv_heads, columns)"""

    number: int
    queries: Tensor
    keys: Tensor
    values: Tensor
    places: Tensor
    scaling: float
    held: Tensor | None
    out: Tensor


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Step]]:
    """What each layer is asked and answers while the context is open."""
    steps: list[Step] = []
    real = engine.step

    def step(number: int, rows: tuple[Tensor, Tensor, Tensor], incoming: Incoming, scaling: float) -> Tensor:
        layer = engine.layers[number]
        before = layer.positions() if layer.seen is not None else None
        out = real(number, rows, incoming, scaling)
        steps.append(Step(number, *rows, incoming.places, scaling, before, out))
        return out

    engine.step = step  # type: ignore[method-assign]
    yield steps


def masked(step: Step, passes: list[Step]) -> Tensor:
    """Attention of a step to all tokens so far, but those that were dropped before it. passes: up to this one"""
    keys, values = (torch.cat([getattr(one, part) for one in passes], dim=2) for part in ("keys", "values"))
    group = step.queries.shape[1] // keys.shape[1]
    places = torch.arange(keys.shape[2])
    fresh = places >= int(step.places[0, 0])
    dropped = torch.zeros((len(keys), keys.shape[1], keys.shape[2]), dtype=torch.bool)
    if step.held is not None:
        there = (step.held[..., None] == places).any(2)
        dropped = ~there & ~fresh
    allowed = ~dropped[:, :, None, :] & (places <= step.places[:, None, :, None])
    logits = step.queries @ keys.repeat_interleave(group, 1).transpose(-1, -2) * step.scaling
    weights = logits.masked_fill(~allowed.repeat_interleave(group, 1), -torch.inf).softmax(-1)
    return weights @ values.repeat_interleave(group, 1)


def named(name: str) -> Policy:
    """A method with its defaults. name: of `memspan.methods("kv")`"""
    policy: Policy = load("kv", name)()
    return policy
