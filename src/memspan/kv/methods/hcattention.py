"""HCAttention: quantised keys give approximate attention; rows are used until enough of it is gathered.

After the abstract: Yang et al. 2025, "HCAttention: Extreme KV Cache Compression via Heterogeneous Attention Computing
for LLMs", arXiv:2507.19823 (abstract and summaries were read). Confirmed there: scores from quantised keys on the
device, values in the host's memory, selection by a criterion of cumulative magnitude for each layer. Not confirmed: how
keys are quantised, the share of attention that has to be gathered.
Ours differs: whole pages with exact keys are brought to the device, where the paper computes with the values on the
host; keys are quantised by channel over a page; the share is of what lies in pages, and the budget is an upper bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup
from memspan.kv.select import best
from memspan.kv.store.affine import decode_channels, encode_channels


@dataclass(frozen=True, slots=True, kw_only=True)
class HCAttention(Lookup):
    """Pages by approximate attention, as few as gather `mass` of it.

    sinks, local: first and newest rows that are always attended to [tokens];  bits: of a key's number, 1, 2, 3, 4 or 8
    mass: share of the approximate attention that is gathered [0..1]
    """

    sinks: int = 4
    local: int = 64
    bits: int = 4
    mass: float = 0.95
    card: ClassVar[Card] = Card(
        title="approximate attention by quantised keys, gathered until it is enough",
        source="arXiv:2507.19823",
        year=2025,
        claims=("the full model's accuracy at 25 % of the cache on the device, close to it at 12.5 %",),
        needs="torch",
        failures=("attention that is spread out: the share is reached late, the budget cuts first",),
    )

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The quantised keys."""
        return encode_channels(keys, self.bits)

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """The attention that each page gets with quantised keys."""
        parts = {name: part.flatten(0, 2) for name, part in summary.items()}
        keys = decode_channels(parts, self.bits, asked.queries.dtype)
        return asked.shares(keys.view(*asked.there.shape, *keys.shape[1:]))

    def take(self, scores: Tensor, room: Tensor) -> Tensor:
        """The best pages until their sum reaches the share, at most `room`."""
        ranked = scores.clamp(min=0).sort(dim=-1, descending=True)
        before = ranked.values.cumsum(dim=-1) - ranked.values
        enough = before < self.mass * ranked.values.sum(dim=-1, keepdim=True)
        return enough.gather(-1, ranked.indices.argsort(dim=-1)) & best(scores, room)


METHOD = HCAttention
