"""Int8: a code of 8 bits for each number, keys by channel and values by token.

Source: Liu et al. 2024, "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache", arXiv:2402.02750, section 3.
Ours differs: a run of tokens that shares a channel's scale is a page; the recent tokens that the paper leaves as they
are stay raw by the engine's choice of codec, not by this one; see memspan.kv.store.affine for the rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, dtype

from memspan.core.card import Card
from memspan.kv.store.affine import decode_channels, decode_tokens, encode_channels, encode_tokens
from memspan.kv.store.codec import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """Codes of 8 bits between the least and the largest number of a channel (keys) or a token (values).

    group: channels of a token that share a scale, a divisor of dim; None: all of them. The paper uses 32.

    >>> import torch
    >>> rows = torch.tensor([[[0.0], [1.0], [2.0], [255.0]]])
    >>> parts = Int8().encode_keys(rows, torch.arange(4, dtype=torch.int32)[None])
    >>> Int8().decode_keys(parts, torch.float32).flatten().tolist()
    [0.0, 1.0, 2.0, 255.0]
    """

    group: int | None = None

    card: ClassVar[Card] = Card(
        title="8 bits for each number, keys by channel, values by token",
        source="Liu et al. 2024, KIVI, arXiv:2402.02750",
        year=2024,
        needs="torch",
        failures=("a page of 16 slots spends 2 bits a key on zeros and scales",),
    )

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Codes, zeros and scales of pages of keys, one zero and scale for each channel of a page.

        Raises UsageError where rows hold NaN, infinity, or in float32 what float16 cannot.
        """
        return encode_channels(rows, 8)

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """Codes, zeros and scales of pages of values, one zero and scale for each group of a token.

        Raises UsageError as encode_keys, and where groups do not fill a token.
        """
        return encode_tokens(rows, 8, self.group)

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim), each within half its channel's scale."""
        return decode_channels(parts, 8, like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim), each within half its group's scale."""
        return decode_tokens(parts, 8, like)


METHOD = Int8
