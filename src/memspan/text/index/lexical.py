"""BM25F over neighbouring turns, on postings in memory.

Each turn is scored with the words of its neighbours in the session added, every neighbour normalised by its *own*
length first: a plain window with one length norm gains on small talk and loses 5 to 18 points where the neighbour is
a thousand-word answer.
All statistics (how many turns, how long, how often a word) are those of one scope, so that one scope's scores never
tell what words another uses; SQLite's own bm25() is table-wide.

Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", sections 3.4 (BM25) and
3.5 (fields).
Ours differs: the fields of a turn are the neighbouring turns, with weights that fall with distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from memspan.text.index.columns import Column
from memspan.text.index.words import BAG

B = 0.9
K1 = 1.2
KAPPA = (1.0, 0.3, 0.15, 0.075)
REACH = len(KAPPA) - 1
MAX_QUERY_WORDS = 64

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Segment:
    """Postings of a run of turns, by word. words: ascending (n,);  starts: (n + 1,);  units, counts: (postings,)"""

    words: NDArray[np.uint32]
    starts: NDArray[np.int64]
    units: Ints
    counts: NDArray[np.uint8]

    def find(self, word: int) -> slice:
        place = int(np.searchsorted(self.words, np.uint32(word)))
        if place == len(self.words) or self.words[place] != word:
            return slice(0, 0)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))


class Lexical:
    """Postings of one scope; units are numbered 1, 2, ... in the order they were added, 0 is nobody."""

    def __init__(self) -> None:
        self.lengths = Column(np.float32)
        self.lengths.append(np.zeros(1, np.float32))
        self.count = 0
        self.total_length = 0.0
        self._segments: list[Segment] = []
        self._tail: list[tuple[NDArray[np.uint32], Ints, NDArray[np.uint8]]] = []
        self._scratch: Floats = np.zeros(1, np.float32)

    def add(self, bags: Sequence[bytes]) -> None:
        """Append units, one bag each (see words.bag)."""
        entries = np.frombuffer(b"".join(bags), BAG)
        sizes = np.fromiter((len(packed) // BAG.itemsize for packed in bags), np.int64, count=len(bags))
        counts = entries["count"].copy()
        numbers = np.arange(self.count + 1, self.count + 1 + len(bags), dtype=np.int32)
        self._tail.append((entries["word"].astype(np.uint32), np.repeat(numbers, sizes), counts))
        self.lengths.append(_sums(counts, sizes))
        self.count += len(bags)
        self.total_length += float(counts.sum(dtype=np.int64))

    def _seal(self) -> None:
        """Turn the tail into a segment, then merge while the last is more than half as large as the one before."""
        if self._tail:
            words, units, counts = (np.concatenate(parts) for parts in zip(*self._tail, strict=True))
            self._segments.append(_by_word(words, units, counts))
            self._tail = []
        while len(self._segments) > 1 and len(self._segments[-2].units) < 2 * len(self._segments[-1].units):
            last, before = self._segments.pop(), self._segments.pop()
            self._segments.append(_merge(before, last))

    def _postings_of(self, word: int) -> tuple[Ints, NDArray[np.uint8]]:
        """(units, counts) of a word, ascending by unit; empty where the scope lacks it."""
        found = [(segment, place) for segment in self._segments if (place := segment.find(word)).stop]
        if len(found) == 1:
            segment, place = found[0]
            return segment.units[place], segment.counts[place]
        return (
            np.concatenate([np.empty(0, np.int32), *(segment.units[place] for segment, place in found)]),
            np.concatenate([np.empty(0, np.uint8), *(segment.counts[place] for segment, place in found)]),
        )

    def holding(self, words: NDArray[np.uint32]) -> Ints:
        """Units that hold every one of these words, ascending; no words, no units."""
        self._seal()
        found = [self._postings_of(int(word))[0] for word in words]
        return reduce(np.intersect1d, found) if found else np.empty(0, np.int32)

    def query(self, words: NDArray[np.uint32]) -> "Query":
        """A question against this index; the rarest MAX_QUERY_WORDS words of it count."""
        self._seal()
        known = [posting for word in words if len((posting := self._postings_of(int(word)))[0])]
        if len(known) > MAX_QUERY_WORDS:
            known = sorted(known, key=lambda posting: len(posting[0]))[:MAX_QUERY_WORDS]
        return Query(self, known)

    def frequency(self, word: int) -> int:
        """How many units have the word."""
        places = [segment.find(word) for segment in self._segments]
        return sum(place.stop - place.start for place in places)

    def beside(self, guests: "Lexical", words: NDArray[np.uint32]) -> tuple[Floats, list[float]]:
        """BM25 of units of another index as if they stood in this one, whose own scores they leave as they are.

        Average length and number of units are those of this index. A word is as rare as it is here, or as it is here
        and there together where that is more frequent.
        Returns the scores, (guests.count + 1,) float32, and the idf of each word that only the guests have.
        """
        self._seal()
        guests._seal()
        scores, only = np.zeros(guests.count + 1, np.float32), list[float]()
        there = ((word, *guests._postings_of(word)) for word in words.tolist())
        found = [(self.frequency(word), units, counts) for word, units, counts in there if len(units)]
        rarest = sorted(found, key=lambda posting: posting[0]) if len(found) > MAX_QUERY_WORDS else found
        for here, units, counts in rarest[:MAX_QUERY_WORDS]:
            pooled = self.count * (here + len(units)) / (self.count + guests.count)
            idf = np.float32(_idf(self.count, max(here, pooled)))
            weights = self._weights(guests.lengths.view[units], counts)
            scores[units] += idf * np.float32(K1 + 1) * weights / (np.float32(K1) + weights)
            if not here:
                only.append(float(idf))
        return scores, only

    def normalised(self, units: Ints, counts: NDArray[np.uint8]) -> Floats:
        """tf~ = tf / (1 - b + b L / avgL), (postings,) float32."""
        return self._weights(self.lengths.view[units], counts)

    def _weights(self, lengths: Floats, counts: NDArray[np.uint8]) -> Floats:
        average = self.total_length / max(1, self.count)
        norms: Floats = np.float32(1 - B) + np.float32(B / max(average, 1e-9)) * lengths
        return counts.astype(np.float32) / norms

    def scratch(self) -> Floats:
        """Zeros, (count + 1,); whoever uses it leaves zeros behind."""
        if len(self._scratch) <= self.count:
            self._scratch = np.zeros(max(1024, 2 * (self.count + 1)), np.float32)
        return self._scratch


class Query:
    """One question's words found in one index."""

    def __init__(self, index: Lexical, found: list[tuple[Ints, NDArray[np.uint8]]]) -> None:
        self.index = index
        self.units = [units for units, _ in found]
        self.weights = [index.normalised(units, counts) for units, counts in found]
        self.idf = [np.float32(_idf(index.count, len(units))) for units in self.units]

    @property
    def idf_sum(self) -> float:
        """Sum of idf over the question's words that the scope knows."""
        return float(sum(self.idf))

    def plain(self) -> Floats:
        """BM25 without neighbours, for fetching candidates; (count + 1,) float32."""
        scores = np.zeros(self.index.count + 1, np.float32)
        for units, weights, idf in zip(self.units, self.weights, self.idf, strict=True):
            scores[units] += idf * np.float32(K1 + 1) * weights / (np.float32(K1) + weights)
        return scores

    def exact(self, neighbours: Ints) -> Floats:
        """BM25F with neighbours.

        neighbours: (candidates, 2 REACH + 1) int32, the unit itself first, then -1, +1, -2, +2, ...; 0 = nobody
        Returns (candidates,) float32.
        """
        kappa = np.array([KAPPA[0], *(KAPPA[1 + k // 2] for k in range(2 * REACH))], np.float32)
        scratch = self.index.scratch()
        scores = np.zeros(len(neighbours), np.float32)
        for units, weights, idf in zip(self.units, self.weights, self.idf, strict=True):
            scratch[units] = weights
            added = scratch[neighbours] @ kappa
            scratch[units] = 0
            scores += idf * np.float32(K1 + 1) * added / (np.float32(K1) + added)
        return scores


def _idf(count: int, having: float) -> float:
    return float(np.log1p((count - having + 0.5) / (having + 0.5)))


def _sums(counts: NDArray[np.uint8], sizes: NDArray[np.int64]) -> Floats:
    """Sum of each run of counts, (len(sizes),)."""
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    ends = np.cumsum(sizes)
    sums: Floats = (running[ends] - running[ends - sizes]).astype(np.float32)
    return sums


def _by_word(words: NDArray[np.uint32], units: Ints, counts: NDArray[np.uint8]) -> Segment:
    # word and place in one number: a plain sort of it is stable, and five times faster than a stable argsort
    keys = np.sort((words.astype(np.uint64) << np.uint64(32)) | np.arange(len(words), dtype=np.uint64))
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    words = (keys >> np.uint64(32)).astype(np.uint32)
    distinct, starts = np.unique(words, return_index=True)
    return Segment(distinct, np.append(starts, len(words)).astype(np.int64), units[order], counts[order])


def _merge(one: Segment, other: Segment) -> Segment:
    words = np.concatenate([np.repeat(part.words, np.diff(part.starts)) for part in (one, other)])
    return _by_word(words, np.concatenate([one.units, other.units]), np.concatenate([one.counts, other.counts]))
