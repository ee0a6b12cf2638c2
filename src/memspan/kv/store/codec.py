"""What a form of keeping pages must do."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, dtype

Parts = dict[str, Tensor]
"""Tensors by name; the first axis of each is the pages."""


@runtime_checkable
class Codec(Protocol):
    """Turns whole pages into parts and back.

    A page is complete in itself: its scales and tables lie in its parts, and it is coded alike whatever pages are
    coded with it. Slots past the end of a page's rows repeat its last row, so that statistics over a page stay those
    of its rows; what comes back in them means nothing. What a page takes is the sum of its parts' bytes.
    """

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Parts of pages of keys.

        rows: (pages, slots, dim) float32, float16 or bfloat16
        positions: true places of the rows, (pages, slots) int32, -1 where no row is
        Raises UsageError where the codec cannot hold such rows.
        """
        ...

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """Parts of pages of values; arguments as for the keys."""
        ...

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim) of that dtype, in memory of their own or in that of the parts: read, never write."""
        ...

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim) of that dtype; read, never write."""
        ...
