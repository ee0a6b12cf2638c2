"""memspan as it comes: Memory, setting lite, in a file of its own."""

from collections.abc import Sequence
from pathlib import Path

from memspan.bench.systems import Packed
from memspan.core.records import Turn
from memspan.text.memory import Memory


class Default:
    """One memory file in the folder; each call of remember is one durable transaction."""

    setting = "lite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bench.mem"
        self._memory = Memory(self._path, scope="bench", setting=self.setting)

    def remember(self, turns: Sequence[Turn]) -> None:
        """One transaction."""
        self._memory.remember(turns)

    def recall(self, question: str, k: int) -> list[str]:
        """The plain ranking, without packing."""
        return [hit.id for hit in self._memory.recall(question, tokens=None, limit=k)]

    def pack(self, question: str, tokens: int) -> Packed:
        """What stands in the rendered context: standing instructions, headings and fence count in the budget."""
        recall = self._memory.recall(question, tokens=tokens)
        return Packed(tuple(hit.id for hit in recall), tuple(hit.id for hit in recall.standing))

    def bytes_on_disk(self) -> int:
        """The file with its journal."""
        return sum(part.stat().st_size for part in self._path.parent.glob("bench.mem*"))

    def close(self) -> None:
        """Close the file."""
        self._memory.close()


SYSTEM = Default
