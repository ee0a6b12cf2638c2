"""Reciprocal rank fusion of BM25 and MiniLM, each exact: the usual hybrid search.

Source: Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods"; k = 60 as there.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems._ranked import DEEP, Ranked, best
from memspan.bench.systems.bm25 import BM25
from memspan.bench.systems.minilm import MiniLM
from memspan.core.records import Turn

K = 60


class RRF(Ranked):
    """The best 1,000 of each arm."""

    title = "BM25 + MiniLM, RRF"
    vectors = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._arms: tuple[Ranked, ...] = (BM25(folder), MiniLM(folder))

    def remember(self, turns: Sequence[Turn]) -> None:
        """Into both arms."""
        for arm in self._arms:
            arm.remember(turns)
        for turn in turns:
            self.keep(turn)

    def scores(self, question: str) -> NDArray[np.floating]:
        """Sum over the arms of 1 / (60 + rank), ranks from 1."""
        scores = np.zeros(len(self.ids))
        for arm in self._arms:
            places = best(arm.scores(question), DEEP)
            scores[places] += 1 / (K + 1 + np.arange(len(places)))
        return scores


SYSTEM = RRF
