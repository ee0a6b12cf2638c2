"""SirLLM: keep the tokens that came as a surprise, and let surprise fade from turn to turn.

Source: Yao et al. 2024, "SirLLM: Streaming Infinite Retentive LLM", arXiv:2405.12528, section 3; what the text leaves
open after the authors' code (Zoeyyao27/SirLLM).
Ours differs: rows keep their true positions, where the authors number what is left anew; rows go after a turn is read
instead of before the next; a turn's first token has the probability that the text before it gives, where the authors
give it the greatest surprise of its turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.select import best
from memspan.kv.signals import Needs, View


@dataclass(frozen=True, slots=True, kw_only=True)
class SirLLM(Policy):
    """Rows by minus the log probability of their token times `decay` for each turn since; first ones always.

    A turn is a forward pass of several tokens and what is written after it.

    sinks: first tokens that stay in any case [tokens]
    decay: what is left of a row's score after a turn [0..1]. The paper uses 0.7 for dialogue, 0.9 for a game.
    """

    sinks: int = 4
    decay: float = 0.7
    figures: ClassVar[tuple[str, ...]] = ("turn",)
    card: ClassVar[Card] = Card(
        title="surprising tokens, fading from turn to turn",
        source="arXiv:2405.12528",
        year=2024,
        claims=("better than a streaming window on long dialogue, shopping lists and rock-paper-scissors",),
        needs="torch",
        failures=("what the model expected is gone, even where it is asked for",),
    )

    @property
    def needs(self) -> Needs:
        """The probability of each token."""
        return Needs(log_probs=True)

    def least(self, room: int) -> int:
        """The sinks and one more."""
        return self.sinks + 1

    def observe(self, new: View) -> Mapping[str, Tensor]:
        """Figure "turn": in which each row came."""
        return {"turn": torch.full(new.keys.shape[:3], float(new.turn), device=new.keys.device)}

    def score(self, view: View) -> Tensor:
        """Surprise that is left, (batch, kv_heads, time) [nats]."""
        return -view.figures["log_prob"] * self.decay ** (view.turn - view.figures["turn"])

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The sinks and the room's rest of most surprising rows; where these are sinks themselves, newest rows more."""
        first = view.present & (view.positions < self.sinks)
        wanted = best(scores, (room - self.sinks).clamp(min=0)[:, None])
        newest = view.positions.float().masked_fill(~view.present, -torch.inf)
        return best(newest.masked_fill(first | wanted | (scores == torch.inf), torch.inf), room[:, None])


METHOD = SirLLM
