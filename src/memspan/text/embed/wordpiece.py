"""WordPiece: split a text into the word pieces that uncased BERT knows, in plain Python.

Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", arXiv:1810.04805, section 3;
the greedy longest match is Wu et al. 2016, arXiv:1609.08144, section 4.1.
Ours differs: words are cached, and "[SEP]" or "[MASK]" in a text are ordinary characters, so no text can smuggle in a
control token. Otherwise the ids equal those of the `tokenizers` library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from unicodedata import normalize

from memspan.text.embed._characters import GONE, IDEOGRAPHS, MARKS, PUNCTUATION, within

WORD_CHARACTERS = 100
"""Longer words become one unknown piece, as in BERT."""
CACHED_CHARACTERS = 48
"""Longer chunks are not cached: they hardly come twice."""
_SPLITS_IN_PYTHON_ONLY = re.compile("[\x0b\x0c\x1c-\x1f\x85]")
"""`str.split` cuts here, BERT deletes these."""


class _Table(dict[int, str]):
    """A table for `str.translate` that works out each character when it first comes, and keeps the common plane's.

    gone, apart: tests of code points: removed; made a word of its own. The rest stays as it is.
    """

    def __init__(self, gone: str, apart: str, other: dict[int, str]) -> None:
        super().__init__(other)
        self.gone, self.apart = within(gone), within(apart)

    def __missing__(self, point: int) -> str:
        text = "" if self.gone(point) else f" {chr(point)} " if self.apart(point) else chr(point)
        if point < 0x10000:
            self[point] = text
        return text


def _cleaning() -> _Table:
    """Before decomposition: control characters and lone surrogates go, ideographs stand alone."""
    return _Table(GONE, IDEOGRAPHS, dict.fromkeys(range(0xD800, 0xE000), ""))


def _parting() -> _Table:
    """After it: accents go, punctuation stands alone; a capital sigma has one small form wherever it stands."""
    return _Table(MARKS, PUNCTUATION, {0x3A3: "\u03c3"})


class WordPiece(dict[str, tuple[int, ...]]):
    """Ids of the word pieces of a text; the instance is its own cache, from a chunk between spaces to its ids.

    pieces: the vocabulary in the order of the ids; a piece that continues a word opens with "##"; holds "[UNK]"
    limit: how many chunks the cache may hold before it is emptied, >= 1

    >>> tokenizer = WordPiece(["[UNK]", "lis", "##bon", "!"])
    >>> tokenizer.encode("Lisbon! Porto")
    [1, 2, 3, 0]
    """

    def __init__(self, pieces: Sequence[str], limit: int = 65_536) -> None:
        super().__init__()
        self.ids = {piece: number for number, piece in enumerate(pieces)}
        self.unknown = (self.ids["[UNK]"],)
        self.limit = limit
        self.longest = max(map(len, pieces))
        self._clean: _Table | None = None
        self._part: _Table | None = None

    def encode(self, text: str) -> list[int]:
        """Ids of the text's pieces in order, without [CLS] and [SEP]; an unknown word is the id of "[UNK]"."""
        if not text.isprintable():
            text = _SPLITS_IN_PYTHON_ONLY.sub("", text)
        return list(chain.from_iterable(map(self.__getitem__, text.split())))

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        found = tuple(chain.from_iterable(map(self._pieces, self.words(chunk))))
        if len(chunk) <= CACHED_CHARACTERS:
            if len(self) >= self.limit:
                self.clear()
            self[chunk] = found
        return found

    def words(self, chunk: str) -> list[str]:
        """The words that BERT sees in a text: lower case, no accents, punctuation and ideographs apart.

        >>> WordPiece(["[UNK]"]).words("Caf\u00e9's")
        ['cafe', "'", 's']
        """
        if self._clean is None or self._part is None:
            self._clean, self._part = _cleaning(), _parting()
        plain = chunk if chunk.isascii() and chunk.isprintable() else normalize("NFD", chunk.translate(self._clean))
        return plain.translate(self._part).lower().split()

    def _pieces(self, word: str) -> tuple[int, ...]:
        """Greedy longest match from the left; the whole word is unknown where a rest matches nothing."""
        if (whole := self.ids.get(word)) is not None:
            return (whole,)
        if len(word) > WORD_CHARACTERS:
            return self.unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            piece, start = self._longest(word, start)
            if piece is None:
                return self.unknown
            found.append(piece)
        return tuple(found)

    def _longest(self, word: str, start: int) -> tuple[int | None, int]:
        """The longest piece that begins at `start`, and where it ends."""
        mark = "##" if start else ""
        for end in range(min(len(word), start + self.longest), start, -1):
            piece = self.ids.get(mark + word[start:end])
            if piece is not None:
                return piece, end
        return None, start
