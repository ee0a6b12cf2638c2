"""Figures of one question, and their means with bootstrap intervals over clusters.

Questions of one conversation fail together, so whole clusters are resampled, not questions.
Source: Field and Welsh 2007, "Bootstrapping Clustered Data", section 3 (the cluster bootstrap).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memspan.bench.cases import Level, Question
from memspan.bench.runner import BUDGETS, Reply

KS = (5, 10, 20)
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its 95 % interval; one cluster alone has none."""

    mean: float
    low: float | None
    high: float | None


def figures(question: Question, reply: Reply, level: Level, session_of: Mapping[str, str]) -> Row:
    """All figures of one question.

    R@k: share of the gold among the first k;  hit@k, all@k: any, all of it;  MRR: 1 / rank of the first gold
    Tn: share of the gold in a context of n tokens, standing instructions included;  "Tn ranked": without them
    """
    ranked = _lifted(reply.ranked, level, session_of)
    row: Row = {}
    for k in KS:
        found = len(question.gold.intersection(ranked[:k]))
        row[f"R@{k}"] = found / len(question.gold)
        row[f"hit@{k}"] = float(found > 0)
        row[f"all@{k}"] = float(found == len(question.gold))
    row["MRR"] = next((1 / rank for rank, one in enumerate(ranked, 1) if one in question.gold), 0.0)
    for tokens in BUDGETS:
        packed = reply.packed[tokens]
        for name, ids in ((f"T{tokens}", packed.ranked + packed.standing), (f"T{tokens} ranked", packed.ranked)):
            row[name] = share(question.gold, set(_lifted(ids, level, session_of)))
    return row


def share(gold: Set[str], found: Set[str]) -> float:
    """How much of the gold was found [0..1].

    >>> share({"u1", "u2"}, {"u2", "u9"})
    0.5
    """
    return len(gold & found) / len(gold)


def _lifted(ids: Sequence[str], level: Level, session_of: Mapping[str, str]) -> list[str]:
    """Units as they are, or the sessions they belong to, in order of first appearance."""
    return list(ids) if level == "unit" else list(dict.fromkeys(session_of[one] for one in ids))


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of many questions. clusters: (questions,) numbers;  values: (questions, figures)"""

    names: tuple[str, ...]
    clusters: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[Row], clusters: Sequence[str]) -> "Table":
        """A table of at least one row; clusters are numbered in order of first appearance."""
        names = tuple(rows[0])
        numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
        values = np.array([[row[name] for name in names] for row in rows])
        return cls(names, np.array([numbers[name] for name in clusters]), values)

    def minus(self, other: "Table") -> "Table":
        """Question by question, this less the other."""
        return Table(self.names, self.clusters, self.values - other.values)

    def only(self, chosen: NDArray[np.bool_]) -> "Table":
        """The chosen questions."""
        _, clusters = np.unique(self.clusters[chosen], return_inverse=True)
        return Table(self.names, clusters.reshape(-1), self.values[chosen])

    def resampled(self, resamples: int, seed: int) -> NDArray[np.float64]:
        """Means over clusters drawn with replacement, (resamples, figures)."""
        count = int(self.clusters.max()) + 1
        sums = np.zeros((count, len(self.names)))
        np.add.at(sums, self.clusters, self.values)
        sizes = np.bincount(self.clusters, minlength=count)
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
        means: NDArray[np.float64] = (drawn @ sums) / (drawn @ sizes)[:, None]
        return means

    def means(self, resamples: int, seed: int) -> dict[str, Mean]:
        """Each figure's mean with its interval."""
        centre = self.values.mean(axis=0)
        if int(self.clusters.max()) == 0:
            return {name: Mean(float(centre[n]), None, None) for n, name in enumerate(self.names)}
        return interval(self.names, centre, self.resampled(resamples, seed))


def interval(names: Sequence[str], centre: NDArray[np.float64], drawn: NDArray[np.float64]) -> dict[str, Mean]:
    """Means with the 2.5 and 97.5 percentiles of their resamples."""
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return {name: Mean(float(centre[n]), float(low[n]), float(high[n])) for n, name in enumerate(names)}
