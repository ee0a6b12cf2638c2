"""S3-Attention: queries and keys become sparse features, and an index from features to spans says which spans to read.

After the abstract: Wang et al. 2026, "S3-Attention: Attention-Aligned Endogenous Retrieval for Memory-Bounded
Long-Context Inference", arXiv:2601.17702 (abstract was read). Confirmed there: top-k features of keys and queries by
light sparse autoencoders, an inverted index from features to spans, retrieval by features that are active in both.
Not confirmed: the score, the spans' length.
Ours differs: A STAND-IN for the trained autoencoders: a dictionary of random directions, the same for keys and
queries, so that features carry no meaning beyond direction. Rows of a retrieved span are attended to (the paper drops
the cache and puts the span's text before the model), there is no fusion with BM25, and the index is a table of bits,
a page and a feature each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

from memspan.core.card import Card
from memspan.kv.asked import Asked
from memspan.kv.policy import Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Attention(Lookup):
    """Pages by the rare features that they share with the queries.

    sinks, local: first and newest rows that are always attended to [tokens]
    features: of the dictionary;  active: features of a row, the largest ones, <= features;  seed: of the dictionary
    """

    sinks: int = 4
    local: int = 64
    features: int = 512
    active: int = 8
    seed: int = 0
    card: ClassVar[Card] = Card(
        title="spans by sparse features; random directions stand in for the trained autoencoder",
        source="arXiv:2601.17702",
        year=2026,
        claims=("close to the full context on LongBench together with BM25",),
        needs="torch",
        failures=("our dictionary is not trained: what is found is nearness in direction",),
    )

    def summarise(self, keys: Tensor, values: Tensor, figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Which features are active in a page, (pages, features) bool."""
        return {"active": (self._code(keys) > 0).any(dim=1)}

    def pick(self, asked: Asked, summary: Mapping[str, Tensor]) -> Tensor:
        """Sum over shared features of the query's activation times log(pages / pages with it), mean over queries."""
        here = summary["active"].float() * asked.there[..., None]
        pages = asked.there.sum(-1, keepdim=True)
        rarity = ((1 + pages) / (1 + here.sum(2))).log()
        wanted = asked.over_queries(self._code(asked.queries)) * rarity
        return (here @ wanted[..., None])[..., 0]

    def _code(self, rows: Tensor) -> Tensor:
        """Activations, zero but for the largest. (..., dim) -> (..., features)"""
        rows = torch.nn.functional.normalize(rows.float(), dim=-1)
        dense = rows @ _dictionary(self.seed, rows.shape[-1], self.features).to(rows.device)
        largest = dense.topk(self.active, dim=-1)
        return torch.zeros_like(dense).scatter(-1, largest.indices, largest.values.clamp(min=0))


@cache
def _dictionary(seed: int, dim: int, features: int) -> Tensor:
    """Random directions, (dim, features)."""
    rows = torch.randn(dim, features, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=0)


METHOD = S3Attention
