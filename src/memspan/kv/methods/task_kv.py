"""Task-KV: heads whose output lies far from the others' keep all they can; the others sinks, recent and a few between.

Source: He et al. 2025, "Task-KV: Task-aware KV Cache Optimization via Semantic Differentiation of Attention Heads",
arXiv:2501.15113. After the abstract: distance of a head from the semantic centre of its layer, the full cache for far
heads, sinks and recent tokens and middle activations for the others.
Not confirmed, and therefore settings: how many heads are far (the paper separates them by a rule we could not read),
the numbers of sinks, recent and middle rows, the window and its smoothing, and the distance (here Euclidean, between
the heads' mean outputs for the window, the farthest of a kv head's group).
Ours differs: it holds a budget. Far heads share what the others leave; where that is less than all rows, they keep
those with the most attention, and where it is more, the others get the rest.
"""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.budget import allocate
from memspan.kv.policy import Policy
from memspan.kv.select import best
from memspan.kv.signals import Needs, View, attention, of_group, pooled


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKV(Policy):
    """Rows by sinks, age and the window's attention; heads by the distance of their outputs from their mean.

    far: share of a layer's kv heads that get as many rows as there are, rounded up [0..1]
    sinks, newest, middle: rows that the other heads hold: first ones, last ones, most attended ones [tokens]
    window: queries that look [tokens];  kernel: neighbours that share a score [tokens], odd
    """

    far: float = 0.5
    sinks: int = 4
    newest: int = 16
    middle: int = 16
    window: int = 16
    kernel: int = 5
    card: ClassVar[Card] = Card(
        title="heads that say something of their own keep everything",
        source="arXiv:2501.15113",
        year=2025,
        claims=("with 40 % of the cache as good as with all of it in summarisation and synthetic tasks",),
        needs="torch",
        failures=(
            "the rule that tells far heads from others and all its numbers are ours, not the paper's",
            "with few kv heads half of them are far whatever they say",
        ),
    )

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return Needs(queries=self.window)

    def score(self, view: View) -> Tensor:
        """Sinks, then the newest rows, then the others by the window's attention, (batch, kv_heads, time)."""
        weights = attention(view, self.window).mean(dim=2)
        scores = of_group(pooled(weights, self.kernel), view.keys.shape[1])
        late = view.positions - (view.seen - self.newest)[:, None, None]
        scores = torch.where(late >= 0, 2.0 + late, scores)
        return torch.where(view.positions < self.sinks, 3.0 + self.newest - view.positions, scores)

    def distances(self, view: View) -> Tensor:
        """How far each kv head's output for the window is from the mean of the layer's heads, (batch, kv_heads)."""
        values = view.values.repeat_interleave(view.group, dim=1).float()
        outputs = (attention(view, self.window) @ values).sum(dim=2)
        queries = (view.query_positions[:, -self.window :] >= 0).sum(-1).clamp(min=1)
        away: Tensor = (outputs - outputs.mean(dim=1, keepdim=True)).norm(dim=-1) / queries[:, None]
        return away.view(len(away), -1, view.group).amax(dim=-1)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best rows of each head, as many as are its share."""
        return best(scores, self.shares(scores, room, view))

    def shares(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """Rows of each head, (batch, kv_heads); their sum is room * kv_heads, or all there are."""
        heads = scores.shape[1]
        order = self.distances(view).argsort(dim=-1, descending=True, stable=True)[:, : ceil(self.far * heads)]
        few = self.sinks + self.newest + self.middle
        rows = view.present.sum(-1).tolist()
        held = (scores == torch.inf).sum(-1).tolist()
        out = []
        for sequence, far in enumerate(order.tolist()):
            mean, caps = int(room[sequence]), rows[sequence]
            wishes = [mean if head in far else few for head in range(heads)]
            floors = [
                min(cap, mean, max(wish, stay)) for cap, wish, stay in zip(caps, wishes, held[sequence], strict=True)
            ]
            weights = [float(head in far) for head in range(heads)]
            out.append(allocate(mean * heads, weights, caps=caps, floors=floors))
        return torch.tensor(out, device=scores.device)


METHOD = TaskKV
