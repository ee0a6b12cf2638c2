"""Control: no memory at all. What can be answered with it is not answered from memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems import Kind
from memspan.bench.systems._ranked import Ranked
from memspan.core.records import Turn


class Nothing(Ranked):
    """Remembers nothing, finds nothing."""

    title = "nothing"
    kind: Kind = "control"

    def __init__(self, folder: Path) -> None:
        super().__init__()

    def remember(self, turns: Sequence[Turn]) -> None:
        """Keep nothing."""

    def scores(self, question: str) -> NDArray[np.floating]:
        """Of no turn."""
        return np.zeros(0)


SYSTEM = Nothing
