"""Attention over columns that lie in pages or side by side: logits, one softmax over all, and the mixture.

Query heads of one kv head are folded into the time axis, so that keys are never repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from memspan.kv.store.pages import Segment

LOGITS = 1 << 24
"""So many logits are held at a time."""


def block_of(heads: int, columns: int) -> int:
    """Queries a block, for so many heads of all sequences and so many columns."""
    return max(1, LOGITS // max(1, heads * columns))


def scored(queries: Tensor, keys: Tensor) -> Tensor:
    """Logits, not scaled. queries: (batch, kv_heads, rows, dim);  keys: (batch, kv_heads, columns, dim)"""
    return queries @ keys.transpose(-1, -2)


def mixed(weights: Tensor, values: Tensor) -> Tensor:
    """(batch, kv_heads, rows, columns) by (batch, kv_heads, columns, dim)."""
    return weights.to(values.dtype) @ values


def softmax(logits: Tensor, scaling: float, allowed: Tensor | None) -> Tensor:
    """Weights in float32; a row that may see nothing gets 0 everywhere. logits, allowed: (..., rows, columns)"""
    scaled = logits.float().mul_(scaling) if logits.dtype != torch.float32 else logits.mul_(scaling)
    if allowed is None:
        return scaled.softmax(dim=-1)
    weights = scaled.masked_fill_(~allowed, torch.finfo(torch.float32).min).softmax(dim=-1)
    return weights.mul_(allowed)


def sum_of(parts: list[Tensor]) -> Tensor:
    """Their sum, made in the first one."""
    out = parts[0]
    for part in parts[1:]:
        out = out.add_(part)
    return out


def scored_pages(queries: Tensor, segment: Segment) -> tuple[Tensor, Tensor]:
    """Logits of a segment's columns, and the values that were fetched with their keys.

    Columns of no row give -inf where the segment is compact; else the caller masks them.
    """
    batch, heads = segment.table.shape[:2]
    if segment.even or segment.runs is None:
        keys, values = segment.dense()
        logits = scored(queries, keys)
        if segment.compact and segment.runs is not None:
            logits[..., segment.runs[0][1] :] = -torch.inf
        return logits, values
    keys, values = segment.pages.fetch()
    logits = queries.new_full((batch * heads, queries.shape[2], segment.columns), -torch.inf)
    flat, rows = queries.flatten(0, 1), keys.flatten(0, 1)
    for head, (begin, end) in enumerate(segment.runs):
        torch.mm(flat[head], rows[begin:end].T, out=logits[head, :, : end - begin])
    return logits.view(batch, heads, queries.shape[2], -1), values


def mixed_pages(weights: Tensor, *, segment: Segment, values: Tensor) -> Tensor:
    """The mixture of a segment's columns. values: as scored_pages() gave them"""
    if segment.even or segment.runs is None:
        return mixed(weights, values)
    batch, heads, rows, _ = weights.shape
    flat, every = weights.to(values.dtype).flatten(0, 1), values.flatten(0, 1)
    out = values.new_empty((batch * heads, rows, values.shape[-1]))
    for head, (begin, end) in enumerate(segment.runs):
        torch.mm(flat[head, :, : end - begin], every[begin:end], out=out[head])
    return out.view(batch, heads, rows, -1)
