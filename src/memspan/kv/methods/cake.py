"""CAKE: layers share one cache by how spread out and how restless their attention is; rows stay by mean and variance.

Source: Qin et al. 2025, "CAKE: Cascading and Adaptive KV Cache Eviction with Layer Preferences", arXiv:2503.12491,
sections 4.1 to 4.3; what the text leaves open after the authors' code (antgroup/cakekv).
Ours differs: each sequence of a batch has weights of its own; layers' shares are whole numbers by largest remainder,
and their sum is exact.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.signals import Needs, View, attention, of_group, pooled, recent


@dataclass(frozen=True, slots=True, kw_only=True)
class CAKE(Policy):
    """Rows by the mean of the window's attention plus `gamma` times its variance; layers by entropy times variance.

    window: queries that look, and rows that stay in any case [tokens]
    gamma: what the variance of a row's attention counts beside its mean
    spatial, temporal: the temperatures of a layer's entropy and variance, tau1 and tau2 of the paper, > 0
    kernel: neighbours that share a score [tokens], odd
    """

    window: int = 32
    gamma: float = 200.0
    spatial: float = 1.0
    temporal: float = 1.0
    kernel: int = 5
    card: ClassVar[Card] = Card(
        title="layers share one cache by the spread and shift of their attention",
        source="arXiv:2503.12491",
        year=2025,
        claims=("keeps up with the full cache at 3.2 % of it", "over 10x faster decoding at 128K tokens"),
        needs="torch",
        failures=("a second question: what it asks for may be gone",),
    )

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return Needs(queries=self.window, passing=True)

    @property
    def when(self) -> When:
        """Each token pushes one out."""
        return "always"

    @property
    def slack(self) -> int:
        """None: one row in, one row out."""
        return 0

    def apart(self, room: int) -> int:
        """The window, which each layer has."""
        return self.window

    def score(self, view: View) -> Tensor:
        """The indicator of a prompt's rows; in decoding, what the newest query pays them. The window's rows first."""
        own = recent(view, self.window)
        weights = attention(view, self.window if view.arrived > 1 else 1)
        scores = weights.mean(dim=2)
        if view.arrived > 1:
            scores = scores + self.gamma * _variance(weights)  # eq. 10
        scores = scores.masked_fill(_over_heads(own, scores), 0.0)
        return of_group(pooled(scores, self.kernel), view.keys.shape[1]).masked_fill(own, torch.inf)

    def weigh(self, view: View) -> Tensor:
        """Entropy^(1 / spatial) * variance^(1 / temporal) of the window's attention to the rows before it, (batch,)."""
        weights = attention(view, self.window)
        before = ~_over_heads(recent(view, self.window) | ~view.present, weights[:, :, 0])
        weights = weights * before[:, :, None]
        entropy = -(weights * (weights + 1e-10).log()).sum((1, 2, 3))  # eq. 3
        return entropy.clamp(min=0) ** (1 / self.spatial) * _variance(weights).sum((1, 2)) ** (1 / self.temporal)


def _variance(weights: Tensor) -> Tensor:
    """Over the window's queries, (batch, heads, time); 0 where there is but one."""
    return weights.var(dim=2) if weights.shape[2] > 1 else torch.zeros_like(weights[:, :, 0])


def _over_heads(rows: Tensor, weights: Tensor) -> Tensor:
    return rows.repeat_interleave(weights.shape[1] // rows.shape[1], dim=1)


METHOD = CAKE
