"""KeyDiff: keep the keys that point away from the mean direction of all keys.

Source: Park et al. 2025, "KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference in
Resource-Constrained Environments", arXiv:2504.15364, section 3; the mean of unit keys after kvpress.
Ours differs: what a block of a long prompt is cut to follows from the budget.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from memspan.core.card import Card
from memspan.kv.policy import Policy
from memspan.kv.signals import View


@dataclass(frozen=True, slots=True)
class KeyDiff(Policy):
    """Rows by minus the cosine of their key with the mean of all keys, each brought to length 1."""

    card: ClassVar[Card] = Card(
        title="keys that point away from the others",
        source="arXiv:2504.15364",
        year=2025,
        claims=("within 0.04 % of the full cache on LongBench at 8K rows (23 % less) for Llama 3.1-8B and 3.2-3B",),
        needs="torch",
        failures=("what is often said alike: near copies go first, all of them",),
    )

    def score(self, view: View) -> Tensor:
        """-cos(key, mean of unit keys), (batch, kv_heads, time)."""
        keys = view.keys.float()
        mean = (normalize(keys, dim=-1) * view.present[..., None]).sum(dim=2, keepdim=True)
        return -cosine_similarity(keys, mean, dim=-1)


METHOD = KeyDiff
