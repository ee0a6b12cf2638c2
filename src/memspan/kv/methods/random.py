"""Random: keep rows by lot; what any method has to beat.

Source: none; a control.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Policy):
    """Rows by a lot that depends on seed, layer, head and place, so that a row's lot is the same in every batch.

    seed: another one draws other lots
    """

    seed: int = 0
    piecewise: ClassVar[bool] = True
    card: ClassVar[Card] = Card(title="rows by lot", source="", year=2026, needs="torch")

    def score(self, view: View) -> Tensor:
        """Uniform in 0..1, (batch, kv_heads, time)."""
        heads = torch.arange(view.keys.shape[1], device=view.positions.device)[None, :, None]
        drawn = (view.positions * 2654435761 + heads * 40503 + view.layer * 97 + self.seed * 7919) % (1 << 32)
        for _ in range(3):  # xorshift of 32 bits
            drawn = drawn ^ (drawn << 13) & 0xFFFFFFFF
            drawn = drawn ^ (drawn >> 17)
            drawn = drawn ^ (drawn << 5) & 0xFFFFFFFF
        return drawn.float() / float(1 << 32)


METHOD = Random
