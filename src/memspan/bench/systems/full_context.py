"""Control: the whole history in the context, at its real price.

It keeps to no budget: its context holds all gold by construction (T = 1), so only its tokens and what a reader makes
of them say anything. Within a budget it would be `recent`, which is what it is as a ranking too: nothing is sought.
The newest stands first, as in `recent`, so that of two statements a reader meets the later one first.
"""

from memspan.bench.cases import Ask
from memspan.bench.systems import Kind, Packed
from memspan.bench.systems.recent import Recent


class FullContext(Recent):
    """Every turn, whatever the question and the budget."""

    title = "full context"
    kind: Kind = "control"

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """All turns, newest first; tokens: what they cost, not the budget."""
        return Packed(tuple(reversed(self.ids)), tokens=sum(self.costs))


SYSTEM = FullContext
