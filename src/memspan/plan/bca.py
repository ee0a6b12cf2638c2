"""The knee of a throughput curve: the largest batch that still pays, and the memory that the rest would have taken.

Source: Recasens et al. 2025, "Mind the Memory Gap: Unveiling GPU Bottlenecks in Large-Batch LLM Inference",
arXiv:2503.08311 (its Batching Configuration Advisor), and its code (FerranAgulloLopez/vLLMBatchingMemoryGap, advisor
plots): large batches stay bound by memory bandwidth, throughput flattens, so take the best batch within a latency and
give the memory of the others to something else. Its 5 times the latency of batch 32 is `limit_s` here; its gain for
each sequence added, 0.2 requests/s, is a share of the first batch's here, so that it means the same for any model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Point:
    """One measured batch. batch: sequences at once;  step_s: until each of them has its next token [s]"""

    batch: int
    step_s: float

    @property
    def throughput(self) -> float:
        """Tokens a second, of all."""
        return self.batch / self.step_s


def knee(points: Sequence[Point], *, gain: float = 0.1, limit_s: float = inf) -> Point:
    """The last point up to which every step up pays.

    gain: least that an added sequence brings, as a share of what each of the smallest batch brings [0..1]
    limit_s: longest step allowed
    Raises UsageError where no point is within the limit, or the points are not of distinct batches and positive times.

    >>> knee([Point(1, 0.010), Point(8, 0.011), Point(64, 0.020), Point(128, 0.039)]).batch
    64
    """
    ordered = sorted(points, key=lambda point: point.batch)
    if not ordered or ordered[0].step_s > limit_s:
        raise UsageError(f"no batch of {len(ordered)} takes {limit_s:g} s or less a step; allow more or measure less")
    if min(min(it.batch, it.step_s) for it in ordered) <= 0 or len({it.batch for it in ordered}) < len(ordered):
        raise UsageError("each batch is measured once, with a size and a time above 0")
    best = ordered[0]
    each = best.throughput / best.batch
    for point in ordered[1:]:
        added = (point.throughput - best.throughput) / (point.batch - best.batch)
        if point.step_s > limit_s or added < gain * each:
            break
        best = point
    return best


def memory_bound(weights: float, kv: float, bandwidth: float, batches: Sequence[int]) -> list[Point]:
    """The curve of a device that only reads: weights once and every cache, each step. All in bytes and bytes/s.

    >>> [round(point.throughput) for point in memory_bound(16e9, 1e9, 300e9, (1, 4, 16, 64))]
    [18, 60, 150, 240]
    """
    return [Point(batch, (weights + batch * kv) / bandwidth) for batch in batches]


def given_back(fits: int, chosen: int, kv: float) -> float:
    """Bytes free for others where `chosen` sequences run and `fits` would have fitted. Raises UsageError where more do.

    >>> given_back(100, 40, 0.5e9)
    30000000000.0
    """
    if chosen > fits:
        raise UsageError(f"{chosen} sequences were chosen, but {fits} fit")
    return (fits - chosen) * kv
