"""Two systems on the same questions: the difference, whether chance explains it, and what a run could have seen at all.

Everything is paired by question and resampled by cluster (resampling.py).
Sources: Phipson and Smyth 2010, "Permutation P-values Should Never Be Zero" (add one); Holm 1979; McNemar 1947;
Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640 (clustered errors, pairing, power); Heineman et al. 2025,
"Signal and Noise", arXiv:2508.13144.
Ours differs: signs are flipped for whole clusters, for questions of one conversation fail together; and noise is the
spread over clusters drawn anew, for the systems here are deterministic and have neither seeds nor checkpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from memspan.bench.resampling import (
    RESAMPLES,
    T_BELOW,
    cluster_sums,
    clustered_error,
    draws,
    intervals,
    t_quantile,
)
from memspan.core.errors import UsageError

EXACT_UP_TO = 12
"""Clusters whose 2^n sign patterns are all gone through."""
FLIPS = 10_000
ALPHA = 0.05
POWER = 0.8
DECIDES_FROM = 3.0
_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one system is than another on the same questions.

    difference: mean over questions, ours less theirs;  low, high: its clustered 95 % interval; None with one cluster
    t_low, t_high: t-interval on cluster means, for 2 to 9 clusters
    p: that chance alone makes it as large, by sign flips over clusters;  mcnemar: the same for single questions of 0
    and 1, exact, as a check only: it takes questions for independent
    mdd: difference that a run of this size finds with 80 % power at p < 0.05; None with one cluster
    """

    difference: float
    low: float | None
    high: float | None
    t_low: float | None
    t_high: float | None
    p: float
    mdd: float | None
    mcnemar: float | None
    questions: int
    clusters: int


def compare(
    ours: ArrayLike, other: ArrayLike, clusters: ArrayLike, *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Ours less the other. ours, other: (questions,) in the same order;  clusters: (questions,)

    >>> found = compare([1, 1, 1, 0], [0, 1, 0, 0], [1, 1, 2, 3], seed=7)
    >>> found.difference, found.p, found.clusters
    (0.5, 0.5, 3)
    """
    mine, theirs = np.asarray(ours, dtype=float), np.asarray(other, dtype=float)
    if mine.shape != theirs.shape or mine.ndim != 1:
        raise UsageError(f"{mine.shape} and {theirs.shape} figures do not pair; give both systems the same questions")
    away = mine - theirs
    found = intervals(away[:, None], clusters, seed=seed, resamples=resamples, rates=False)
    several, few = found.clusters > 1, 1 < found.clusters < T_BELOW
    rates = bool(np.isin([mine, theirs], (0.0, 1.0)).all())
    return Difference(
        difference=float(found.mean[0]),
        low=float(found.low[0]) if several else None,
        high=float(found.high[0]) if several else None,
        t_low=float(found.t_low[0]) if few and found.t_low is not None else None,
        t_high=float(found.t_high[0]) if few and found.t_high is not None else None,
        p=sign_flip(away, clusters, seed=seed),
        mdd=detectable(away, clusters) if several else None,
        mcnemar=mcnemar(int((away > 0).sum()), int((away < 0).sum())) if rates else None,
        questions=len(away),
        clusters=found.clusters,
    )


def sign_flip(differences: ArrayLike, clusters: ArrayLike, *, seed: int, flips: int = FLIPS) -> float:
    """Share of sign patterns over clusters whose sum is as far from zero as the one seen (0..1].

    differences: (questions,). Exact up to 12 clusters, drawn beyond, the seen pattern counted among them. With n
    clusters nothing below 2 / 2^n can come out: five clusters never reach 0.05.

    >>> sign_flip([1.0, 1.0, 1.0], [0, 1, 2], seed=7)
    0.25
    """
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    sums = cluster_sums(np.asarray(differences, dtype=float), codes.reshape(-1))
    sums = sums[sums != 0]
    floor = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())  # equal sums may differ in their last digit
    if len(sums) <= EXACT_UP_TO:
        patterns = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float(np.mean(np.abs(patterns @ sums) >= floor))
    reached, block = 0, max(1, _CELLS // len(sums))
    rng = np.random.default_rng(seed)
    for done in range(0, flips, block):
        kept = rng.integers(2, size=(min(block, flips - done), len(sums)), dtype=np.int8).astype(float)
        reached += int((np.abs(2 * (kept @ sums) - sums.sum()) >= floor).sum())
    return (reached + 1) / (flips + 1)


def detectable(differences: ArrayLike, clusters: ArrayLike) -> float:
    """Smallest true difference found with 80 % power at a two-sided 0.05. differences: (questions,), >= 2 clusters

    Source: Miller 2024 on power, with Student's t in place of the normal, for clusters are few.
    """
    freedom = len(np.unique(np.asarray(clusters))) - 1
    factor = t_quantile(1 - ALPHA / 2, freedom) + t_quantile(POWER, freedom)
    return factor * clustered_error(differences, clusters)


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p of gaining and losing so many questions, each a fair coin.

    >>> mcnemar(5, 0)
    0.0625
    """
    total = gained + lost
    tail: int = sum(comb(total, few) for few in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << total))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values as they count when all of these comparisons were planned, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[number]))
        adjusted[number] = highest
    return adjusted


@dataclass(frozen=True, slots=True)
class SignalToNoise:
    """Whether a task tells systems apart.

    signal: largest difference between two systems, over the mean of all;  noise: standard deviation of a system's
    mean over clusters drawn anew, over the same mean;  snr: signal / noise, None where noise is 0 or not to be had
    informational: too little signal to decide anything by it (snr < 3)
    """

    signal: float
    noise: float
    snr: float | None
    informational: bool


def signal_to_noise(values: ArrayLike, clusters: ArrayLike, *, seed: int, resamples: int = RESAMPLES) -> SignalToNoise:
    """Of one task over a roster. values: (systems, questions), at least two systems;  clusters: (questions,)

    >>> found = signal_to_noise([[1, 1, 1, 0], [0, 0, 1, 0]], [0, 1, 2, 3], seed=7)
    >>> found.signal, found.informational
    (1.0, True)
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or len(table) < 2:
        raise UsageError(f"values {table.shape}: give two systems at least, one row each")
    drawn = draws(table.T, clusters, seed=seed, resamples=resamples)
    means = table.mean(axis=1)
    centre = abs(float(means.mean()))
    if not centre:
        return SignalToNoise(0.0, 0.0, None, True)
    signal = float(means.max() - means.min()) / centre
    noise = float(drawn.std(axis=0, ddof=1).mean()) / centre
    if len(np.unique(np.asarray(clusters))) < 2:
        return SignalToNoise(signal, noise, None, True)
    snr = signal / noise if noise else None
    return SignalToNoise(signal, noise, snr, not signal if snr is None else snr < DECIDES_FROM)
