"""What pages are looked up for: the queries of a pass, and which pages there are."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The queries of a layer's pass.

    queries: those of a kv head's group one after the other, (batch, kv_heads, group * time, dim)
    real: which of them are of a token, (batch, group * time) bool
    there: which pages there are, (batch, kv_heads, pages) bool
    group: query heads a kv head;  scaling: of logits
    """

    queries: Tensor
    real: Tensor
    there: Tensor
    group: int
    scaling: float

    def over(self, there: Tensor) -> "Asked":
        """The same asked of other pages, (batch, kv_heads, pages) bool."""
        return replace(self, there=there)

    def mean(self) -> Tensor:
        """The mean query of each kv head, (batch, kv_heads, dim)."""
        return self.over_queries(self.queries)

    def over_queries(self, each: Tensor) -> Tensor:
        """Means over real queries. (batch, kv_heads, group * time, ...) -> (batch, kv_heads, ...)"""
        real = self.real[:, None].reshape(len(each), 1, -1, *[1] * (each.dim() - 3))
        return (each * real).sum(2) / real.sum(2).clamp(min=1)

    def shares(self, keys: Tensor) -> Tensor:
        """What each page would get of a softmax over all of them, mean over queries, (batch, kv_heads, pages).

        keys: (batch, kv_heads, pages, rows, dim), rows that stand for a page
        """
        batch, kv_heads, pages, rows, dim = keys.shape
        logits = (self.queries @ keys.reshape(batch, kv_heads, pages * rows, dim).transpose(-1, -2)).float()
        logits = (logits * self.scaling).view(batch, kv_heads, -1, pages, rows)
        logits = logits.masked_fill(~self.there[:, :, None, :, None], torch.finfo(torch.float32).min)
        return self.over_queries(logits.flatten(3).softmax(dim=-1).view_as(logits).sum(-1))
