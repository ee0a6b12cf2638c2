"""Cosine of the static embedder over single turns; no neighbours, nothing lexical."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems._ranked import Cosine
from memspan.core.protocols import Embedder
from memspan.core.registry import load


class Dense(Cosine):
    """One vector a turn, in memory."""

    title = "static cosine"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._embedder: Embedder = load("embed", "static")()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """By the static table."""
        return self._embedder.embed(texts)


SYSTEM = Dense
