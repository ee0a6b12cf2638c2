"""Elastic Cache: what a prompt attends to least is merged into what stays; while writing, one fixed place is given up.

Source: Liu et al. 2024, "Efficient Inference of Vision Instruction-Following Models with Elastic Cache",
arXiv:2407.18121, section 3; what the text leaves open after the authors' code (liuzuyan/ElasticCache).
Ours differs: rows are ranked by their importance, where the authors' code compares places in a sorted order; a row
merges into the nearest of all that stay, first and last ones included; of two equally near ones, the earlier. Keys are
averaged as attention sees them, as in that code.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.select import best
from memspan.kv.signals import Needs, View


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticCache(Policy):
    """Rows of a prompt by the attention that all its queries and the layer's heads pay them; first and last ones stay.

    sinks: first rows that stay in any case [tokens]
    distance: last rows that stay while writing; the row before them goes [tokens], >= 1. The paper's code uses 25.
    """

    sinks: int = 4
    distance: int = 25
    card: ClassVar[Card] = Card(
        title="rows that go are merged into their neighbours; while writing, one place is given up",
        source="arXiv:2407.18121",
        year=2024,
        claims=("78 % faster at a cache of 0.2 on LLaVA",),
        needs="torch",
        failures=("a merged row is no longer any of its tokens",),
    )

    @property
    def needs(self) -> Needs:
        """The attention each row received."""
        return Needs(mass=True)

    @property
    def when(self) -> When:
        """Each token pushes one out."""
        return "always"

    @property
    def slack(self) -> int:
        """None: one row in, one row out."""
        return 0

    def least(self, room: int) -> int:
        """The sinks and the last row."""
        return self.sinks + 1

    def score(self, view: View) -> Tensor:
        """Attention received in the layer; while writing, how far a row is from the place that is given up."""
        places = view.positions
        if view.arrived > 1:
            scores = view.figures["mass"].sum(1, keepdim=True).expand_as(places)
            return scores.masked_fill((places < self.sinks) | (places == (view.seen - 1)[:, None, None]), torch.inf)
        columns = torch.arange(places.shape[-1], device=places.device)
        newest = columns >= view.present.sum(-1, keepdim=True) - self.distance
        scores = torch.where(newest, columns, -columns).float()  # of the newest the last, of the others the first
        return scores.masked_fill(places < self.sinks, torch.inf)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best rows."""
        return best(scores, room[:, None])

    def rewrite(self, view: View, kept: Tensor) -> tuple[Tensor, Tensor]:
        """After a prompt: each row that stays, averaged with those that go and are nearest to it."""
        if view.arrived == 1:
            return view.keys, view.values
        target = nearest(view.positions, kept & view.present)
        counted = torch.zeros(kept.shape, device=kept.device).scatter_add_(-1, target, view.present.float())
        return _averaged(view.keys, target, view.present, counted), _averaged(
            view.values, target, view.present, counted
        )


def nearest(positions: Tensor, kept: Tensor) -> Tensor:
    """The column of the row that stays nearest to each row, the earlier of two, (batch, kv_heads, time) int64.

    positions: ascending, (batch, kv_heads, time);  kept: which stay, bool, same shape

    >>> nearest(torch.tensor([[[0, 3, 4, 5, 9]]]), torch.tensor([[[True, False, False, True, False]]])).tolist()
    [[[0, 3, 3, 3, 3]]]
    """
    time = kept.shape[-1]
    columns = torch.arange(time, device=kept.device)
    before = torch.where(kept, columns, -1).cummax(dim=-1).values
    after = torch.where(kept, columns, time).flip(-1).cummin(dim=-1).values.flip(-1)
    places = positions.float()
    down = places - places.gather(-1, before.clamp(min=0))
    up = places.gather(-1, after.clamp(max=time - 1)) - places
    forward = (after < time) & ((before < 0) | (up < down))
    return torch.where(forward, after, before).clamp(min=0)


def _averaged(rows: Tensor, target: Tensor, present: Tensor, counted: Tensor) -> Tensor:
    weights = present[..., None] / counted.gather(-1, target).clamp(min=1)[..., None]
    index = target[..., None].expand_as(rows)
    return torch.zeros_like(rows, dtype=torch.float32).scatter_add_(2, index, rows.float() * weights).to(rows.dtype)


METHOD = ElasticCache
