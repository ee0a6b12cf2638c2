"""SpeCache: a low-bit copy of all rows says which exact rows the next token will need, and they are brought meanwhile.

After the abstract: Jie et al. 2025, "SpeCache: Speculative Key-Value Caching for Efficient Generation of LLMs",
arXiv:2503.16163 (abstract and summaries were read). Confirmed there: all exact rows away from the device, a low-bit
copy on it, which measures importance, rows for the next token brought before its step. Not confirmed: the bits, and how
many tokens are brought.
Ours differs: the paper decodes a speculative next token beside each token and asks with its queries; ours asks with the
present token's. Whole pages are brought. Rows that were not brought are attended to in the low-bit copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup
from memspan.kv.store.affine import decode_channels, decode_tokens, encode_channels, encode_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeCache(Lookup):
    """Pages that the step before wanted, exact; all others in `bits` bits.

    sinks, local: first and newest rows that are always attended to [tokens];  bits: of the copy, 1, 2, 3, 4 or 8
    """

    sinks: int = 4
    local: int = 64
    bits: int = 2
    card: ClassVar[Card] = Card(
        title="a low-bit copy says what the next token needs, which is brought ahead",
        source="arXiv:2503.16163",
        year=2025,
        claims=("little loss at a tenth of the cache on the device",),
        needs="torch",
        failures=("a token whose need its predecessor does not share sees it in low bits only",),
    )

    @property
    def prefetches(self) -> bool:
        """A step attends to what the one before wanted."""
        return True

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The copy: keys by channel, values by token."""
        told = {f"key {name}": part for name, part in encode_channels(keys, self.bits).items()}
        return told | {f"value {name}": part for name, part in encode_tokens(values, self.bits, None).items()}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """The attention that each page gets in the copy."""
        return asked.shares(self._copy(summary, "key", asked.queries.dtype))

    def estimate(
        self, summary: Mapping[str, Tensor], scores: Tensor, missed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Every row of a missed page, in the copy."""
        keys, values = (self._copy(summary, part, torch.float32) for part in ("key", "value"))
        bias = torch.zeros(missed.shape, device=missed.device).masked_fill(~missed, -torch.inf)
        return keys.flatten(2, 3), values.flatten(2, 3), bias.repeat_interleave(keys.shape[3], dim=-1)

    def _copy(self, summary: Mapping[str, Tensor], part: str, like: torch.dtype) -> Tensor:
        """(batch, kv_heads, pages, slots, dim)."""
        coded = {name.removeprefix(part + " "): each for name, each in summary.items() if name.startswith(part + " ")}
        decode = decode_channels if part == "key" else decode_tokens
        rows = decode({name: each.flatten(0, 2) for name, each in coded.items()}, self.bits, like)
        return rows.view(*coded["codes"].shape[:3], *rows.shape[1:])


METHOD = SpeCache
