"""Hashing: every word adds a pseudo-random vector of its own; for tests, no data file.

Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning", arXiv:0902.2206.
Ours differs: a word falls on four places with four signs instead of one, so that short texts rarely collide wholly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from memspan.core.card import Card
from memspan.core.errors import UsageError

PLACES = 4
_WORD = re.compile(r"\w+")


class Hashing:
    """Unit vectors in which texts are near each other where they share words; the same everywhere and always.

    dim: width of a vector, >= 1. Raises UsageError where it is less.

    >>> vectors = Hashing().embed(["a red house", "a red car", "blue sky"])
    >>> [round(float(vectors[0] @ other), 1) for other in vectors]
    [1.0, 0.7, 0.1]
    """

    card = Card(
        title="Hashed words, for tests",
        source="Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning",
        year=2009,
        failures=("knows no meaning",),
    )
    name = "hashing"
    neighbour_weight = 0.3
    remove_common = False

    def __init__(self, dim: int = 64) -> None:
        if dim < 1:
            raise UsageError(f"dim={dim}: a vector has at least 1 number")
        self.dim = dim
        self.fingerprint = f"hashing:{dim}"

    def __repr__(self) -> str:
        return f"Hashing(dim={self.dim})"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, (len(texts), dim) float32; a text without a word gives a row of zeros."""
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in _WORD.findall(text.lower()):
                self._add(row, word)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        np.divide(out, lengths, out=out, where=lengths > 0)
        return out

    def _add(self, row: NDArray[np.float32], word: str) -> None:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=5 * PLACES).digest()
        for at in range(0, 5 * PLACES, 5):
            sign = 1 if digest[at] & 1 else -1
            row[int.from_bytes(digest[at + 1 : at + 5], "little") % self.dim] += sign


METHOD = Hashing
