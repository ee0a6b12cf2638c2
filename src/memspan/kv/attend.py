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


def scored_pages(queries: Tensor, segment: Segment, picked: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logits of a segment's columns, and the values of the pages that were fetched for them.

    picked: the pages to look at, (batch, kv_heads, pages) bool; the others give 0 and are masked by the caller
    """
    batch, heads, width = segment.table.shape
    if segment.even and picked is None:
        keys, values = segment.pages.fetch()
        return scored(queries, keys.reshape(batch, heads, segment.columns, -1)), values
    sequence, head, place = segment.places(picked)
    keys, values = segment.pages.fetch(segment.table[sequence, head, place])
    rows = torch.bmm(queries[sequence, head], keys.transpose(-1, -2))
    logits = queries.new_zeros((batch, heads, width, queries.shape[2], segment.slots))
    logits[sequence, head, place] = rows
    return logits.permute(0, 1, 3, 2, 4).reshape(batch, heads, queries.shape[2], -1), values


def mixed_pages(weights: Tensor, *, segment: Segment, picked: Tensor | None, values: Tensor) -> Tensor:
    """The mixture of a segment's columns. values: as scored_pages() fetched them"""
    batch, heads, rows, _ = weights.shape
    if segment.even and picked is None:
        return mixed(weights, values.reshape(batch, heads, segment.columns, -1))
    sequence, head, place = segment.places(picked)
    split = weights.reshape(batch, heads, rows, -1, segment.slots)[sequence, head, :, place]
    parts = torch.bmm(split.to(values.dtype), values)
    out = values.new_zeros((batch * heads, rows, values.shape[-1]))
    return out.index_add_(0, sequence * heads + head, parts).view(batch, heads, rows, -1)
