"""ChunkKV: keep whole chunks of text, by the mean of another method's scores, the same in all heads of a layer.

Source: Liu et al. 2025, "ChunkKV: Semantic-Preserving KV Cache Compression for Efficient Long-Context LLM Inference",
arXiv:2502.00299, algorithms 1 (chunks) and 2 (layer-wise index reuse).
Ours differs: chunks lie at fixed places of the text, also where rows between them are gone; rows that have to stay do
not count in a chunk's mean; each sequence of a batch has chunks of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.policy import Foresight, Policy, When
from memspan.kv.select import best_runs
from memspan.kv.signals import Needs, View


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKV(Policy):
    """The chunks of `chunk` tokens that score best on average, as many whole ones as fit.

    scores: name of the method that scores rows, or a policy with settings
    chunk: how long a chunk is [tokens]. The paper uses 10.
    reuse: how many layers in a row keep the chunks that the first of them chose; 1 lets each choose
    """

    scores: str | Policy = "snapkv"
    chunk: int = 10
    reuse: int = 1
    fills: ClassVar[bool] = False
    card: ClassVar[Card] = Card(
        title="whole chunks of text",
        source="arXiv:2502.00299",
        year=2025,
        claims=("up to 8.7 % more precision at the same compression", "26.5 % more throughput with reused indices"),
        needs="torch",
        failures=("facts shorter than a chunk, at small budgets: their neighbours are kept too",),
    )

    @property
    def inner(self) -> Policy:
        """The method that scores."""
        policy: Policy = load("kv", self.scores)() if isinstance(self.scores, str) else self.scores
        return policy

    @property
    def needs(self) -> Needs:
        """What that method needs."""
        return self.inner.needs

    @property
    def when(self) -> When:
        """When that method does."""
        return self.inner.when

    @property
    def foresight(self) -> Foresight | None:
        """That method's."""
        return self.inner.foresight

    @property
    def slack(self) -> int:
        """That method's."""
        return self.inner.slack

    def least(self, room: int) -> int:
        """That method's."""
        return self.inner.least(room)

    def apart(self, room: int) -> int:
        """That method's."""
        return self.inner.apart(room)

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """That method's."""
        return self.inner.layers(room, count, seen)

    def weigh(self, view: View) -> Tensor | None:
        """That method's."""
        return self.inner.weigh(view)

    def follows(self, layer: int) -> int:
        """The first of its group of layers."""
        return layer - layer % self.reuse

    def score(self, view: View) -> Tensor:
        """That method's."""
        return self.inner.score(view)

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """That method's."""
        return self.inner.observe(new)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best chunks of the layer."""
        return best_runs(scores, view.positions // self.chunk, room)


METHOD = ChunkKV
