"""TOVA: at each step drop the row that the last query looks at least.

Source: Oren et al. 2024, "Transformers are Multi-State RNNs", arXiv:2401.06104, section 3.2.
Ours differs: the mean is over a layer's query heads, as in the paper's per-layer form, so all heads keep the same rows.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.signals import Needs, View, attention


@dataclass(frozen=True, slots=True)
class TOVA(Policy):
    """Rows by the last query's attention, averaged over all heads of the layer."""

    card: ClassVar[Card] = Card(
        title="what the last query looks at",
        source="arXiv:2401.06104",
        year=2024,
        claims=("close to the full model with 1/8 of the cache", "4.8x throughput"),
        needs="torch",
        failures=("what only a later query asks for",),
    )

    @property
    def needs(self) -> Needs:
        """The last query."""
        return Needs(queries=1, passing=True)

    @property
    def when(self) -> When:
        """Each token pushes one out."""
        return "always"

    @property
    def slack(self) -> int:
        """None: one row in, one row out."""
        return 0

    def score(self, view: View) -> Tensor:
        """Attention of the last query; its own row stays."""
        weights = attention(view, 1)[:, :, 0].mean(dim=1, keepdim=True)
        newest = view.positions == (view.seen - 1)[:, None, None]
        return weights.expand(-1, view.keys.shape[1], -1).masked_fill(newest, float("inf"))


METHOD = TOVA
