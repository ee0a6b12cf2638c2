"""A comparison in words, one rule for the page, the tables and the plots."""

from collections.abc import Mapping
from typing import Any

LEVEL = 0.05
"""The p, adjusted for all planned comparisons, has to be under this."""
BETTER, SAME, WORSE, UNTESTABLE = "better", "no difference shown", "worse", "not testable"
WORDS = (BETTER, SAME, WORSE, UNTESTABLE)


def verdict(pair: Mapping[str, Any]) -> str:
    """What may be said of ours against the other; pair: an entry of "compared"; Any: read back from JSON

    Not testable where even all clusters pointing one way, p = 2 / 2^clusters, would not pass the adjustment.

    >>> verdict({"metric": "R@10", "difference": 0.04, "clusters": 10, "p": 0.002, "p_holm": 0.01})
    'better'
    >>> verdict({"metric": "R@10", "difference": 0.17, "clusters": 7, "p": 0.016, "p_holm": 0.11})
    'not testable'
    """
    if not pair.get("p") or pair.get("p_holm") is None:
        return UNTESTABLE
    if 2.0 ** (1 - pair["clusters"]) * pair["p_holm"] / pair["p"] >= LEVEL:
        return UNTESTABLE
    if pair["p_holm"] >= LEVEL or not pair["difference"]:
        return SAME
    return BETTER if (pair["difference"] > 0) != lower_is_better(pair["metric"]) else WORSE


def lower_is_better(metric: str) -> bool:
    """Whether a figure counts mistakes.

    >>> lower_is_better("stale"), lower_is_better("R@10")
    (True, False)
    """
    return metric.startswith(("stale", "negative"))
