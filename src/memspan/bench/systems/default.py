"""memspan as it comes: Memory, setting lite, in a file of its own."""

from collections.abc import Sequence
from pathlib import Path

from memspan.bench.cases import Ask
from memspan.bench.systems import Kind, Packed
from memspan.core.clock import now
from memspan.core.records import Quality, Turn
from memspan.core.tokens import estimate
from memspan.text.memory import Memory


class Default:
    """One memory file in the folder; each call of remember is one durable transaction.

    Its clock stands where the question is asked, where the data set says when that is.
    """

    title = "memspan lite"
    kind: Kind = "memspan"
    vectors = False
    setting = "lite"
    quality: Quality = "fast"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bench.mem"
        self._asked_at: float | None = None
        self._memory = Memory(self._path, scope="bench", setting=self.setting, clock=self._now)

    def _now(self) -> float:
        return now() if self._asked_at is None else self._asked_at

    def remember(self, turns: Sequence[Turn]) -> None:
        """One transaction."""
        self._asked_at = None
        self._memory.remember(turns)

    def recall(self, ask: Ask, k: int) -> list[str]:
        """The plain ranking, without packing."""
        self._asked_at = ask.at
        found = self._memory.recall(ask.text, tokens=None, limit=k, as_of=ask.as_of, quality=self.quality)
        return [hit.id for hit in found]

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """What stands in the rendered context: standing instructions, headings and fence count in the budget."""
        self._asked_at = ask.at
        recall = self._memory.recall(ask.text, tokens=tokens, as_of=ask.as_of, quality=self.quality)
        return Packed(
            tuple(hit.id for hit in recall), tuple(hit.id for hit in recall.standing), estimate(recall.context)
        )

    def elsewhere(self, ask: Ask) -> list[str]:
        """From a neighbouring scope of the same file."""
        with Memory(self._path, scope="elsewhere", setting=self.setting) as other:
            return [hit.id for hit in other.recall(ask.text, tokens=None, limit=3)]

    def bytes_on_disk(self) -> int:
        """The file with its journal."""
        return sum(part.stat().st_size for part in self._path.parent.glob("bench.mem*"))

    def close(self) -> None:
        """Close the file."""
        self._memory.close()


SYSTEM = Default
