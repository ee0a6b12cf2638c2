"""Control: no memory at all. What can be answered with it is not answered from memory."""

from collections.abc import Sequence
from pathlib import Path

from memspan.bench.cases import Ask
from memspan.bench.systems import Kind, Packed
from memspan.core.records import Turn


class Nothing:
    """Remembers nothing, finds nothing."""

    title = "nothing"
    kind: Kind = "control"
    vectors = False

    def __init__(self, folder: Path) -> None:
        pass

    def remember(self, turns: Sequence[Turn]) -> None:
        pass

    def recall(self, ask: Ask, k: int) -> list[str]:
        """Nothing."""
        return []

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """An empty context."""
        return Packed(())

    def elsewhere(self, ask: Ask) -> list[str]:
        """Nothing."""
        return []

    def bytes_on_disk(self) -> int:
        return 0

    def close(self) -> None:
        pass


SYSTEM = Nothing
