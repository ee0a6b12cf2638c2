"""How likely the answer is in memory."""

from memspan.text.recall.rank import Ranking


def of(ranking: Ranking, count: int) -> float:
    """P(the answer is in memory) [0..1]; 0 of an empty memory. count: units in the scope"""
    return 0.0 if not count else 0.5
