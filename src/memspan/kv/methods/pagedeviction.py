"""PagedEviction: rows go by how small their value is beside their key; while writing, whole pages go.

Source: Chitty-Venkata et al. 2025, "PagedEviction: Structured Block-wise KV Cache Pruning for Efficient Large Language
Model Inference", arXiv:2509.04377, its algorithms for prompt and decoding.
Ours differs: each head drops rows and pages of its own. Not confirmed from the text: that the page which has just
filled may be the one to go; here it may, and `recent` of kv.compress() protects it.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.policy import Policy, When
from memspan.kv.select import best
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedEviction(Policy):
    """Rows by the norm of their value over the norm of their key; after the prompt, pages by the mean of their rows.

    page: rows that go together while writing [tokens], >= 1. The paper follows vLLM's 16.
    """

    page: int = 16
    card: ClassVar[Card] = Card(
        title="whole pages whose values are small beside their keys",
        source="arXiv:2509.04377",
        year=2025,
        claims=("less memory than vLLM's full cache at better accuracy than other eviction on long contexts",),
        needs="torch",
        failures=("a page goes with the good rows it holds",),
    )

    @property
    def when(self) -> When:
        """A page goes when the newest one has filled."""
        return "always"

    @property
    def slack(self) -> int:
        """All but one row of the page that is being filled."""
        return self.page - 1

    def score(self, view: View) -> Tensor:
        """Value norm over key norm, (batch, kv_heads, time)."""
        return _norms(view.values) / _norms(view.keys).clamp(min=1e-12)

    def select(self, scores: Tensor, room: Tensor, view: View) -> Tensor:
        """The best rows of a prompt; while writing, all but the worst page for each page over the room."""
        if view.arrived > 1:
            return best(scores, room[:, None])
        rows = view.present.sum(-1)
        means = _page_means(scores, self.page, rows)
        over = (rows - room[:, None]).clamp(min=0) // self.page
        gone = best(-means, over)
        return view.present & ~gone.repeat_interleave(self.page, dim=-1)[..., : scores.shape[-1]]


def _norms(rows: Tensor) -> Tensor:
    return rows.float().square().sum(-1).sqrt()


def _page_means(scores: Tensor, page: int, rows: Tensor) -> Tensor:
    """Mean score of each full page, (batch, kv_heads, pages); +inf where one is not full. rows: (batch, kv_heads)"""
    padded = torch.nn.functional.pad(scores, (0, -scores.shape[-1] % page), value=torch.inf)
    means = padded.view(*scores.shape[:2], -1, page).mean(-1)
    full = torch.arange(means.shape[-1], device=rows.device) < (rows // page)[..., None]
    return means.masked_fill(~full, torch.inf)


METHOD = PagedEviction
