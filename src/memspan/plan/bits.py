"""Not all bits are equal: where a reasoning model's memory is best spent, by its effective size.

Source: Kim et al. 2025, "Not All Bits Are Equal: Scale-Dependent Memory Optimization Strategies for Reasoning Models",
arXiv:2510.10964 (1,700 runs of Qwen3 on AIME25 and GPQA-Diamond). Below the size of a 4B model at 8 bits, memory goes
into weights and, of the cache, eviction serves better than quantisation; above, into longer or more answers, and
quantisation is competitive. Read here in its abstract and in summaries; the curves behind it were not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from memspan.core.errors import UsageError
from memspan.plan.cache import RAW, Codec, ModelShape, cache_bytes, weight_bytes

THRESHOLD_BYTES = 4e9
"""A 4B model at 8 bits a weight. The paper's sizes are names (4B), not counts, and "about"."""


@dataclass(frozen=True, slots=True)
class Advice:
    """spend: memory that is left goes there;  cache: how to make the cache small;  parallel: whether to vote"""

    spend: Literal["weights", "tokens"]
    cache: Literal["evict", "quantise"]
    parallel: bool


def advice(shape: ModelShape, weight_bits: float) -> Advice:
    """What the paper found best at this size. Raises UsageError where weight_bits <= 0.

    >>> from memspan.plan.cache import SHAPES
    >>> advice(SHAPES["Qwen3-4B"], 4).spend, advice(SHAPES["Qwen3-8B"], 8).spend
    ('weights', 'tokens')
    """
    if weight_bits <= 0:
        raise UsageError(f"{weight_bits} bits a weight: there have to be some")
    if weight_bytes(shape, weight_bits) < THRESHOLD_BYTES:
        return Advice("weights", "evict", parallel=False)
    return Advice("tokens", "quantise", parallel=True)


def spent(shape: ModelShape, weight_bits: float, tokens: int, codec: Codec = RAW) -> float:
    """Bytes of the weights and of a cache of so many tokens: what the paper's plots have as memory.

    >>> from memspan.plan.cache import SHAPES
    >>> round(spent(SHAPES["Qwen3-32B"], 4, 14_000) / 1e9), round(spent(SHAPES["Qwen3-8B"], 16, 30_000) / 1e9)
    (20, 21)
    """
    return weight_bytes(shape, weight_bits) + cache_bytes(shape, tokens, codec)


@dataclass(frozen=True, slots=True)
class Choice:
    """tokens: that fit beside the weights;  advice: the paper's, for this size"""

    model: str
    weight_bits: float
    tokens: int
    advice: Advice


def choices(
    memory: float, models: Iterable[tuple[str, ModelShape]], weight_bits: Iterable[float], codec: Codec = RAW
) -> list[Choice]:
    """Models and weight sizes that fit, the largest effective size first. memory: for weights and one cache [bytes]

    >>> from memspan.plan.cache import SHAPES
    >>> [(it.model, it.weight_bits, it.tokens) for it in choices(6e9, [("4B", SHAPES["Qwen3-4B"])], (4, 8, 16))]
    [('4B', 8, 13410), ('4B', 4, 27050)]
    """
    found = []
    for name, shape in models:
        for bits in weight_bits:
            left = memory - weight_bytes(shape, bits)
            tokens = int(left // cache_bytes(shape, 1, codec)) if left > 0 else 0
            if tokens:
                found.append((weight_bytes(shape, bits), Choice(name, bits, tokens, advice(shape, bits))))
    return [choice for _, choice in sorted(found, key=lambda pair: -pair[0])]
