"""Cosine of the static embedder over single turns; no neighbours, nothing lexical."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems._ranked import Ranked, keyed
from memspan.core.records import Turn
from memspan.core.registry import load


class Dense(Ranked):
    """One vector a turn, in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._embedder = load("embed", "static")()
        self._blocks: list[NDArray[np.float32]] = []

    def remember(self, turns: Sequence[Turn]) -> None:
        """Embed the turns."""
        if turns:
            self._blocks.append(self._embedder.embed([keyed(turn) for turn in turns]))
        for turn in turns:
            self.keep(turn)

    def scores(self, question: str) -> NDArray[np.floating]:
        """Cosine plus one, so that every turn is found."""
        if not self._blocks:
            return np.zeros(0)
        self._blocks = [np.concatenate(self._blocks)] if len(self._blocks) > 1 else self._blocks
        scores: NDArray[np.floating] = self._blocks[0] @ self._embedder.embed([question])[0] + 1
        return scores


SYSTEM = Dense
