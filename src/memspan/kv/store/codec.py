"""What a form of keeping pages must do."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, dtype

Parts = dict[str, Tensor]
"""Tensors by name; the first axis of each is the pages."""


@runtime_checkable
class Codec(Protocol):
    """Turns whole pages into parts and back. A page is complete in itself: its scales and tables lie in its parts.

    Slots past the end of a page's rows repeat its last row, so that statistics over a page stay those of its rows.
    """

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """rows: (pages, slots, dim);  positions: true places of the rows, (pages, slots) int32, -1 where no row is"""
        ...

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """rows: (pages, slots, dim)"""
        ...

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """(pages, slots, dim) of that dtype."""
        ...

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """(pages, slots, dim) of that dtype."""
        ...
