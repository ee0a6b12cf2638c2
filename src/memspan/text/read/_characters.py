"""Bytes to characters: UTF-8, or UTF-16 and UTF-32 with a byte order mark; errors name the line."""

import codecs
from collections.abc import Iterator
from itertools import chain

from memspan.core.errors import MalformedFile
from memspan.text.read._source import Source

# longest first: the mark of UTF-32-LE begins with that of UTF-16-LE
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding(head: bytes) -> tuple[str, int]:
    """The encoding a file declares, and how many bytes its mark takes.

    >>> encoding(b"plain")
    ('utf-8', 0)
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return "utf-8", 0


def head(source: Source) -> str:
    """The first characters, good enough to recognise a format by."""
    raw = source.head()
    name, mark = encoding(raw)
    return raw[mark:].decode(name, errors="ignore")


def chunks(source: Source) -> Iterator[str]:
    """All characters, chunk by chunk.

    Raises MalformedFile at the first byte that is no character, or NUL; what precedes it was yielded.
    """
    name, mark = encoding(source.head())
    decoder = codecs.getincrementaldecoder(name)()
    line, skip = 1, mark
    for raw in chain(source.blocks(), [b""]):  # the empty one is the end: a character cut off there is an error
        try:
            text, why = decoder.decode(raw[skip:], final=not raw), ""
        except UnicodeDecodeError as bad:
            text = bad.object[: bad.start].decode(name)
            why = f"byte 0x{bad.object[bad.start]:02x} is not {name.upper()} ({bad.reason}); save the file as UTF-8"
        if "\0" in text:
            text = text[: text.index("\0")]
            why = "holds a NUL character; is it a binary file, or UTF-16 without a byte order mark?"
        yield text
        line, skip = line + text.count("\n"), 0
        if why:
            raise MalformedFile(source.name, line, why)


def lines(source: Source) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end). Both LF and CRLF end a line. Raises as `chunks` does."""
    number, parts = 1, list[str]()
    for chunk in chunks(source):
        first, *rest = chunk.split("\n")
        parts.append(first)
        for part in rest:
            yield number, "".join(parts).removesuffix("\r")
            number, parts = number + 1, [part]
    if any(parts):
        yield number, "".join(parts).removesuffix("\r")
