"""Expected attention: keep what queries of tokens to come are likely to look at, and whose values are long.

Queries before their rotation are taken as normal; turned by the mean rotation of the next places, their mean and
covariance give each key an expected weight in closed form.

Source: Devoto et al. 2025, "Expected Attention: KV Cache Compression by Estimating Attention from Future Queries
Distribution", arXiv:2510.00636, section 3; what stays in any case after kvpress.
Ours differs: of a prompt that comes in parts, the queries of the last part count.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.signals import ALL, Needs, View, of_group


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAttention(Policy):
    """Rows by the attention that a normal query is expected to pay them, times the length of their value.

    horizon: for how many places to come [tokens];  sinks: first rows that stay in any case and do not count [tokens]
    """

    horizon: int = 512
    sinks: int = 4
    card: ClassVar[Card] = Card(
        title="what queries to come are likely to look at",
        source="arXiv:2510.00636",
        year=2025,
        claims=("better than methods that look at past attention, while a prompt is read and while text is written",),
        needs="torch",
        failures=("attention that is sharp and by content: a mean query looks nowhere",),
    )

    @property
    def needs(self) -> Needs:
        """All queries of the prompt."""
        return Needs(queries=ALL)

    def score(self, view: View) -> Tensor:
        """E[exp(q.k)] of a query to come, normalised over rows, averaged over the group, times |v|."""
        sinks = view.present & (view.positions < self.sinks)
        counted = view.present & ~sinks
        mean, covariance = self._coming(view)
        keys = view.keys.float().repeat_interleave(view.group, dim=1)
        expected = (keys @ mean[..., None])[..., 0] * view.scaling
        expected = expected + ((keys @ covariance) * keys).sum(dim=-1) * view.scaling**2 / 2
        hidden = ~counted.repeat_interleave(view.group, dim=1)
        weights = expected.masked_fill(hidden, torch.finfo(torch.float32).min).softmax(dim=-1)
        scores: Tensor = of_group(weights, view.keys.shape[1]) * torch.linalg.vector_norm(view.values.float(), dim=-1)
        return scores.masked_fill(sinks, torch.inf)

    def _coming(self, view: View) -> tuple[Tensor, Tensor]:
        """Mean (batch, heads, dim) and covariance (batch, heads, dim, dim) of queries, turned by the mean rotation."""
        places = view.query_positions
        real = (places >= self.sinks)[:, None, :, None].float()
        queries = view.rotary.unrotate(view.queries.float(), places.clamp(min=0)[:, None]) * real
        count = real.sum(dim=2, keepdim=True).clamp(min=1)
        mean = queries.sum(dim=2, keepdim=True) / count
        apart = (queries - mean) * real
        covariance = apart.transpose(-1, -2) @ apart / count
        turn = self._turn(view)
        return (mean @ turn)[:, :, 0], turn.transpose(-1, -2) @ covariance @ turn

    def _turn(self, view: View) -> Tensor:
        """The mean rotation of the next places, for rows from the left, (batch, 1, dim, dim)."""
        dim = view.keys.shape[-1]
        axes = torch.eye(dim, device=view.keys.device)
        places = view.seen[:, None] + torch.arange(self.horizon, device=view.seen.device)
        turned = [view.rotary.rotate(axis.expand(*places.shape, dim), places).mean(dim=1) for axis in axes]
        return torch.stack(turned, dim=1)[:, None]


METHOD = ExpectedAttention
