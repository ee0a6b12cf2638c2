"""CORM: drop what none of the recent queries cared for, however much or little that is.

Source: Dai et al. 2024, "CORM: Cache Optimization with Recent Message for Large Language Model Inference",
arXiv:2404.15949. After the abstract and summaries of the text. Not confirmed: that a key is minor below 1 / t, t being
the tokens that the query could see; the widths of both windows.
Ours differs: a kv head keeps what any query head of its group cares for; attention of the earlier queries of the
window is that to the rows which are left; where a budget is given, the rows most cared for stay within it.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.select import best
from memspan.kv.signals import Needs, View, attention, recent


@dataclass(frozen=True, slots=True, kw_only=True)
class CORM(Policy):
    """Rows to which one of the last `window` queries gave more than an even share of its attention, and the newest.

    window: queries that have a say [tokens]
    newest: rows that stay in any case [tokens]
    """

    window: int = 256
    newest: int = 256
    fills: ClassVar[bool] = False
    eager: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        title="rows that a recent query cared for, without a budget",
        source="arXiv:2404.15949",
        year=2024,
        claims=("up to 70 % less cache on six tasks of LongBench",),
        needs="torch",
        failures=("what only a later query asks for",),
    )

    @property
    def needs(self) -> Needs:
        """The window's queries."""
        return Needs(queries=self.window)

    @property
    def when(self) -> When:
        """Each query may be the last that cared."""
        return "always"

    def score(self, view: View) -> Tensor:
        """The most that one query gave a row, in even shares, (batch, kv_heads, time)."""
        seen = (view.query_positions[:, -self.window :] + 1).float()
        shares = attention(view, self.window) * seen[:, None, :, None]
        batch, kv_heads, time = view.positions.shape
        scores = shares.amax(dim=2).view(batch, kv_heads, -1, time).amax(dim=2)
        return scores.masked_fill(recent(view, self.newest), float("inf"))

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """Those with an even share or more, as many as fit."""
        return best(scores, room[:, None]) & (scores >= 1)


METHOD = CORM
