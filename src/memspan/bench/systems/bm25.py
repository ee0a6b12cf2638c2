"""BM25 over single turns, exact, with the engine's own words.

Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", section 3.4.
k1 1.2, b .75.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan.bench.systems._ranked import Ranked, keyed
from memspan.core.records import Turn
from memspan.text.index.words import words

K1 = 1.2
B = 0.75


class BM25(Ranked):
    """Postings in memory; nothing on disk."""

    title = "BM25"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._units: dict[str, array[int]] = defaultdict(lambda: array("i"))
        self._counts: dict[str, array[float]] = defaultdict(lambda: array("f"))
        self._lengths = array("f")

    def remember(self, turns: Sequence[Turn]) -> None:
        """Add the turns to the postings."""
        for turn in turns:
            found = words(keyed(turn))
            for word, count in Counter(found).items():
                self._units[word].append(len(self.ids))
                self._counts[word].append(count)
            self._lengths.append(len(found))
            self.keep(turn)

    def scores(self, question: str) -> NDArray[np.floating]:
        """Sum over the distinct words of the question of idf * tf (k1 + 1) / (tf + k1 (1 - b + b L / avgL))."""
        scores = np.zeros(len(self.ids))
        lengths = np.frombuffer(self._lengths, np.float32)
        norms = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1e-9)) if len(lengths) else lengths
        for word in dict.fromkeys(words(question)):
            if word in self._units:
                units = np.frombuffer(self._units[word], np.int32)
                counts = np.frombuffer(self._counts[word], np.float32)
                idf = np.log1p((len(scores) - len(units) + 0.5) / (len(units) + 0.5))
                scores[units] += idf * counts * (K1 + 1) / (counts + norms[units])
        return scores


SYSTEM = BM25
