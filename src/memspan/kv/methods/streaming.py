"""StreamingLLM: keep the first tokens (attention sinks) and the newest ones.

Source: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks", arXiv:2309.17453, section 3.2.
Ours differs: the window follows from the budget, and keys keep the positions they were read at.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming(Policy):
    """The first `sinks` rows and as many newest ones as fit.

    sinks: how many first tokens stay [tokens]. The paper uses 4.
    """

    sinks: int = 4
    piecewise: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        title="first and newest tokens",
        source="arXiv:2309.17453",
        year=2023,
        claims=("stable perplexity over 4 million tokens", "22.2x faster than recomputing a sliding window"),
        needs="torch",
        failures=("whatever lies between the sinks and the window is gone",),
    )

    @property
    def when(self) -> When:
        """While text is written too, some tokens at a time."""
        return "always"

    def least(self, room: int) -> int:
        """The sinks and one newest token."""
        return self.sinks + 1

    def score(self, view: View) -> Tensor:
        """The place, sinks above all."""
        places = view.positions.float()
        return places.masked_fill(view.positions < self.sinks, float("inf"))


METHOD = Streaming
