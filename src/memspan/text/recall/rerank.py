"""Reading the best candidates again, with a model that knows word order: recall with quality="high".

The first stage fetches nearly all of the evidence; what it lacks is order. Two figures are added to its sum, each as
z-scores over the candidates: the cosine of the text's vector (with its neighbours', as in the index), which knows what
a turn is about, and late interaction, which sees the one sentence that answers: each token of the question is compared
with every token of the text and of the turns around it and keeps its best. Of long texts something is taken off.
docs/decisions/0010-reranker.md tells what was measured.

Source: Khattab and Zaharia 2020, "ColBERT: Efficient and Effective Passage Search via Contextualized Late Interaction
over BERT", arXiv:2004.12832 (late interaction).
Ours differs: the token vectors are the last layer of a model fitted for sentences; a question's token counts by how few
of the candidates have it, a likeness counts squared, and tokens of the turns around count a little less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memspan.text.embed.onnx import Read
from memspan.text.index.readings import Model, Readings
from memspan.text.recall.advice import kind, without

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

NAME = "reranker"
"""The key of its arm in `Hit.why`."""
MOST, LEAST = 100, 50
"""How many are read at most; and at least, however long they are."""
CHARS = 10_000
"""Characters to be read, past LEAST: about .4 s on one core where none of it was read lately."""
LONGEST = 1024
"""Characters of one text that count: the model reads no more of it."""
BRIDGE = 6.0
"""Setting.bridge when the best units have been read again: what they mention can be trusted further."""
VECTOR, WORDS = 0.5, 0.6
LENGTH, SHORT = 0.5, 64
"""A text of more than SHORT tokens loses LENGTH * ln(tokens / SHORT): of many some are always like the question's."""
ADVICE, DATED = 3.0, 0.5
"""The vector counts three times where advice is sought: a liking shares its topic with the question, hardly a word.
Vector and words count half where the question names a time: then the time has chosen, and evidence is also what stands
around it in other words."""
BESIDE = (0.3, 0.3, 0.15, 0.15, 0.075, 0.075)
"""How much of the vectors of the turns around counts: the one before, after, the second before, ..."""
BEHIND = (0.04, 0.04, 0.08, 0.08, 0.12, 0.12)
"""How much less the likeness of their tokens counts."""


def how_many(chars: NDArray[np.int32]) -> int:
    """How many candidates are read. chars: their lengths, best first [characters]

    >>> [how_many(np.full(200, length)) for length in (60, 150, 9000)]
    [100, 66, 50]
    """
    some = np.cumsum(np.minimum(chars[:MOST], LONGEST))
    return min(len(some), max(LEAST, int(np.searchsorted(some, CHARS, side="right"))))


@dataclass(frozen=True, slots=True)
class Line:
    """How one question scores what is read, drawn through its candidates: a record then counts as a turn would.

    vector: the question's, (384,);  tokens: (n, 384);  shares: how much each token counts, they add up to 1
    weights: of the figures;  means, stds: theirs over the candidates
    """

    vector: Floats
    tokens: Floats
    shares: Floats
    weights: tuple[float, ...]
    means: tuple[float, ...] = (0.0, 0.0, 0.0)
    stds: tuple[float, ...] = (1.0, 1.0, 1.0)

    def figures(self, reads: Sequence[Read], beside: Places) -> tuple[Floats, ...]:
        """Cosine, late interaction and ln(tokens / SHORT) of each text, (texts,) each.

        beside: (texts, 6) places among the texts of the turn before, after, the second before, ...; -1 = not there
        """
        rows = own = np.array([one.vector for one in reads])
        starts = np.cumsum([0, *(len(one.tokens) for one in reads[:-1])])
        likeness = self.tokens @ np.concatenate([one.tokens for one in reads]).astype(np.float32).T
        best = own_best = np.maximum.reduceat(likeness, starts, axis=1)
        for near, share, less in zip(beside.T, BESIDE, BEHIND, strict=True):
            rows = rows + np.where(near[:, None] < 0, np.float32(0), np.float32(share) * own[near])
            best = np.maximum(best, np.where(near < 0, np.float32(0), own_best[:, near] - np.float32(less)))
        cosines = (rows @ self.vector) / np.maximum(np.linalg.norm(rows, axis=1), np.float32(1e-9))
        lengths = np.array([max(len(one.tokens), SHORT) for one in reads], np.float32)
        return cosines, self.shares @ np.square(np.maximum(best, 0)), np.log(lengths / SHORT)

    def raw(self, figures: Sequence[Floats]) -> Floats:
        """What the reranker adds to the sum of each text, (texts,)."""
        parts = zip(figures, self.weights, self.means, self.stds, strict=True)
        total: Floats = sum(
            (np.float32(weight / std) * (figure - np.float32(mean)) for figure, weight, mean, std in parts),
            np.zeros(len(figures[0]), np.float32),
        )
        return total


@dataclass(frozen=True, slots=True)
class Reranked:
    """What the reranker said of the candidates of a question, and would say of others.

    raw: of each candidate, (candidates,)
    """

    raw: Floats
    _line: Line
    _model: Model
    _readings: Readings

    @property
    def floor(self) -> float:
        """What is not read counts as the worst that was."""
        return float(self.raw.min())

    def of(self, texts: Sequence[str]) -> Floats:
        """What it says of texts that stand alone, (texts,)."""
        if not texts:
            return np.empty(0, np.float32)
        reads = self._readings.of(texts, self._model)
        return self._line.raw(self._line.figures(reads, np.full((len(texts), len(BESIDE)), -1)))


class Reranker:
    """Scores candidates anew for a question.

    model: what reads them;  vector: whether the cosine counts; not where it is an arm of the first stage already
    """

    def __init__(self, model: Model, *, vector: bool = True) -> None:
        self._model, self._vector = model, vector

    @cached_property
    def _kind(self) -> Floats:
        return kind(self._model)

    def candidates(
        self, question: str, texts: Sequence[str], beside: Places, readings: Readings, *, advice: bool, dated: bool
    ) -> Reranked:
        """What it says of the candidates.

        texts: of the candidates, at least one, each with its speaker;  beside: as in `Line.figures`
        readings: what was read before;  advice, dated: whether the question seeks advice, names a time
        """
        asked = self._model.read([question])[0]
        reads = readings.of(texts, self._model)
        vector = without(asked.vector, self._kind) if advice else asked.vector
        line = Line(
            vector,
            asked.tokens.astype(np.float32),
            _shares(asked.pieces, reads),
            self._weights(advice=advice, dated=dated),
        )
        figures = line.figures(reads, beside)
        cosines, words, _ = figures
        means = (float(cosines.mean()), float(words.mean()), 0.0)
        line = replace(line, means=means, stds=(_spread(cosines), _spread(words), 1.0))
        return Reranked(line.raw(figures), line, self._model, readings)

    def _weights(self, *, advice: bool, dated: bool) -> tuple[float, ...]:
        vector = VECTOR if self._vector else 0.0
        if advice:
            return ADVICE * vector, WORDS, -LENGTH
        return (DATED * vector, DATED * WORDS, -LENGTH) if dated else (vector, WORDS, -LENGTH)


def _shares(pieces: NDArray[np.int32], reads: Sequence[Read]) -> Floats:
    """How much each token of a question counts: the fewer candidates have it, the more; [CLS] and [SEP] nothing."""
    having = sum((np.isin(pieces, one.pieces) for one in reads), np.zeros(len(pieces)))
    idf = np.maximum(np.log((len(reads) + 1) / (having + 0.5)), 0)
    idf[[0, -1]] = 0
    if not idf.any():
        idf[:] = 1
    shares: Floats = (idf / idf.sum()).astype(np.float32)
    return shares


def _spread(figure: Floats) -> float:
    """The standard deviation; infinite where all are the same, so that the figure says nothing."""
    spread = float(figure.std())
    return spread if spread > 1e-6 else float("inf")
