"""Int2: a code of 2 bits for each number, keys by channel and values by token.

Source: Liu et al. 2024, "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache", arXiv:2402.02750, section 3.
Ours differs: a run of tokens that shares a channel's scale is a page; the recent tokens that the paper leaves as they
are stay raw by the engine's choice of codec, not by this one; see memspan.kv.store.affine for the rounding.
"""

from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.kv.store.affine import Affine


@dataclass(frozen=True, slots=True, kw_only=True)
class Int2(Affine):
    """Codes of 2 bits between the least and the largest number of a channel (keys) or a token (values).

    group: channels of a token that share a scale, a divisor of dim; None: all of them. The paper uses 32.

    >>> import torch
    >>> rows = torch.tensor([[[0.0], [1.0], [2.0], [3.0]]])
    >>> parts = Int2().encode_keys(rows, torch.arange(4, dtype=torch.int32)[None])
    >>> Int2().decode_keys(parts, torch.float32).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    bits: ClassVar[int] = 2
    card: ClassVar[Card] = Card(
        title="2 bits for each number, keys by channel, values by token",
        source="Liu et al. 2024, KIVI, arXiv:2402.02750",
        year=2024,
        needs="torch",
        failures=("a page of 16 slots spends 2 bits a key on zeros and scales",),
    )


METHOD = Int2
