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
        return _mixed(view.positions + _mixed(heads + _mixed(_mixed(heads * 0 + self.seed) + view.layer))) / 2.0**32


def _mixed(numbers: Tensor) -> Tensor:
    """Each number's own 32 bits, as good as drawn. Source: the last step of Appleby's MurmurHash3, 2011."""
    numbers = (numbers * 2654435761 + 1) & 0xFFFFFFFF
    numbers = ((numbers ^ numbers >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    numbers = ((numbers ^ numbers >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return numbers ^ numbers >> 16


METHOD = Random
