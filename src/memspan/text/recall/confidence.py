"""How likely it is that the evidence was found: P(at least one turn that answers is among the ten best hits).

A logistic model over what a ranking tells of itself. Its weights come from `tools/fit_confidence.py`, which fits on
the dev half of the clusters of labelled conversations, asking each question of its own memory and of a stranger's, and
reports the expected calibration error of two folds of it; the figures stand in docs/concepts.md.
"""

from collections.abc import Mapping, Sequence
from math import exp, log
from types import MappingProxyType

import numpy as np

from memspan.text.index.lexical import K1
from memspan.text.recall.rank import Ranking

TOP = 10

FEATURES = (
    "covered",  # share of the question's idf that the best hit covers [0..1]
    "covered10",  # the same, the best of ten
    "known",  # share of the question's words that the scope has
    "near",  # cosine of the best hit, last dense arm
    "near10",  # the same, the best of ten
    "score",  # fused score of the best hit, in standard deviations
    "gap",  # best hit minus tenth
    "size",  # ln(1 + units)
    "words",  # ln(1 + words of the question that the scope has)
)

# setting -> intercept, then one weight per feature
WEIGHTS: Mapping[str, Sequence[float]] = MappingProxyType(
    {"lite": (-4.6841, 3.1092, -2.9638, 1.8731, 1.5024, 4.9583, 0.3870, -0.0248, -0.5422, 0.8433)}
)


def features(ranking: Ranking, count: int) -> list[float]:
    """What a ranking tells of itself, in the order of FEATURES. count: units in the scope, at least one ranked"""
    top = ranking.units[:TOP]
    lexical = ranking.arms[0].raw[top] / max((K1 + 1) * ranking.idf_sum, 1e-9)
    dense = ranking.arms[-1].raw[top] if len(ranking.arms) > 1 else np.zeros(1, np.float32)
    return [
        float(lexical[0]),
        float(lexical.max()),
        ranking.words_known / max(1, ranking.words_asked),
        float(dense[0]),
        float(dense.max()),
        float(ranking.scores[0]),
        float(ranking.scores[0] - ranking.scores[: len(top)][-1]),
        log(1 + count),
        log(1 + ranking.words_known),
    ]


def of(ranking: Ranking, count: int, setting: str) -> float:
    """P(evidence among the ten best) [0..1]; 0 of an empty memory. A setting of the user's own takes lite's weights."""
    if not len(ranking.units):
        return 0.0
    intercept, *weights = WEIGHTS.get(setting, WEIGHTS["lite"])
    logit = intercept + sum(weight * value for weight, value in zip(weights, features(ranking, count), strict=True))
    return 1 / (1 + exp(-max(-30.0, min(30.0, logit))))
