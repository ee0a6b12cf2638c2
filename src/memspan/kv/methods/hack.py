"""HACK: heads that look at the same rows and heads that look at the same distances are cut in two different ways.

Source: Qin et al. 2025, "Head-Aware KV Cache Compression for Efficient Visual Autoregressive Modeling",
arXiv:2504.09261. After the abstract and a summary: a head's variance of attention over queries splits contextual
heads (vertical lines) from structural ones (several diagonals), found beforehand; each kind has its own budget and its
own way to choose.
It was made for models of images that are written scale by scale; none is here, so it is a policy for text.
Not confirmed, and therefore settings or ours: the threshold (here a share of each layer's kv heads), the two budgets,
and both ways to choose. Ours: a contextual head keeps the rows with the most attention; a structural head keeps the
rows at the distances that it looks at, for the next tokens to come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from memspan.core.budget import Budget
from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.budget import allocate
from memspan.kv.policy import Policy, When
from memspan.kv.select import best
from memspan.kv.signals import Needs, View, attention, of_group


@dataclass(frozen=True, slots=True, kw_only=True)
class HACK(Policy):
    """Rows by their attention in contextual heads, by their distance in structural ones.

    structural: for each layer its structural kv heads, of `find_structural` for the model at hand; none: each cut
        judges by its own window
    share: of a layer's kv heads that are structural where none are given, those of highest variance [0..1]
    lean: rows of a structural head, in those of a contextual one, > 0; 2 recalled more here than 1 or a half
    window: queries that look [tokens];  horizon: tokens to come that a structural head keeps rows for, >= 1
    """

    structural: tuple[tuple[int, ...], ...] = ()
    share: float = 0.5
    lean: float = 2.0
    window: int = 16
    horizon: int = 16
    card: ClassVar[Card] = Card(
        title="vertical and diagonal heads are cut in different ways",
        source="arXiv:2504.09261",
        year=2025,
        claims=("70 % less cache for Infinity-8B without loss in its images",),
        needs="torch",
        failures=(
            "made for images; threshold, budgets and both ways to choose are ours, not the paper's",
            "a head that finds rows by content looks structural: its attention changes with each query",
        ),
    )

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return Needs(queries=self.window)

    def score(self, view: View) -> Tensor:
        """Attention to the row in contextual heads, to its distances in structural ones, (batch, kv_heads, time)."""
        weights = of_group(attention(view, self.window), view.keys.shape[1])
        return torch.where(self.diagonal(view)[..., None], self.distant(view, weights), weights.mean(dim=2))

    def diagonal(self, view: View) -> Tensor:
        """Which kv heads are structural, (batch, kv_heads) bool."""
        heads = view.keys.shape[1]
        if not self.structural:
            order = variances(view, self.window).argsort(dim=-1, descending=True, stable=True)
            first = order[:, : round(self.share * heads)]
            return torch.zeros_like(order, dtype=torch.bool).scatter(1, first, True)
        if view.layer >= len(self.structural) or any(head >= heads for head in self.structural[view.layer]):
            raise UsageError(f"no such heads in layer {view.layer} of {heads} kv heads; find them on this model")
        given = torch.zeros(heads, dtype=torch.bool, device=view.keys.device)
        given[list(self.structural[view.layer])] = True
        return given.expand(len(view.keys), -1)

    def distant(self, view: View, weights: Tensor) -> Tensor:
        """The most that a row may get from the tokens to come, if they look at the same distances.

        weights: of the window's queries, (batch, kv_heads, window, time)
        """
        now = view.seen[:, None, None] - 1
        gone = view.query_positions[:, -self.window :]
        span = int(view.seen.max()) + self.horizon
        away = (gone[:, None, :, None] - view.positions[:, :, None, :]).clamp(min=0)
        by_distance = weights.new_zeros((*weights.shape[:2], span))
        by_distance.scatter_add_(2, away.flatten(2), (weights * view.present[:, :, None]).flatten(2))
        ages = (now - view.positions.clamp(min=0)).clamp(min=0)
        return max_pool1d(by_distance, self.horizon, stride=1).gather(2, ages + 1)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best rows of each head, as many as its kind has."""
        diagonal, rows = self.diagonal(view).tolist(), view.present.sum(-1).tolist()
        held = (scores == torch.inf).sum(-1).tolist()
        shares = []
        for sequence, kinds in enumerate(diagonal):
            weights = [self.lean if kind else 1.0 for kind in kinds]
            total = int(room[sequence]) * len(kinds)
            shares.append(allocate(total, weights, caps=rows[sequence], floors=held[sequence]))
        return best(scores, torch.tensor(shares, device=scores.device))


def variances(view: View, window: int) -> Tensor:
    """How much each kv head's attention to a row changes from query to query, summed over rows, (batch, kv_heads)."""
    weights = attention(view, window)
    real = (view.query_positions[:, -window:] >= 0)[:, None, :, None]
    count = real.sum(dim=2, keepdim=True).clamp(min=1)
    mean = weights.sum(dim=2, keepdim=True) / count
    spread = ((weights - mean) ** 2 * real).sum(dim=2, keepdim=True) / count
    return of_group(spread.sum((2, 3)), view.keys.shape[1])


@dataclass(frozen=True, slots=True)
class _Watch(Policy):
    """Keeps all rows and the last queries."""

    window: int

    @property
    def needs(self) -> Needs:
        """So many."""
        return Needs(queries=self.window)

    @property
    def when(self) -> When:
        """Queries outlive their pass."""
        return "always"


@torch.no_grad()
def find_structural(
    model: Any, prompts: Sequence[Tensor], share: float = 0.5, window: int = 16
) -> tuple[tuple[int, ...], ...]:
    """For each layer its structural kv heads: the `share` of them with the highest mean variance over prompts.

    model: of transformers;  prompts: ids (batch, time)
    """
    from memspan.kv.compressing import compress

    totals = torch.zeros(())
    for prompt in prompts:
        with compress(model, _Watch(window), Budget(ratio=1.0)) as cache:
            model(prompt, past_key_values=cache)
            layers = range(cache.engine.plan.shape.layers)
            totals = totals + torch.stack([variances(cache.view(layer), window).sum(0) for layer in layers])
    order = totals.argsort(dim=-1, descending=True, stable=True)[:, : round(share * totals.shape[-1])]
    return tuple(tuple(sorted(heads)) for heads in order.tolist())


METHOD = HACK
