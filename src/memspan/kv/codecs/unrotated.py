"""Unrotated: keys in another form, turned back to where they were before the rotary embedding.

Source: Hooper et al. 2024, "KVQuant", arXiv:2401.18079, section 3.2: channels of keys keep their range along a text
only before RoPE mixes them in pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor, dtype, float32

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.signals import Rotary
from memspan.kv.store.codec import Codec, Parts, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrotated:
    """Keys before RoPE in the form `inner`, their positions with them; turned again as they are read. Values likewise.

    inner: name of a codec, or one with settings
    rotary: the model's embedding, which kv.compress() fills in; None: keys are not turned

    >>> import torch
    >>> codec = Unrotated(inner="int8", rotary=Rotary(torch.tensor([1.0])))
    >>> parts = codec.encode_keys(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), torch.tensor([[3, 4]], dtype=torch.int32))
    >>> sorted(parts), (codec.decode_keys(parts, torch.float32)[0] * 100).round().int().tolist()
    (['codes', 'positions', 'scales', 'zeros'], [[0, 100], [0, 100]])
    """

    inner: str | Codec = "nuq"
    rotary: Rotary | None = None

    card: ClassVar[Card] = Card(
        title="keys before the rotary embedding, in another form",
        source="Hooper et al. 2024, KVQuant, arXiv:2401.18079",
        year=2024,
        needs="torch",
        failures=("4 bytes a row for its position", "turning keys again at every read"),
    )

    def for_model(self, rotary: Rotary) -> "Unrotated":
        """The same for that model."""
        return replace(self, rotary=rotary)

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """The parts of `inner`, of keys turned back, and positions (pages, slots) int32."""
        where = positions.gather(1, repeated(positions)).clamp(min=0)
        if self.rotary is not None:
            rows = self.rotary.unrotate(rows.float(), where).to(rows.dtype)
        return {**self._codec.encode_keys(rows, positions), "positions": where}

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """The parts of `inner`."""
        return self._codec.encode_values(rows, positions)

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim) as attention sees them."""
        if self.rotary is None:
            return self._codec.decode_keys(parts, like)
        return self.rotary.rotate(self._codec.decode_keys(parts, float32), parts["positions"]).to(like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim)."""
        return self._codec.decode_values(parts, like)

    @property
    def _codec(self) -> Codec:
        codec: Codec = load("codec", self.inner)() if isinstance(self.inner, str) else self.inner
        return codec


METHOD = Unrotated
