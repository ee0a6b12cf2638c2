"""What the baselines share: they rank all turns, newest first among equals, and pack by the engine's own rule."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from memspan.bench.cases import Ask
from memspan.bench.systems import Kind, Packed
from memspan.core.records import Turn
from memspan.core.tokens import estimate

DEEP = 1000
MOST_SHARE = 0.4
MOST_TOKENS = 160


def keyed(turn: Turn) -> str:
    """The text under which a turn is found and which a context would hold: "speaker: text"."""
    return f"{turn.speaker}: {turn.text}" if turn.speaker else turn.text


def best(scores: NDArray[np.floating], k: int) -> list[int]:
    """Places of the k highest scores above zero, best first, newest first among equals.

    >>> best(np.array([1.0, 0.0, 3.0, 1.0]), k=3)
    [2, 3, 0]
    """
    positive = np.flatnonzero(scores > 0)
    if len(positive) > k:
        floor = np.partition(scores[positive], len(positive) - k)[len(positive) - k]
        positive = positive[scores[positive] >= floor]
    order = np.lexsort((-positive, -scores[positive]))
    return [int(place) for place in positive[order][:k]]


def fill(ranking: Iterable[tuple[str, int]], tokens: int) -> Packed:
    """Walk down the ranking; skip what does not fit and what costs more than max(160 tokens, 40 % of the budget).

    ranking: (id, cost [tokens]), best first;  tokens: the budget

    >>> fill([("a", 90), ("b", 300), ("c", 20), ("d", 10)], tokens=100).ranked
    ('a', 'd')
    """
    room, most, chosen = tokens, max(MOST_TOKENS, MOST_SHARE * tokens), []
    for name, cost in ranking:
        if cost <= min(room, most):
            chosen.append(name)
            room -= cost
    return Packed(tuple(chosen), tokens=tokens - room)


class Ranked:
    """The half of a baseline that does not depend on how it scores."""

    title = ""
    kind: Kind = "baseline"
    vectors = False

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.costs: list[int] = []

    def remember(self, turns: Sequence[Turn]) -> None:
        """Take in turns."""
        raise NotImplementedError

    def scores(self, question: str) -> NDArray[np.floating]:
        """One score a turn, (turns,); zero or less = not found."""
        raise NotImplementedError

    def keep(self, turn: Turn) -> None:
        self.ids.append(turn.id)
        self.costs.append(estimate(keyed(turn)))

    def recall(self, ask: Ask, k: int) -> list[str]:
        """At most k ids, best first."""
        return [self.ids[place] for place in best(self.scores(ask.text), k)]

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """The 1,000 best turns, packed."""
        places = best(self.scores(ask.text), DEEP)
        return fill(((self.ids[place], self.costs[place]) for place in places), tokens)

    def elsewhere(self, ask: Ask) -> list[str]:
        """Nothing: an object holds one scope."""
        return []

    def bytes_on_disk(self) -> int:
        return 0

    def close(self) -> None:
        pass


class Cosine(Ranked):
    """One vector a turn, in memory; whoever embeds says so."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[NDArray[np.float32]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows, (len(texts), dim)."""
        raise NotImplementedError

    def remember(self, turns: Sequence[Turn]) -> None:
        """Embed the turns."""
        if turns:
            self._blocks.append(self.embed([keyed(turn) for turn in turns]))
        for turn in turns:
            self.keep(turn)

    def scores(self, question: str) -> NDArray[np.floating]:
        """Cosine plus one, so that every turn is found."""
        if not self._blocks:
            return np.zeros(0)
        self._blocks = [np.concatenate(self._blocks)] if len(self._blocks) > 1 else self._blocks
        scores: NDArray[np.floating] = self._blocks[0] @ self.embed([question])[0] + 1
        return scores
