"""ThinK: drop the channels of keys that the last queries make least of.

Source: Xu et al. 2024, "ThinK: Thinner Key Cache by Query-Driven Pruning", arXiv:2407.21018, section 3; what the text
leaves open after the authors' code (SalesforceAIResearch/ThinK, ThinK_eager).
Ours differs: squared queries of the heads that share a kv head are averaged; rows that are read or written later lose
the same channels once they are older than the newest ones, where the authors' code keeps them whole; with another
method's eviction, channels are weighed over the prompt before it is cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.core.registry import load
from memspan.kv.policy import KeepAll, Over, Policy, named
from memspan.kv.signals import ALL, Needs, View, of_group
from memspan.kv.store.codec import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinK(Over):
    """Keys without the channels that weigh least, chosen once for each head of each layer; values whole.

    A channel weighs the mean square of the last queries in it times the mean square of the keys in it. A budget counts
    rows; with the default method all stay, and the budget has to allow for that.

    share: of the channels that go [0..1). The paper drops 0.4 of them.
    window: queries that decide, and newest rows that stay whole [tokens]
    evicts: name of a method that decides which rows stay, or a policy with settings; None keeps as many as fit
    """

    share: float = 0.4
    window: int = 32
    evicts: str | Policy | None = None
    card: ClassVar[Card] = Card(
        title="keys without the channels that the last queries make least of",
        source="arXiv:2407.21018",
        year=2024,
        claims=("more than 20 % of memory on top of eviction",),
        needs="torch",
        failures=("keys that use all channels alike",),
    )

    @property
    def inner(self) -> Policy:
        """The method that decides on rows."""
        return KeepAll() if self.evicts is None else named(self.evicts)

    @property
    def needs(self) -> Needs:
        """The last queries, and what that method needs."""
        needs = self.inner.needs
        if needs.queries:
            return needs if needs.queries == ALL else replace(needs, queries=max(needs.queries, self.window))
        return replace(needs, queries=self.window, passing=True)

    @property
    def codec(self) -> Codec:
        """Pages without the channels that are zero."""
        codec: Codec = load("codec", "channels")(share=self.share)
        return codec

    @property
    def residual(self) -> int:
        """Newest rows that stay whole."""
        return self.window

    def note(self, view: View) -> dict[str, Tensor]:
        """Which channels go, (batch, kv_heads, dim) bool: the least of mean query square times mean key square."""
        queries, real = view.queries[:, :, -self.window :], view.query_positions[:, -self.window :] >= 0
        asked = of_group(_mean_square(queries, real[:, None]), view.keys.shape[1])
        weights = asked * _mean_square(view.keys, view.present)
        dim = weights.shape[-1]
        order = weights.argsort(dim=-1, stable=True)[..., : int(dim * self.share)]
        return {"dropped": torch.zeros_like(weights, dtype=torch.bool).scatter_(-1, order, True)}

    def seal(self, keys: Tensor, values: Tensor, notes: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Keys with zeros in those channels."""
        return keys.masked_fill(notes["dropped"][:, :, None], 0), values


def _mean_square(rows: Tensor, there: Tensor) -> Tensor:
    """(batch, heads, time, dim) to (batch, heads, dim) float32, over the rows that are there."""
    squares = rows.float().square() * there[..., None]
    return squares.sum(2) / there.sum(-1).clamp(min=1)[..., None]


METHOD = ThinK
