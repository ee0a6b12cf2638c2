"""K-norm: keep the keys of smallest norm, which attention favours.

Source: Devoto et al. 2024, "A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression", arXiv:2406.11430.
As published.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True)
class Knorm(Policy):
    """Rows by minus the norm of their key."""

    piecewise: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        title="keys of smallest norm",
        source="arXiv:2406.11430",
        year=2024,
        claims=("half of the cache in language modelling, 90 % in passkey retrieval, without loss",),
        needs="torch",
        failures=("models whose keys have much the same norm",),
    )

    def score(self, view: View) -> Tensor:
        """-|k|, (batch, kv_heads, time)."""
        norms: Tensor = torch.linalg.vector_norm(view.keys.float(), dim=-1)
        return -norms


METHOD = Knorm
