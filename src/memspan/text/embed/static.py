"""Static: the vector of a text is the sum of its word pieces' rows in a fitted table.

Source: Minish 2024, "Model2Vec: Fast State-of-the-Art Static Embeddings"; the teacher is Wang et al. 2020, "MiniLM",
arXiv:2002.10957; the frequency weight goes back to Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for
Sentence Embeddings".
Ours differs: after the distillation the rows are fitted to the teacher's similarities of whole texts, and the weight is
idf^.25 of the training text, baked into the rows, so that a stored vector never goes stale
(`tools/distill_static.py`, docs/decisions/0003-static-embedder.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from memspan.core.card import Card
from memspan.text.embed.wordpiece import WordPiece

Floats = NDArray[np.float32]
BULK_PIECES = 1024
"""Word pieces summed at a time: their rows stay in the processor's cache."""
_UNREAD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts written without spaces: the table was fitted to English, and what it says of these is noise."""


class Table:
    """The rows of every word piece.

    rows: (pieces, dim) int8; the row of "[UNK]" is zero
    scales: (pieces,) float32; the vector of piece t is scales[t] * rows[t]
    tokenizer: from a text to row numbers
    """

    def __init__(self, rows: NDArray[np.int8], scales: Floats, pieces: Sequence[str]) -> None:
        self.rows, self.scales = rows, scales
        self.tokenizer = WordPiece(pieces)

    def sums(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Sum of the pieces' vectors of each text, (len(texts), dim); no text may be empty."""
        ids = np.fromiter(chain.from_iterable(texts), np.intp)
        rows = self.rows.take(ids, axis=0).astype(np.float32)
        rows *= self.scales.take(ids)[:, None]
        return np.add.reduceat(rows, [0, *accumulate(map(len, texts[:-1]))], axis=0)

    def long_sum(self, text: Sequence[int]) -> Floats:
        """The same sum for one long text, (dim,): every different piece is fetched once."""
        ids, counts = np.unique(np.asarray(text, np.intp), return_counts=True)
        weights: Floats = self.scales.take(ids) * counts.astype(np.float32)
        total: Floats = weights @ self.rows.take(ids, axis=0).astype(np.float32)
        return total


@cache
def facts() -> dict[str, object]:
    """What the shipped table was made of, and by which settings."""
    found: dict[str, object] = json.loads((files(__package__) / "data" / "static.json").read_text("utf-8"))
    return found


@cache
def shipped() -> Table:
    """The shipped table, read once."""
    data = files(__package__) / "data"
    pieces = (data / "static-vocabulary.txt").read_text("utf-8").split("\n")[:-1]
    with (data / "static-rows.npy").open("rb") as rows, (data / "static-scales.npy").open("rb") as scales:
        return Table(np.load(rows), np.load(scales).astype(np.float32), pieces)


class Static:
    """Unit vectors of 256 numbers from the shipped table; no model runs. The table is read at the first text.

    The whole text counts, however long: the order of its words does not.

    >>> vectors = Static().embed(["my dog is ill", "the puppy needs a vet", "quarterly tax forms"])
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2)
    True
    """

    card = Card(
        title="Static table of word-piece vectors, fitted to all-MiniLM-L6-v2",
        source="Model2Vec, Minish Lab 2024; fitted by tools/distill_static.py",
        year=2024,
        claims=("no model runs; tens of microseconds a text",),
        failures=("Chinese and other scripts without spaces are left to the words", "negation and word order"),
    )
    name = "static"
    dim = 256
    neighbour_weight = 0.3
    remove_common = True

    def __init__(self) -> None:
        self.fingerprint = f"static:{str(facts()['table_sha256'])[:16]}:1"

    def __repr__(self) -> str:
        return "Static()"

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit rows, (len(texts), dim) float32; zeros for a text without a known piece or mostly in CJK or the like."""
        table = shipped()
        ids = [() if unread(text) else table.tokenizer.encode(text) for text in texts]
        out = np.zeros((len(ids), self.dim), np.float32)
        for places in _batches(ids):
            group = [ids[place] for place in places]
            out[places] = table.long_sum(group[0]) if len(group[0]) > BULK_PIECES else table.sums(group)
        return _unit(out)


def unread(text: str) -> bool:
    """Whether a text is mostly in a script that models of English know nothing of.

    >>> unread("Where does Ana live?"), unread("\u5979\u4f4f\u5728\u54ea\u91cc?")
    (False, True)
    """
    return not text.isascii() and 2 * len(_UNREAD.findall(text)) > len(text)


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of the texts to sum together: up to BULK_PIECES, or one long text; empty texts are in none."""
    batch: list[int] = []
    pieces = 0
    for place, text in enumerate(ids):
        if pieces + len(text) > BULK_PIECES and batch:
            yield batch
            batch, pieces = [], 0
        if text:
            batch.append(place)
            pieces += len(text)
    if batch:
        yield batch


def _unit(rows: Floats) -> Floats:
    """Rows of length 1, in place; zero rows stay zero."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    np.divide(rows, lengths, out=rows, where=lengths > 0)
    return rows


METHOD = Static
