"""KVQuant: 3 bits a number, keys by channel before RoPE, values by token, levels where the numbers are, outliers apart.

Source: Hooper et al. 2024, "KVQuant: Towards 10 Million Context Length LLM Inference with KV Cache Quantization",
arXiv:2401.18079, section 3; what the text leaves open after the authors' code (SqueezeAILab/KVQuant).
Ours differs: channels are scaled page by page instead of offline; without calibration each page fits its own levels;
calibrated levels are one set for all layers, fitted without Fisher weights; outliers are the same share of every page;
the first page stays as it is, where the paper keeps the first token; so do the newest rows, which the paper quantises
as they come. Q-Norm is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.policy import Policy
from memspan.kv.signals import View
from memspan.kv.store.codec import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class KVQuant(Policy):
    """Every row in few bits; where the budget has no room for all, the newest.

    bits: of a number, 2, 3 or 4. The paper's main figures are of 3.
    outliers: share of a page's numbers that stay as they are [0..1]. The paper keeps 1 %.
    first: first rows that stay as they are, rounded up to pages [tokens]
    key_levels, value_levels: 2 ** bits ascending levels in [-1, 1], see `fitted`; None: each page fits its own
    """

    bits: Literal[2, 3, 4] = 3
    outliers: float = 0.01
    first: int = 1
    key_levels: tuple[float, ...] | None = None
    value_levels: tuple[float, ...] | None = None
    card: ClassVar[Card] = Card(
        title="3 bits a number, keys before RoPE, outliers apart",
        source="arXiv:2401.18079",
        year=2024,
        claims=("less than 0.1 perplexity lost at 3 bits", "a million tokens of LLaMA-7B on one A100"),
        needs="torch",
        failures=("turning keys again at every read takes time",),
    )

    @classmethod
    def fitted(cls, views: Sequence[View], *, bits: Literal[2, 3, 4] = 3, outliers: float = 0.01) -> Self:
        """The method with levels that fit some text; pages then carry none of their own.

        views: layers of a cache that has read it, as `cache.view(layer)` gives them, with every row as it came
        """
        codec = load("codec", "nuq")(bits=bits, outliers=outliers)
        before = [view.rotary.unrotate(view.keys.float(), view.positions.clamp(min=0)) for view in views]
        keys = torch.cat([_pages(rows) for rows in before])
        values = torch.cat([_pages(view.values.float()) for view in views])
        return cls(bits=bits, outliers=outliers, key_levels=codec.levels(keys, 1), value_levels=codec.levels(values, 2))

    @property
    def codec(self) -> Codec:
        """Uneven levels, for keys before RoPE."""
        levels = {"key_levels": self.key_levels, "value_levels": self.value_levels}
        inner = load("codec", "nuq")(bits=self.bits, outliers=self.outliers, **levels)
        codec: Codec = load("codec", "unrotated")(inner=inner)
        return codec

    @property
    def whole(self) -> int:
        """The first rows."""
        return self.first

    def score(self, view: View) -> Tensor:
        """The newer the better."""
        return view.positions.float()


def _pages(rows: Tensor, slots: int = 16) -> Tensor:
    """(batch, kv_heads, time, dim) to (pages, slots, dim); rows that fill no page are left out."""
    time, dim = rows.shape[2:]
    return rows[:, :, : time // slots * slots].reshape(-1, slots, dim)


METHOD = KVQuant
