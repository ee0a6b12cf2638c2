"""ActQKV: one probe query made of the window's, the unusual ones weighing most, looks pages up; layers share by need.

After the abstract: Xiao et al. 2025, "Activation-aware Probe-Query: Effective Key-Value Retrieval for Long-Context LLMs
Inference", arXiv:2502.13542 (abstract and a review were read). Confirmed there: a probe query for each window, the
activation bias of a token as the squared deviation of its query from the mean over the variance, a cut-off by layers'
information density while decoding. Not confirmed: over what mean and variance are taken, how bias becomes weight, the
formula of the density.
Ours differs: a window is a pass, so that a decoded token asks with its own query; mean and variance of each channel
over the window, weights in proportion to the bias, density as the entropy of the softmax over page scores (a layer that
is undecided gets more pages at the next pass).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class ActQKV(Lookup):
    """Pages by the product of their mean key with the probe query.

    sinks, local: first and newest rows that are always attended to [tokens]
    """

    sinks: int = 4
    local: int = 64
    card: ClassVar[Card] = Card(
        title="a probe query of the window's unusual ones; layers share pages by need",
        source="arXiv:2502.13542",
        year=2025,
        claims=("better than looking up with mean queries on LongBench with 2K rows",),
        needs="torch",
        failures=("one probe asks for all queries of a pass: what few of them need may be missed",),
    )

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The page's mean key."""
        return {"key": keys.mean(dim=1)}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """Probe times page key, mean over the group's heads."""
        batch, kv_heads, _, dim = asked.queries.shape
        queries = asked.queries.view(batch, kv_heads, asked.group, -1, dim).float()
        real = asked.real.view(batch, 1, asked.group, -1, 1)
        probe = _probe(queries, real).mean(dim=2)
        return (summary["key"].float() @ probe[..., None])[..., 0] * asked.scaling

    def density(self, scores: Tensor) -> Tensor | None:
        """Entropy of the softmax over pages, mean over heads."""
        shares = scores.clamp(min=torch.finfo(scores.dtype).min).softmax(dim=-1)
        return -(shares * shares.clamp(min=1e-10).log()).sum(dim=-1).mean(dim=-1) + 1e-6


def _probe(queries: Tensor, real: Tensor) -> Tensor:
    """Queries by their activation bias. (batch, kv_heads, group, time, dim) -> (batch, kv_heads, group, dim)"""
    count = real.sum(dim=3, keepdim=True).clamp(min=1)
    mean = (queries * real).sum(dim=3, keepdim=True) / count
    apart = (queries - mean).square() * real
    variance = apart.sum(dim=3, keepdim=True) / count
    bias = (apart / variance.clamp(min=1e-10)).sum(dim=-1, keepdim=True)
    total = bias.sum(dim=3, keepdim=True)
    weights = torch.where(total > 0, bias / total.clamp(min=1e-10), real / count)
    return (weights * queries * real).sum(dim=3)


METHOD = ActQKV
