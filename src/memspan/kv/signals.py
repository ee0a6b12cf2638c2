"""What a policy may see: one layer's rows, the queries it asked for, and figures kept with each row."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

ALL = -1
"""`Needs.queries` of a policy that looks at every query of a prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a policy asks for; nothing else is computed or kept.

    queries: how many of the last queries, or ALL [tokens]
    passing: whether queries are forgotten after their forward pass; else they are kept while each token is scored
    mass: figure "mass": the attention that each row received so far, summed over queries and the group's heads
    log_probs: figure "log_prob": what the model gave each token before it was read [nats]
    hidden: the layer's input for the new rows, handed to `Policy.observe`
    """

    queries: int = 0
    passing: bool = False
    mass: bool = False
    log_probs: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Rotary:
    """The model's rotary embedding; channels beyond the turned ones stay as they are.

    frequencies: of the pairs that turn, the first ones, (pairs,) [radians a token];  factor: on cosine and sine
    interleaved: whether a pair is two neighbours, else one of the first half and one of the second
    """

    frequencies: Tensor
    factor: float = 1.0
    interleaved: bool = False

    def rotate(self, rows: Tensor, positions: Tensor) -> Tensor:
        """Rows turned to positions. rows: (..., time, dim);  positions: (..., time)"""
        return self._turned(rows, positions, 1.0, self.factor)

    def unrotate(self, rows: Tensor, positions: Tensor) -> Tensor:
        """Rows as they were before the embedding turned them to their positions."""
        return self._turned(rows, positions, -1.0, 1 / self.factor)

    def _turned(self, rows: Tensor, positions: Tensor, way: float, factor: float) -> Tensor:
        angles = positions[..., None].float() * self.frequencies.to(positions.device)
        cos, sin = (angles.cos() * factor).to(rows.dtype), (angles.sin() * (factor * way)).to(rows.dtype)
        width = 2 * cos.shape[-1]
        turning = rows[..., :width]
        if self.interleaved:
            one, other = turning[..., ::2], turning[..., 1::2]
            turned = torch.stack((one * cos - other * sin, other * cos + one * sin), dim=-1).flatten(-2)
        else:
            one, other = turning.chunk(2, dim=-1)
            turned = torch.cat((one * cos - other * sin, other * cos + one * sin), dim=-1)
        return turned if width == rows.shape[-1] else torch.cat((turned, rows[..., width:]), dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One layer's rows, read-only. Rows of a head that has fewer than the longest are filled up with absent ones.

    layer, layers: which of how many;  seen: tokens so far, of each sequence, (batch,)
    keys, values: (batch, kv_heads, time, dim), keys as attention sees them
    positions: true places, (batch, kv_heads, time) int64, -1 where no row is;  ascending in each head
    queries: the last ones, (batch, heads, window, dim); in `Policy.observe` those of the rows; else empty where none
        were asked for
    query_positions: (batch, window), -1 before a sequence begins
    arrived: tokens that came with this forward pass, padding included
    turn: forward passes of several tokens so far, this one included
    figures: by name, each (batch, kv_heads, time) float32
    hidden: the layer's input for the rows, (batch, time, width); only in `Policy.observe`
    log_probs: of the tokens, (batch, time); only in `Policy.observe`
    """

    layer: int
    layers: int
    seen: Tensor
    keys: Tensor
    values: Tensor
    positions: Tensor
    queries: Tensor
    query_positions: Tensor
    figures: Mapping[str, Tensor]
    scaling: float
    rotary: Rotary
    arrived: int = 0
    turn: int = 0
    hidden: Tensor | None = None
    log_probs: Tensor | None = None

    @property
    def present(self) -> Tensor:
        """Where a row is, (batch, kv_heads, time) bool."""
        return self.positions >= 0

    @property
    def group(self) -> int:
        """Query heads a kv head."""
        return self.queries.shape[1] // self.keys.shape[1]


def attention(view: View, window: int, *, causal: bool = True) -> Tensor:
    """Attention of the last `window` queries to all rows, (batch, heads, window, time) float32.

    A query before its sequence's begin gives 0 everywhere; fewer queries than `window` give fewer rows.
    """
    queries, places = view.queries[:, :, -window:], view.query_positions[:, -window:]
    batch, heads, width, dim = queries.shape
    kv_heads = view.keys.shape[1]
    folded = queries.reshape(batch, kv_heads, heads // kv_heads * width, dim)
    logits = (folded @ view.keys.transpose(-1, -2)).float() * view.scaling
    logits = logits.view(batch, kv_heads, heads // kv_heads, width, -1)
    seen = view.present[:, :, None, None, :]
    if causal:
        seen = seen & (view.positions[:, :, None, None, :] <= places[:, None, None, :, None])
    weights = logits.masked_fill(~seen, torch.finfo(torch.float32).min).softmax(dim=-1)
    weights = weights * (places >= 0)[:, None, None, :, None]
    return weights.reshape(batch, heads, width, -1)


def of_group(per_query_head: Tensor, kv_heads: int) -> Tensor:
    """Means over the query heads of each kv head. (batch, heads, ...) -> (batch, kv_heads, ...)"""
    batch, heads, *rest = per_query_head.shape
    return per_query_head.view(batch, kv_heads, heads // kv_heads, *rest).mean(dim=2)


def pooled(scores: Tensor, kernel: int) -> Tensor:
    """Running means over `kernel` neighbours, zeros beyond the ends. scores: (batch, kv_heads, time); kernel odd

    >>> pooled(torch.tensor([[[0.0, 3.0, 0.0]]]), 3).tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    return torch.nn.functional.avg_pool1d(scores, kernel_size=kernel, padding=kernel // 2, stride=1)


def recent(view: View, rows: int) -> Tensor:
    """Which rows are among the newest so many tokens of their sequence, (batch, kv_heads, time) bool."""
    return view.present & (view.positions >= (view.seen - rows)[:, None, None])
