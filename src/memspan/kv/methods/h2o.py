"""H2O: keep heavy hitters, the rows that received most attention so far, and the newest ones.

Source: Zhang et al. 2023, "H2O: Heavy-Hitter Oracle for Efficient Generative Inference of Large Language Models",
arXiv:2306.14048, section 4.
Ours differs: sums of the query heads of a kv head are added up, as rows are kept once for the group.
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
class H2O(Policy):
    """Rows by the attention they received since they came.

    newest: share of the budget that goes to the newest rows [0..1]. The paper halves it.
    """

    newest: float = 0.5
    card: ClassVar[Card] = Card(
        title="most attended rows and the newest",
        source="arXiv:2306.14048",
        year=2023,
        claims=("up to 29x throughput with 20 % heavy hitters on OPT-6.7B and OPT-30B",),
        needs="torch",
        failures=("early rows add up attention for longer than late ones",),
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

    def score(self, view: View) -> Tensor:
        """Attention so far, (batch, kv_heads, time)."""
        return view.figures["mass"]

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The newest share, then the heaviest."""
        newest = (room.float() * self.newest).long().clamp(min=1)
        own = view.present & (view.positions >= (view.seen - newest)[:, None, None])
        first = scores.clamp(min=torch.finfo(torch.float32).max)
        return best(torch.where(own, first, scores), room[:, None])


METHOD = H2O
