"""LAQ: a few tokens are written ahead with a cache cut by SnapKV; their queries choose from the whole prompt.

Source: Wang et al. 2025, "Lookahead Q-Cache: Achieving More Consistent KV Cache Eviction via Pseudo Query",
arXiv:2505.20334; numbers and pooling after the authors' scripts (noforit/Lookahead_Q-Cache).
Ours differs: scores of the query heads of a kv head are averaged, as rows are kept once for the group. Not confirmed:
whether the keys of the tokens written ahead take part in the softmax; here they do not.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from memspan.core.card import Card
from memspan.kv.policy import Foresight, Policy
from memspan.kv.signals import Needs, View, attention, of_group, recent


@dataclass(frozen=True, slots=True, kw_only=True)
class LAQ(Policy):
    """Rows by the attention of queries written ahead of the cut, each as its best neighbour.

    count: tokens written ahead
    window: last queries of the prompt that cut the cache they are written with; its rows stay there [tokens]
    local: last queries of the prompt that look beside those written ahead, and whose rows stay; the paper's LAQ++ has
        8 [tokens]
    kernel: neighbours that share the best score among them [tokens], odd
    """

    count: int = 8
    window: int = 32
    local: int = 0
    kernel: int = 7
    card: ClassVar[Card] = Card(
        title="what the first words of an answer look at",
        source="arXiv:2505.20334",
        year=2025,
        claims=("1 to 4 points better on LongBench at limited budgets",),
        needs="torch",
        failures=(
            "a second question: what it asks for may be gone",
            "the whole prompt and a cut copy of it are held at once while the tokens ahead are written",
        ),
    )

    @property
    def needs(self) -> Needs:
        """The windows, before and ahead."""
        return Needs(queries=max(self.window, self.local) + self.count)

    @property
    def foresight(self) -> Foresight:
        """A few tokens."""
        return Foresight(count=self.count)

    def score(self, view: View) -> Tensor:
        """Mean attention of the queries, the best of each neighbourhood, over the group; own rows first."""
        ahead = int((view.query_positions >= view.seen[:, None]).sum(-1).max()) if view.query_positions.numel() else 0
        own = recent(view, self.local if ahead else self.window)
        weights = attention(view, ahead + self.local if ahead else self.window).mean(dim=2)
        weights = weights.masked_fill(own.repeat_interleave(view.group, dim=1), 0.0)
        best = max_pool1d(weights, self.kernel, stride=1, padding=self.kernel // 2)
        return of_group(best, view.keys.shape[1]).masked_fill(own, torch.inf)


METHOD = LAQ
