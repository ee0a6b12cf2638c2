"""JSON read piece by piece: a long list is never held whole, and what stands before an error comes out."""

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from memspan.core.errors import MalformedFile
from memspan.core.records import Json
from memspan.text.read import _characters
from memspan.text.read._source import Source

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_GROW_CHARS = 65_536
_LONGEST_WORD = 16  # "-Infinity", "\ud83d\ude00": an error this close to the end may be a cut-off word
_PART = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.S)


def items(source: Source) -> Iterator[tuple[int, Json]]:
    """(line, value): the elements of a top-level list, the lines of JSONL, or the one document there is.

    Raises MalformedFile where the text stops being JSON.
    """
    start = _characters.head(source).lstrip()
    if start.startswith("["):
        return _elements(_Window(source))
    first, newline, _ = start.partition("\n")
    if newline and not _is_json(first):
        return _document(_Window(source))
    return _by_line(source)


def keys(head: str) -> set[str]:
    """The keys of the first object in a JSON text that may be cut off: itself, or the first of its list.

    >>> sorted(keys('[{"role": "user", "content": {"parts": ["he'))
    ['content', 'role']
    """
    found, depth, word = set[str](), 0, ""
    for match in _PART.finditer(head):
        part = match.group()
        if part == "{" or (part == "[" and depth):  # a list around the first object does not count
            depth += 1
        elif part in "}]":
            depth -= 1
            if depth <= 0:
                break
        elif part == ":" and depth == 1:
            found.add(word)
        word = part[1:-1] if part.startswith('"') else ""
    return found


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _by_line(source: Source) -> Iterator[tuple[int, Json]]:
    for number, line in _characters.lines(source):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as bad:
                raise MalformedFile(source.name, number, _why(bad)) from None
            yield number, value


def _document(window: "_Window") -> Iterator[tuple[int, Json]]:
    yield window.value()
    if char := window.char():
        raise window.error(f"{char!r} after the end of the document")


def _elements(window: "_Window") -> Iterator[tuple[int, Json]]:
    window.char()
    window.skip_to(window.at + 1)
    while (char := window.char()) != "]":
        if not char:
            raise window.error("the list is not closed; the file may be cut off")
        yield window.value()
        if window.char() == ",":
            window.skip_to(window.at + 1)
        elif window.char() != "]":
            raise window.error("expected ',' or ']' after an element of the list")
    window.skip_to(window.at + 1)
    if char := window.char():
        raise window.error(f"{char!r} after the end of the list")


class _Window:
    """The part of a JSON text that is being looked at. at: where in `text`;  line: the line of that place."""

    def __init__(self, source: Source) -> None:
        self.name, self.line, self.text, self.at = source.name, 1, "", 0
        self._chunks = _characters.chunks(source)
        self._broken: MalformedFile | None = None

    def char(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            if match := _SPACE.match(self.text, self.at):
                self.skip_to(match.end())
            if self.at < len(self.text) or not self._grow():
                return self.text[self.at : self.at + 1]

    def value(self) -> tuple[int, Json]:
        """(line, value) of what stands next."""
        self.char()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except JSONDecodeError as bad:
                if not (self._may_be_cut_off(bad) and self._grow()):
                    raise self.error(_why(bad), bad.pos) from None
            except (ValueError, RecursionError) as bad:
                raise self.error(_why(bad)) from None
            else:
                line = self.line
                self.skip_to(end)
                return line, value

    def skip_to(self, at: int) -> None:
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def error(self, why: str, at: int | None = None) -> MalformedFile:
        lines = self.text.count("\n", self.at, at) if at is not None else 0
        return MalformedFile(self.name, self.line + lines, why)

    def _may_be_cut_off(self, bad: JSONDecodeError) -> bool:
        return bad.msg.startswith("Unterminated string") or bad.pos >= len(self.text) - _LONGEST_WORD

    def _grow(self) -> bool:
        """Take in about as much again; False at the end. An error in the bytes waits until all before it is used."""
        if self._broken:
            raise self._broken
        self.text, self.at = self.text[self.at :], 0
        more, want = list[str](), max(_GROW_CHARS, len(self.text))
        try:
            while want > 0 and (chunk := next(self._chunks, None)) is not None:
                more.append(chunk)
                want -= len(chunk)
        except MalformedFile as broken:
            self._broken = broken
        self.text += "".join(more)
        return bool(more) or self._broken is not None


def _why(bad: Any) -> str:  # Any: the three kinds of error that json raises
    if isinstance(bad, JSONDecodeError):
        return f"not JSON: {bad.msg} at column {bad.colno}"
    return "nested too deeply" if isinstance(bad, RecursionError) else f"not JSON we can hold: {bad}"
