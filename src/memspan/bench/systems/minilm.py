"""Cosine of MiniLM over single turns, exact; no neighbours, nothing lexical.

Source: Wang et al. 2020, "MiniLM", arXiv:2002.10957; the model is all-MiniLM-L6-v2.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench import vectors
from memspan.bench.systems._ranked import Cosine


class MiniLM(Cosine):
    """One vector a turn, in memory, looked up in the file of vectors."""

    title = "MiniLM cosine"
    vectors = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._vectors = vectors.shared()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """From the file of vectors."""
        return self._vectors.of(texts)


SYSTEM = MiniLM
