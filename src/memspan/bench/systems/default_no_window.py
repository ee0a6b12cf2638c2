"""memspan lite in which every turn stands alone: neither words nor vectors of its neighbours in the session."""

from collections.abc import Sequence
from dataclasses import replace

from memspan.bench.systems._ablations import Ablation
from memspan.core.records import Turn


class NoWindow(Ablation):
    """Each turn is told as a session of its own."""

    title = "memspan lite, no window"

    def remember(self, turns: Sequence[Turn]) -> None:
        """One transaction."""
        super().remember([replace(turn, session=turn.id) for turn in turns])


SYSTEM = NoWindow
