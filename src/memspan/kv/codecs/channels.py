"""Channels: keys with only the channels that weigh most; the others come back as zeros.

Source: Xu et al. 2024, "ThinK: Thinner Key Cache by Query-Driven Pruning", arXiv:2407.21018: a channel weighs the mean
square of the last queries in it times the mean square of the keys; 40 % of the channels go, values stay whole.
Ours differs: the choice is made page by page, and a codec sees no queries. Whoever has them passes `scores`, or sets
the channels that go to zero, as the method "think" does; else a channel weighs the mean square of the page's own keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, dtype

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.store.codec import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The `keep` channels of a page's keys that weigh most, exactly; values whole.

    keep: channels kept [channels], >= 1; all where a row has no more; None: all but the share
    share: of the channels that go, rounded down to whole ones [0..1). The paper drops 0.4.

    >>> import torch
    >>> rows = torch.tensor([[[3.0, 0.5, -4.0, 1.0]]])
    >>> parts = Channels(keep=2).encode_keys(rows, torch.zeros(1, 1, dtype=torch.int32))
    >>> Channels(keep=2).decode_keys(parts, torch.float32).flatten().tolist()
    [3.0, 0.0, -4.0, 0.0]
    """

    keep: int | None = None
    share: float = 0.4

    card: ClassVar[Card] = Card(
        title="keys with only the channels that weigh most",
        source="Xu et al. 2024, ThinK, arXiv:2407.21018",
        year=2024,
        claims=("more than 20 % of memory on top of eviction",),
        needs="torch",
        failures=("keys whose channels weigh alike lose what they say",),
    )

    def encode_keys(self, rows: Tensor, positions: Tensor, *, scores: Tensor | None = None) -> Parts:
        """The kept channels (pages, slots, keep), and all channels by weight, kept ones first (pages, dim).

        scores: what each channel weighs, (pages, dim); None: its mean square over the page's rows
        Raises UsageError where keep is below 1 or scores are not of that shape.
        """
        pages, slots, dim = rows.shape
        keep = min(dim, self._kept(dim))
        if scores is None:
            there = (positions >= 0).unsqueeze(-1)
            scores = (rows.float().square() * there).sum(1)  # as mean squares, but for a factor each page has
        if scores.shape != (pages, dim):
            raise UsageError(f"scores are {tuple(scores.shape)}; give one for each page and channel, {(pages, dim)}")
        order = scores.argsort(dim=1, descending=True, stable=True)
        order = torch.cat([order[:, :keep].sort(dim=1).values, order[:, keep:].sort(dim=1).values], dim=1)
        kept = rows.gather(2, order[:, None, :keep].expand(pages, slots, keep))
        return {"rows": kept, "channels": order.to(torch.uint8 if dim <= 256 else torch.int16)}

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """The rows themselves, in memory of their own."""
        return {"rows": rows.clone()}

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim): kept channels exactly, zeros elsewhere."""
        rows, channels = parts["rows"], parts["channels"]
        out = torch.zeros((*rows.shape[:2], channels.shape[1]), dtype=like, device=rows.device)
        kept = channels[:, : rows.shape[2]].long()
        return out.scatter_(2, kept[:, None].expand(rows.shape), rows.to(like))

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """The rows; the part itself where it has that dtype."""
        return parts["rows"].to(like)

    def _kept(self, dim: int) -> int:
        if self.keep is None:
            return max(1, dim - int(dim * self.share))
        if self.keep < 1:
            raise UsageError(f"keep is {self.keep}; keep at least one channel")
        return self.keep


METHOD = Channels
