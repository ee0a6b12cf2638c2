"""`compress`: a cache under a budget for one model, while a context is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from memspan.core.budget import Budget
from memspan.core.errors import MissingExtra, UsageError
from memspan.core.registry import load
from memspan.kv.budget import Room
from memspan.kv.engine import Plan, Shape
from memspan.kv.policy import KeepAll, Lookup, Policy, named
from memspan.kv.store.codec import Codec, ForModel
from memspan.kv.store.shelved import Session
from memspan.kv.store.tiers import Tier

if TYPE_CHECKING:
    from memspan.kv.hf import KVCache


@contextmanager
def compress(
    model: Any,  # transformers' models are not typed
    method: str | Policy | None = "snapkv",
    budget: Budget | None = None,
    *,
    codec: str | Codec | None = None,
    sinks: int = 0,
    recent: int = 0,
    slots: int = 16,
    tier: Tier = "device",
    folder: Path | None = None,
) -> Iterator[KVCache]:
    """A cache for `model(..., past_key_values=cache)` and `model.generate`, held within a budget.

    model: of transformers, with rotary embeddings and full attention
    method: a name of `memspan.methods("kv")`, a policy with settings of your own, or None to keep every row
    budget: in one unit: tokens (a head), ratio, bytes (the whole cache, whatever it holds beside rows) or seconds (a
        decode step); None for no limit
    codec: how rows are kept, a name of `memspan.methods("codec")`; the newest rows stay as they are
    sinks, recent: first and newest tokens that always stay [tokens];  slots: rows a page [tokens]
    tier: where pages lie that a method looks up, "device", "host" or "disk";  folder: of the file for "disk"
    Raises UsageError for a model that cannot be served and a tier that does not fit, UnknownMethod for a name that is
    none, MissingExtra without torch and transformers; the model's call raises TornPages where the file was changed.
    """
    try:
        from memspan.kv import hf
    except ImportError as error:
        raise MissingExtra("kv", "memspan.kv") from error
    shape = hf.shape_of(model)
    policy = KeepAll() if method is None else named(method)
    if codec is not None and policy.codec is not None:
        raise UsageError(f"{type(policy).__name__} has pages of its own; call it without codec={codec!r}")
    form = codec or policy.codec or "raw"
    chosen: Codec = load("codec", form)() if isinstance(form, str) else form
    if isinstance(chosen, ForModel):
        chosen = chosen.for_model(shape.rotary)
    sealing = form != "raw"
    room = _room(
        budget or Budget(ratio=1.0), policy, shape, chosen if sealing else None, next(model.parameters()), slots
    )
    plan = Plan(
        policy=policy, room=room, shape=shape, codec=chosen, sealing=sealing, slots=slots, sinks=sinks, recent=recent,
        residual=policy.residual if sealing else 0,
    )  # fmt: skip
    with (
        _session(policy, tier, folder, next(model.parameters()).device) as session,
        hf.attached(model, replace(plan, session=session)) as cache,
    ):
        yield cache


@contextmanager
def _session(policy: Policy, tier: Tier, folder: Path | None, device: torch.device) -> Iterator[Session | None]:
    """Where pages lie that are looked up; None: on the device."""
    if tier == "device" and folder is None:
        yield None
        return
    if not isinstance(policy, Lookup):
        raise UsageError(f"{type(policy).__name__} looks no pages up; leave out tier={tier!r}")
    with Session(tier, folder, device=device) as session:
        yield session


def _room(budget: Budget, policy: Policy, shape: Shape, codec: Codec | None, weights: torch.Tensor, slots: int) -> Room:
    """The budget in rows of that policy. codec: that of pages, None where rows stay as they are"""
    needs, dtype = policy.needs, weights.dtype
    figures = 4 * (len(policy.figures) + needs.mass + needs.log_probs)
    plain = (shape.dim + shape.value_dim) * dtype.itemsize + 4 + figures
    token = shape.heads * shape.dim * dtype.itemsize
    queries = max(0, needs.queries) if policy.when == "always" and not needs.passing else 0
    return Room(
        budget=budget,
        row_bytes=plain if codec is None else row_bytes(codec, shape, slots, dtype) + figures + 8 / slots,
        heads=shape.layers * shape.kv_heads,
        seconds_per_byte=_seconds_per_byte(weights.device) if budget.seconds is not None else None,
        newest=0 if codec is None else policy.residual + -(-policy.whole // slots) * slots,
        newest_bytes=plain,
        spare=slots,
        over=policy.slack if policy.when == "always" else 0,
        fixed=shape.layers * (24 + queries * (token + 8)) + needs.log_probs * token,
    )


def row_bytes(codec: Codec, shape: Shape, slots: int, dtype: torch.dtype) -> float:
    """What a row of one head costs in a codec, keys, values and position [bytes]."""
    positions = torch.arange(slots, dtype=torch.int32)[None]
    keys = torch.arange(slots * shape.dim).reshape(1, slots, -1).to(dtype)
    values = torch.arange(slots * shape.value_dim).reshape(1, slots, -1).to(dtype)
    parts = [*codec.encode_keys(keys, positions).values(), *codec.encode_values(values, positions).values()]
    return sum(part.nbytes for part in parts) / slots + positions.itemsize


def _seconds_per_byte(device: torch.device) -> float:
    """How long reading a byte of a cache takes on that device, measured on a product of a row with many rows."""
    from time import perf_counter

    keys = torch.randn(8, 16384, 64, device=device)
    query = torch.randn(8, 1, 64, device=device)
    best = float("inf")
    for _ in range(5):
        began = perf_counter()
        float((query @ keys.transpose(-1, -2)).sum())
        best = min(best, perf_counter() - began)
    return best / keys.nbytes
