"""The newest turns, whatever the question: what a chat window does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems._ranked import Ranked
from memspan.core.records import Turn


class Recent(Ranked):
    """Order of arrival, backwards."""

    title = "newest turns"

    def __init__(self, folder: Path) -> None:
        super().__init__()

    def remember(self, turns: Sequence[Turn]) -> None:
        """Keep the order."""
        for turn in turns:
            self.keep(turn)

    def scores(self, question: str) -> NDArray[np.floating]:
        """Position, from 1."""
        return np.arange(1.0, len(self.ids) + 1)


SYSTEM = Recent
