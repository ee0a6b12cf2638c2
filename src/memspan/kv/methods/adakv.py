"""Ada-KV: a layer's heads share one pool of room, so that heads with much to keep get more of it.

Source: Feng et al. 2024, "Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation for Efficient LLM
Inference", arXiv:2407.11550, section 4 (algorithm 1 and the safeguard).
Ours differs: it is laid over any method that scores rows; heads hold what they keep and no more.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Over, Policy, named
from memspan.kv.select import best_over_heads
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaKV(Over):
    """Rows by another method's scores, the best of all heads of a layer together.

    scores: name of that method, or a policy with settings
    safeguard: share of the mean budget that each head keeps in any case [0..1]. The paper uses 0.2.
    """

    scores: str | Policy = "snapkv"
    safeguard: float = 0.2
    card: ClassVar[Card] = Card(
        title="heads of a layer share one pool",
        source="arXiv:2407.11550",
        year=2024,
        claims=("better than even budgets for SnapKV and PyramidKV on Ruler and LongBench",),
        needs="torch",
    )

    @property
    def inner(self) -> Policy:
        """The method that scores."""
        return named(self.scores)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The safeguard's rows of each head, then the best of all; room * kv_heads rows in all."""
        floor = (room.float() * self.safeguard).long()
        return best_over_heads(scores, room * scores.shape[1], floor)


METHOD = AdaKV
