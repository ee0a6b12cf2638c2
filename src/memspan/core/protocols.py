"""The joints: what a part must do to be plugged in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[int, int], None]
"""Called with (done, total); total is 0 where it is not known."""


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors.

    name: its key;  dim: width of a vector
    fingerprint: changes whenever the same text would get another vector; the file keeps it
    neighbour_weight: how much of a neighbouring turn's vector is added, kappa_1 of the recall setting [0..1]
    remove_common: whether the collection's first principal direction is taken out
    """

    name: str
    dim: int
    fingerprint: str
    neighbour_weight: float
    remove_common: bool

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, (len(texts), dim) float32; a text it knows nothing of gets a row of zeros."""
        ...
