"""WindowKV: keep whole windows of text that the prompt's end looks at, scored as the task asks, shared by layers.

Source: Zuo et al. 2025, "WindowKV: Task-Adaptive Group-Wise KV Cache Window Selection for Efficient LLM Inference",
arXiv:2503.17922, section 4; settings after the authors' code (optim996/WindowKV).
Ours differs: which kind of task it is, is a setting; the paper lets a trained BERT classifier read the prompt, and that
is not here. Windows lie at fixed places of the text; groups' shares are not rounded, and their sum is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.select import best_runs
from memspan.kv.signals import Needs, View, attention, recent

Task = Literal["localise", "aggregate"]
SUFFIX = {"localise": 32, "aggregate": 16}
"""Queries that look, by the kind of task, in the authors' runs [tokens]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowKV(Policy):
    """Windows of `window` tokens by the attention of the prompt's last `suffix` queries; those rows stay.

    task: "localise" scores a window by the mean of the better half of its rows, "aggregate" by the mean of all
    window: how long a window is [tokens]
    suffix: queries that look [tokens]; None takes 32 to localise, 16 to aggregate
    shared: how many layers in a row keep the windows that the first of them chose
    beta: the last group of layers gets shared / beta of the mean, the first one twice the mean less that
    """

    task: Task = "localise"
    window: int = 8
    suffix: int | None = None
    shared: int = 8
    beta: float = 14.0
    fills: ClassVar[bool] = False
    card: ClassVar[Card] = Card(
        title="whole windows of text, chosen once for a group of layers",
        source="arXiv:2503.17922",
        year=2025,
        claims=("comparable to the full cache on LongBench with 12 % of it",),
        needs="torch",
        failures=("models whose first layer of a group does not look where the others do",),
    )

    @property
    def looking(self) -> int:
        """How many queries look [tokens]."""
        return SUFFIX[self.task] if self.suffix is None else self.suffix

    @property
    def needs(self) -> Needs:
        """The suffix's queries."""
        return Needs(queries=self.looking)

    def apart(self, room: int) -> int:
        """The suffix, which each layer has."""
        return self.looking

    def layers(self, room: int, count: int, seen: int) -> Sequence[float] | None:
        """The same for the layers of a group, in an arithmetic sequence over groups.

        >>> WindowKV(shared=2, beta=8).layers(100, 6, 1000)
        [175.0, 175.0, 100.0, 100.0, 25.0, 25.0]
        """
        groups = -(-count // self.shared)
        if groups == 1:
            return None
        last = min(1.0, self.shared / self.beta) * room
        step = 2 * (room - last) / (groups - 1)
        return [2 * room - last - layer // self.shared * step for layer in range(count)]

    def follows(self, layer: int) -> int:
        """The first of its group."""
        return layer - layer % self.shared

    def score(self, view: View) -> Tensor:
        """What each row's window is worth, over all query heads; the suffix's own rows first."""
        own = recent(view, self.looking)
        sums = attention(view, self.looking).sum(dim=2)
        there = (view.present & ~own).repeat_interleave(view.group, dim=1)
        places = view.positions.clamp(min=0).repeat_interleave(view.group, dim=1)
        windows = int(places.max()) // self.window + 1
        spread = torch.full((*sums.shape[:2], windows * self.window + 1), -torch.inf, device=sums.device)
        spread.scatter_(2, torch.where(there, places, windows * self.window), sums.masked_fill(~there, -torch.inf))
        rows = spread[..., :-1].reshape(*sums.shape[:2], windows, self.window).sort(dim=-1, descending=True).values
        if self.task == "localise":
            rows = rows[..., : max(1, self.window // 2)]
        real = rows.isfinite()
        means = rows.masked_fill(~real, 0.0).sum(-1) / real.sum(-1).clamp(min=1)
        worth = means.mean(dim=1, keepdim=True).expand(-1, own.shape[1], -1)
        return worth.gather(2, view.positions.clamp(min=0) // self.window).masked_fill(own, torch.inf)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best windows, the same for all heads."""
        return best_runs(scores, view.positions // self.window, room)


METHOD = WindowKV
