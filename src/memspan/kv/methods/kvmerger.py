"""KVMerger: runs of tokens whose keys point the same way become one row each.

Source: Wang et al. 2024, "Model Tells You Where to Merge: Adaptive KV Cache Merging for LLMs on Long-Context Tasks",
arXiv:2407.08454. After the abstract and summaries of the text: a run of neighbours with similar keys is a merging set,
its most attended member the pivot, and all its members are averaged with Gaussian weights of their distance from it.
Not confirmed: the width of that kernel, here the mean distance of the members from the pivot over the root of 2; which
rows are kept out of all sets, here the newest.
Ours differs: the paper's bound on similarity follows from the budget, so that there are as many sets as rows that fit.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.select import best
from memspan.kv.signals import Needs, View, recent


@dataclass(frozen=True, slots=True, kw_only=True)
class KVMerger(Policy):
    """Runs of rows between the least similar neighbours, each merged into its most attended row.

    newest: rows that stay as they are, if they fit [tokens]
    """

    newest: int = 16
    card: ClassVar[Card] = Card(
        title="runs of similar keys become one row",
        source="arXiv:2407.08454",
        year=2024,
        claims=("better than H2O and CaM on LongBench at 50 % and 35 % of the cache",),
        needs="torch",
        failures=("neighbours whose values differ though their keys are alike",),
    )

    @property
    def needs(self) -> Needs:
        """The attention each row received."""
        return Needs(mass=True)

    def score(self, view: View) -> Tensor:
        """How unlike the row before a row's key is, (batch, kv_heads, time), so that a set begins there."""
        return _unlike(view.keys).masked_fill(recent(view, self.newest), torch.inf)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """Of each set its most attended row, or the one that has to stay."""
        begins = best(scores, room[:, None])
        sets = (begins.cumsum(-1) - 1).clamp(min=0)
        mass = view.figures["mass"].masked_fill(scores == torch.inf, torch.inf)
        return _first_best(mass.masked_fill(~view.present, -torch.inf), sets) & view.present

    def rewrite(self, view: View, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Each pivot with the members of its set: those up to the least similar neighbours between two pivots."""
        pivots, present = kept & view.present, view.present
        after = (pivots.cumsum(-1) - pivots.long()).clamp(min=0)  # how many pivots are before a row
        unlike = self.score(view).masked_fill(~present, -torch.inf)
        begins = _first_best(unlike, after) & present & (after > 0)
        begins &= after < pivots.sum(-1, keepdim=True)
        sets = begins.cumsum(-1)
        place = torch.arange(kept.shape[-1], device=kept.device).expand_as(sets)
        pivot = torch.zeros_like(sets).scatter_(-1, torch.where(pivots, sets, sets.shape[-1] - 1), place)
        return _merged(view, sets, pivot.gather(-1, sets))


def _unlike(keys: Tensor) -> Tensor:
    """Minus the cosine with the key before, (batch, kv_heads, time); 2 for the first. keys: (.., time, dim)"""
    units = torch.nn.functional.normalize(keys.float(), dim=-1)
    apart = -(units[:, :, 1:] * units[:, :, :-1]).sum(-1)
    return torch.nn.functional.pad(apart, (1, 0), value=2.0)


def _first_best(scores: Tensor, groups: Tensor) -> Tensor:
    """Of each group its best row, the first of equal ones, bool. scores, groups: (batch, kv_heads, time)"""
    top = torch.full_like(scores, -torch.inf).scatter_reduce_(-1, groups, scores, "amax")
    time = scores.shape[-1]
    places = torch.arange(time, device=scores.device).expand_as(groups)
    found = torch.where(scores == top.gather(-1, groups), places, time)
    first = torch.full_like(groups, time).scatter_reduce_(-1, groups, found, "amin")
    return places == first.gather(-1, groups)


def _merged(view: View, sets: Tensor, pivot: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values with each set's average at its pivot. sets: each row's;  pivot: the column of each row's pivot"""
    keys, there = view.keys.float(), view.present.float()
    centres = keys.gather(2, pivot[..., None].expand_as(keys))
    squares = (keys - centres).square().sum(-1)
    distances = _summed(squares.sqrt() * there, sets) / _summed(there, sets).clamp(min=1)
    width = distances.square().clamp(min=1e-12)  # two sigmas squared, sigma being the mean distance over the root of 2
    weights = torch.exp(-squares / width) * there
    weights = weights / _summed(weights, sets).clamp(min=1e-12)
    out = []
    for rows in (view.keys, view.values):
        average = torch.zeros_like(rows, dtype=torch.float32)
        average.scatter_add_(2, pivot[..., None].expand_as(rows), rows.float() * weights[..., None])
        out.append(average.to(rows.dtype))
    return out[0], out[1]


def _summed(numbers: Tensor, sets: Tensor) -> Tensor:
    """The sum over each row's set, at each row."""
    return torch.zeros_like(numbers).scatter_add_(-1, sets, numbers).gather(-1, sets)


METHOD = KVMerger
