"""A file being read in: its bytes, once and in order, and how errors name it."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from memspan.core.errors import MalformedFile, UsageError
from memspan.core.protocols import Progress
from memspan.core.records import Turn

HEAD_BYTES = 65_536  # what the format is recognised by
BLOCK_BYTES = 65_536

# first bytes -> what to do about a file that is not text
_NOT_TEXT = {
    b"%PDF-": "is a PDF; convert it to text first",
    b"SQLite format 3\0": "is a database, not a conversation; `memspan export` makes JSONL of a memory file",
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"\x89PNG": "is a picture",
}
_ZIP = b"PK\x03\x04"
# what zipfile raises: broken, cut off, encrypted, packed by a method unknown here
_UNPACKING = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


class Source:
    """A file being read in.

    name: how errors call it;  stem: the session it stands for where nothing else says one
    suffix: its ending, lower case, a hint at the format;  total: its size [bytes], 0 = not known
    progress: called with (bytes read, total)
    """

    def __init__(self, stream: BinaryIO, name: str, *, total: int = 0, progress: Progress | None = None) -> None:
        path = PurePath(name)
        self.name, self.stem, self.suffix = name, path.stem, path.suffix.lower()
        self.total, self._stream, self._progress = total, stream, progress
        self._ahead: bytes | None = None
        self._done, self._lines = 0, 1

    def head(self) -> bytes:
        """The first bytes, at most HEAD_BYTES; they are still there to be read."""
        if self._ahead is None:
            self._ahead = self._bytes(HEAD_BYTES)
            self._refuse_what_is_not_text(self._ahead)
        return self._ahead

    def blocks(self) -> Iterator[bytes]:
        """All bytes, block by block."""
        block = self.head()
        while block:
            self._done += len(block)
            if self._progress:
                self._progress(self._done, self.total)
            yield block
            self._lines += block.count(b"\n")
            block = self._bytes(BLOCK_BYTES)

    def turn(self, line: int, text: str, **fields: Any) -> Turn:  # Any: what the file holds; Turn checks it
        """A turn found at that line. Raises MalformedFile where it cannot be stored."""
        try:
            return Turn(text, **fields)
        except UsageError as why:
            raise MalformedFile(self.name, line, str(why)) from why

    def _bytes(self, most: int) -> bytes:
        try:
            return self._stream.read(most)
        except _UNPACKING as why:
            raise MalformedFile(self.name, self._lines, f"a zip that cannot be unpacked ({why})") from why

    def _refuse_what_is_not_text(self, head: bytes) -> None:
        for magic, why in _NOT_TEXT.items():
            if head.startswith(magic):
                raise MalformedFile(self.name, 1, why)


@contextmanager
def opened(what: str | Path | BinaryIO, progress: Progress | None = None) -> Iterator[Iterator[Source]]:
    """The sources behind a path: one for a file, one a `conversations*.json` for a zip."""
    if not isinstance(what, (str, Path)):
        yield iter((Source(what, _stream_name(what), progress=progress),))
        return
    with open(what, "rb") as stream:
        if stream.peek(4)[:4] == _ZIP:
            yield _members(stream, str(what), progress)
        else:
            yield iter((Source(stream, str(what), total=Path(what).stat().st_size, progress=progress),))


def _stream_name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", "")
    return name.strip("<>") if isinstance(name, str) and name else "stream"


def _members(stream: BinaryIO, name: str, progress: Progress | None) -> Iterator[Source]:
    """The conversation files inside a zip, in the order of their names."""
    try:
        with zipfile.ZipFile(stream) as archive:
            infos = [info for info in archive.infolist() if _is_conversations(info.filename)]
            if not infos:
                raise MalformedFile(name, 1, "a zip without conversations.json; unpack it and give the file")
            for info in sorted(infos, key=lambda info: info.filename):
                with archive.open(info) as member:
                    inner = f"{name}/{info.filename}"
                    yield Source(member, inner, total=info.file_size, progress=progress)  # type: ignore[arg-type]
    except _UNPACKING as why:
        raise MalformedFile(name, 1, f"a zip that cannot be unpacked ({why})") from why


def _is_conversations(name: str) -> bool:
    path = PurePath(name)
    return path.name.startswith("conversations") and path.suffix == ".json"
