"""ChunkKV: keep whole chunks of text, by the mean of another method's scores, the same in all heads of a layer.

Source: Liu et al. 2025, "ChunkKV: Semantic-Preserving KV Cache Compression for Efficient Long-Context LLM Inference",
arXiv:2502.00299, algorithms 1 (chunks) and 2 (layer-wise index reuse).
Ours differs: chunks lie at fixed places of the text, also where rows between them are gone; rows that have to stay do
not count in a chunk's mean; each sequence of a batch has chunks of its own.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Over, Policy, named
from memspan.kv.select import best_runs
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKV(Over):
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
        return named(self.scores)

    def follows(self, layer: int) -> int:
        """The first of its group of layers."""
        return layer - layer % self.reuse

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best chunks of the layer."""
        return best_runs(scores, view.positions // self.chunk, room)


METHOD = ChunkKV
