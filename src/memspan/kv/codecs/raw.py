"""Raw: pages as they are.

Source: none; the form that the others are measured against.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, dtype

from memspan.core.card import Card
from memspan.kv.store.codec import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Rows as they came, whatever they hold.

    >>> import torch
    >>> parts = Raw().encode_keys(torch.ones(2, 16, 64), torch.zeros(2, 16, dtype=torch.int32))
    >>> sum(part.nbytes for part in parts.values())
    8192
    """

    card: ClassVar[Card] = Card(title="pages as they are", source="", year=2026, needs="torch")

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """The rows themselves, in memory of their own."""
        return {"rows": rows.clone()}

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """The rows themselves, in memory of their own."""
        return {"rows": rows.clone()}

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """The rows; the part itself where it has that dtype."""
        return parts["rows"].to(like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """The rows; the part itself where it has that dtype."""
        return parts["rows"].to(like)


METHOD = Raw
