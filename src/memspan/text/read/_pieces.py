"""Cutting long text where it reads best, without losing a character."""

from collections.abc import Iterator

PIECE_CHARS = 2_000

# where to cut, best first; a cut goes behind the mark
_CUTS = ("\n\n", "\n", ". ", "? ", "! ", "。", "！", "？", "; ", ", ", "、", "，", " ")


def split(text: str, most: int = PIECE_CHARS) -> Iterator[str]:
    """Pieces of at most `most` characters; joined they are the text.

    most: [characters], >= 1. A cut is made in the second half of a piece, behind a paragraph if there is one,
    else a line, a sentence, a clause, a word, else anywhere.

    >>> list(split("One two. Three four.", 12))
    ['One two. ', 'Three four.']
    """
    start = 0
    while len(text) - start > most:
        end = _cut(text, start, start + most)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _cut(text: str, start: int, end: int) -> int:
    middle = start + (end - start) // 2
    for mark in _CUTS:
        at = text.rfind(mark, middle, end)
        if at >= 0 and at + len(mark) <= end:
            return at + len(mark)
    return end
