"""PyramidKV: early layers, whose attention is wide, get more of the cache than late ones, in even steps.

Source: Cai et al. 2024, "PyramidKV: Dynamic KV Cache Compression based on Pyramidal Information Funneling",
arXiv:2406.02069, section 4; bounds after the authors' code (Zefan-Cai/PyramidKV).
Ours differs: steps are not rounded down, so that the layers' shares add up to the budget; scores are smoothed by
SnapKV's mean over 5 neighbours, where the authors' runs take the maximum over 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.policy import Policy
from memspan.kv.signals import Needs, View


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidKV(Policy):
    """Rows as SnapKV chooses them; the last layer gets 1 / `beta` of the mean, and the first twice the mean less that.

    beta: how steep, >= 1; 1 shares evenly. The authors' code uses 20.
    window: queries that look, and rows that stay in any case [tokens]. The authors' runs use 8.
    kernel: neighbours that share a score [tokens], odd
    """

    beta: float = 20.0
    window: int = 8
    kernel: int = 5
    card: ClassVar[Card] = Card(
        title="early layers keep more than late ones",
        source="arXiv:2406.02069",
        year=2024,
        claims=("matches the full cache on LongBench with 12 % of it",),
        needs="torch",
        failures=("what only the last layers look up", "a second question: what it asks for may be gone"),
    )

    @property
    def inner(self) -> Policy:
        """The method that scores."""
        policy: Policy = load("kv", "snapkv")(window=self.window, kernel=self.kernel)
        return policy

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return self.inner.needs

    def apart(self, room: int) -> int:
        """The window, which each layer has."""
        return self.window

    def layers(self, room: int, count: int, seen: int) -> Sequence[float]:
        """Shares in an arithmetic sequence; the first is no larger than what there is to keep.

        >>> PyramidKV(beta=4).layers(100, 4, 1000)
        [175.0, 125.0, 75.0, 25.0]
        >>> PyramidKV(beta=4, window=8).layers(100, 4, 158)
        [150.0, 116.66666666666666, 83.33333333333333, 50.0]
        """
        first = min(2 * room - room / self.beta, max(room, seen - self.window))
        step = 2 * (first - room) / max(1, count - 1)
        return [first - number * step for number in range(count)]

    def score(self, view: View) -> Tensor:
        """SnapKV's."""
        return self.inner.score(view)


METHOD = PyramidKV
