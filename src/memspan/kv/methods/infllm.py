"""InfLLM: blocks of old rows are known by their most attended keys; the queries of a chunk bring back the best blocks.

Source: Xiao et al. 2024, "InfLLM: Training-Free Long-Context Extrapolation for LLMs with an Efficient Context Memory",
arXiv:2402.04617, section 3; its code (thunlp/InfLLM) for the means over queries and heads and the four keys.
Ours differs: a block is a page, how many are loaded follows from the budget (the paper: 16 of 128 rows), rows keep
their true positions (the paper gives all far rows one position), and a prompt that is read in one pass is attended to
in full, so that a key's attention counts all later queries of it. The paper keeps 128 sinks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup
from memspan.kv.signals import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class InfLLM(Lookup):
    """Pages by the mean product of the pass's queries with their most attended keys, the same pages for all heads.

    sinks, local: first and newest rows that are always attended to [tokens]
    representatives: keys that stand for a page, >= 1
    """

    sinks: int = 4
    local: int = 4096
    representatives: int = 4
    card: ClassVar[Card] = Card(
        title="blocks of old rows, looked up by their most attended keys",
        source="arXiv:2402.04617",
        year=2024,
        claims=("1,024K tokens with models trained on a few thousand",),
        needs="torch",
        failures=("all heads share pages, so that a head's own need may be outvoted",),
    )

    @property
    def needs(self) -> Needs:
        """The attention each row received while it was among the newest."""
        return Needs(mass=True)

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean of the keys that received most attention, (pages, dim)."""
        most = figures["mass"].topk(min(self.representatives, keys.shape[1]), dim=-1).indices
        return {"key": keys.gather(1, most[..., None].expand(-1, -1, keys.shape[-1])).mean(dim=1)}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """Mean over queries and heads of query times page key."""
        products = summary["key"] @ asked.mean()[..., None]
        return products[..., 0].mean(dim=1, keepdim=True).expand(asked.there.shape)


METHOD = InfLLM
