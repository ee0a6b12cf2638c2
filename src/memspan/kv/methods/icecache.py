"""IceCache: rows of like meaning lie in the same page, and a tree over pages is searched from its top.

After the abstract: Mao et al. 2026, "IceCache: Memory-Efficient KV-cache Management for Long-Sequence LLMs",
arXiv:2604.10539 (abstract and summaries were read). Confirmed there: keys are clustered by a hierarchical index that
takes in new keys (multi-level dynamic continuous indexing), its leaves are pages that lie side by side, each head
searches for itself. Not confirmed: the levels, the projections, the search's width.
Ours differs: rows that leave together are halved again and again along random directions until halves are pages, which
is the projection idea of that index without its priority search; runs of pages in that order are the nodes above them,
and later rows go to leaves and nodes of their own. A page is known by its rows in a few random directions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import ceil, sqrt
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCache(Lookup):
    """Pages of similar keys, searched through the nodes above them.

    sinks, local: first and newest rows that are always attended to;  lot: rows that leave at a time [tokens]
    children: pages a node, >= 1;  opened: share of nodes whose pages are compared [0..1]
    directions: in which rows are known, <= dim;  seed: of the directions
    """

    sinks: int = 4
    local: int = 64
    lot: int = 256
    children: int = 4
    opened: float = 0.75
    directions: int = 16
    seed: int = 0
    card: ClassVar[Card] = Card(
        title="pages of similar keys under a tree that is searched from its top",
        source="arXiv:2604.10539",
        year=2026,
        claims=("99 % of the full cache's accuracy on LongBench with 256 tokens",),
        needs="torch",
        failures=("a node's mean hides a single row that would match", "few directions, much noise"),
    )

    def arrange(self, leaving: View, slots: int) -> Tensor | None:
        """By the leaves of the tree: each half is halved again, along another direction, until it is a page."""
        order = torch.arange(leaving.keys.shape[2], device=leaving.keys.device).expand(leaving.positions.shape).clone()
        keys = torch.nn.functional.normalize(leaving.keys.float(), dim=-1)
        for sequence, count in enumerate(leaving.present[:, 0].sum(-1).tolist()):
            self._halve(keys[sequence], order[sequence], (0, count), slots, 0)
        return order

    def _halve(self, keys: Tensor, order: Tensor, span: tuple[int, int], slots: int, depth: int) -> None:
        """Sorts a span of the order so that its halves lie on two sides. keys: (kv_heads, time, dim)"""
        begin, end = span
        if end - begin <= slots:
            return
        rows = keys.gather(1, order[:, begin:end, None].expand(-1, -1, keys.shape[-1]))
        along = rows @ _directions(self.seed + depth, keys.shape[-1], 1)[:, 0].to(keys.device)
        order[:, begin:end] = order[:, begin:end].gather(1, along.argsort(dim=-1, stable=True))
        middle = begin + ceil((end - begin) / slots / 2) * slots
        self._halve(keys, order, (begin, middle), slots, depth + 1)
        self._halve(keys, order, (middle, end), slots, depth + 1)

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The page's rows in the random directions, (pages, slots, directions)."""
        return {"leaf": self._seen(keys)}

    def index(self, summary: Mapping[str, Tensor], there: Tensor) -> dict[str, Tensor]:
        """Means of the rows of each node, (batch, kv_heads, nodes, directions)."""
        leaves = _in_nodes(summary["leaf"].mean(3) * there[..., None], self.children)
        count = _in_nodes(there[..., None].to(leaves.dtype), self.children).sum(3).clamp(min=1)
        return {"node": leaves.sum(3) / count}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """What pages would get of a softmax over rows; those under nodes that were not opened come after all others."""
        alive = _in_nodes(asked.there[..., None], self.children)[..., 0].any(-1)
        asked = replace(asked, queries=self._seen(asked.queries))
        nodes = asked.over(alive).shares(summary["node"][..., None, :]).masked_fill(~alive, -1.0)
        ranks = nodes.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
        open_ones = ranks < (alive.sum(-1, keepdim=True) * self.opened).ceil()
        under = open_ones.repeat_interleave(self.children, dim=-1)[..., : asked.there.shape[-1]]
        above = nodes.repeat_interleave(self.children, dim=-1)[..., : asked.there.shape[-1]]
        return torch.where(under, 1.0 + asked.over(under & asked.there).shares(summary["leaf"]), above)

    def _seen(self, rows: Tensor) -> Tensor:
        """(..., dim) -> (..., directions), scaled so that products are those of whole rows on average."""
        across = _directions(self.seed, rows.shape[-1], min(self.directions, rows.shape[-1])).to(rows.device)
        return rows.float() @ across * sqrt(rows.shape[-1] / across.shape[-1])


def _in_nodes(each: Tensor, children: int) -> Tensor:
    """(batch, kv_heads, pages, some) -> (batch, kv_heads, nodes, children, some), zeros past the last page."""
    each = torch.nn.functional.pad(each, (0, 0, 0, -each.shape[2] % children))
    return each.view(*each.shape[:2], -1, children, each.shape[-1])


@cache
def _directions(seed: int, dim: int, count: int) -> Tensor:
    """Random ones at right angles, (dim, count)."""
    rows = torch.randn(dim, count, generator=torch.Generator().manual_seed(seed))
    across: Tensor = torch.linalg.qr(rows)[0]
    return across


METHOD = IceCache
