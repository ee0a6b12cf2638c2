"""ZoomR: thoughts are seen as short summaries, whose keys tell which thoughts to zoom into and read in full.

After the abstract: Yang et al. 2026, "ZoomR: Memory Efficient Reasoning through Multi-Granularity Key Value Retrieval",
arXiv:2604.10898 (abstract was read). Confirmed there: summary keys are a coarse index, the query brings back the
details of the most important thoughts only, the rest is seen as summaries. Not confirmed: how many thoughts, how scores
of a summary's keys become one.
Ours differs: A STAND-IN for summaries: the paper's model is tuned to write them; ours are means of a few runs of rows,
each counting as the rows it stands for. A thought is a page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomR(Lookup):
    """Pages by the attention that their summaries get; pages that are not read in full stay as summaries.

    sinks, local: first and newest rows that are always attended to [tokens]
    lines: rows of a summary, at most a page's
    """

    sinks: int = 4
    local: int = 64
    lines: int = 2
    card: ClassVar[Card] = Card(
        title="summaries index thoughts; the best are read in full",
        source="arXiv:2604.10898",
        year=2026,
        claims=("more than 4x less memory at comparable accuracy in long reasoning",),
        needs="torch",
        failures=("our summaries are means of rows, not written ones",),
    )

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Means of runs of rows, (pages, lines, dim), and how many rows each stands for."""
        runs = torch.arange(keys.shape[1], device=keys.device).tensor_split(min(self.lines, keys.shape[1]))
        size = torch.tensor([float(len(run)) for run in runs], device=keys.device).expand(len(keys), -1)
        return {
            "key": torch.stack([keys[:, run].mean(dim=1) for run in runs], dim=1),
            "value": torch.stack([values[:, run].mean(dim=1) for run in runs], dim=1),
            "size": size,
        }

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """The attention that each summary gets."""
        return asked.shares(summary["key"])

    def estimate(
        self, summary: Mapping[str, Tensor], scores: Tensor, missed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """The summaries of all thoughts that are not read in full."""
        bias = summary["size"].clamp(min=1).log().masked_fill(~missed[..., None], -torch.inf)
        return summary["key"].flatten(2, 3), summary["value"].flatten(2, 3), bias.flatten(2)


METHOD = ZoomR
