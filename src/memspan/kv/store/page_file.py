"""The file in which coded pages lie: whole records, checked when they are read, and room that is used again."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Any, BinaryIO
from zlib import crc32

import torch
from torch import Tensor

from memspan.core.errors import DiskFull, StoreError, TornPages, UsageError

MAGIC = b"memspanKV1"
_TAIL = Struct("<QI10s")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a record lies. place, size: [bytes];  crc: CRC-32 of its bytes, begun with the page's number"""

    place: int
    size: int
    crc: int


class PageFile:
    """Records of bytes by place; safe to read from one thread while another writes."""

    def __init__(self, path: Path, file: BinaryIO, end: int) -> None:
        self.path, self._file, self._end = path, file, end
        self._free: dict[int, list[int]] = {}
        self._lock = Lock()

    @classmethod
    def create(cls, path: Path) -> PageFile:
        """A new, empty file that only its owner may read. Raises UsageError where the path is taken."""
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            raise UsageError(f"{path} is there already; Shelf.reopen() it or choose another path") from None
        except OSError as broken:
            raise _named(path, broken) from broken
        return cls(path, os.fdopen(number, "r+b", buffering=0), 0)

    @classmethod
    def open(cls, path: Path) -> tuple[PageFile, dict[str, Any]]:  # Any: JSON
        """A file that was closed and kept, and its index. Raises TornPages where that is not whole."""
        try:
            file = path.open("r+b", buffering=0)
        except OSError as broken:
            raise _named(path, broken) from broken
        end = file.seek(0, os.SEEK_END)
        try:
            index, start = _index_of(file, end)
        except ValueError as broken:
            file.close()
            raise TornPages(path, None, str(broken)) from broken
        return cls(path, file, start), index

    def write(self, records: Mapping[int, Tensor]) -> dict[int, Stored]:
        """Where each record lies now. records: bytes (size,) uint8 by page

        Raises DiskFull where the file cannot grow: then nothing was written that counts.
        """
        written: dict[int, Stored] = {}
        end = self._end
        try:
            for page, record in records.items():
                written[page] = self._written(page, record.cpu().numpy().data)
        except StoreError:
            self.free(one for one in written.values() if one.place < end)
            self._end = end
            with self._lock, suppress(OSError):  # what stays is room, not content
                self._file.truncate(end)
            raise
        return written

    def read(self, page: int, stored: Stored) -> Tensor:
        """A record's bytes, (size,) uint8. Raises TornPages where they are not those that were written."""
        record = torch.empty(stored.size, dtype=torch.uint8)
        view = record.numpy().data
        with self._lock, _naming(self.path):
            self._file.seek(stored.place)
            got = _filled(self._file, view)
        if got < stored.size:
            raise TornPages(self.path, page, f"{stored.size - got} of {stored.size} bytes are missing")
        if _crc(page, view) != stored.crc:
            raise TornPages(self.path, page, "its bytes are not those that were written")
        return record

    def free(self, gone: Iterable[Stored]) -> None:
        """Use the room of records again."""
        for one in gone:
            self._free.setdefault(one.size, []).append(one.place)

    def close(self, index: bytes | None) -> None:
        """Close the file: remove it, or with an index keep it. Raises DiskFull where the index finds no room."""
        try:
            if index is not None:
                tail = _TAIL.pack(len(index), crc32(index), MAGIC)
                self._put(self._end, memoryview(index + tail))
                self._file.truncate(self._end + len(index) + len(tail))
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
            if index is None:
                self.path.unlink(missing_ok=True)

    def _written(self, page: int, record: memoryview) -> Stored:
        places = self._free.get(len(record))
        place = places.pop() if places else self._end
        try:
            self._put(place, record)
        except StoreError:
            if place < self._end:
                self._free[len(record)].append(place)
            raise
        self._end = max(self._end, place + len(record))
        return Stored(place, len(record), _crc(page, record))

    def _put(self, place: int, record: memoryview) -> None:
        with self._lock, _naming(self.path):
            self._file.seek(place)
            while record:
                record = record[self._file.write(record) :]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as broken:
        raise _named(path, broken) from broken


def _named(path: Path, broken: OSError) -> StoreError:
    return DiskFull(path) if broken.errno in _FULL else StoreError(path, broken.strerror or str(broken))


def _crc(page: int, record: memoryview) -> int:
    return crc32(record, page & 0xFFFFFFFF)


def _filled(file: BinaryIO, view: memoryview) -> int:
    """Bytes read into the view; fewer than it holds where the file ends."""
    got = 0
    while got < len(view) and (more := file.readinto(view[got:])):  # type: ignore[attr-defined]
        got += more
    return got


def _index_of(file: BinaryIO, end: int) -> tuple[dict[str, Any], int]:
    """The index and where it begins. Raises ValueError where it is not whole."""
    tail = bytearray(_TAIL.size)
    file.seek(max(0, end - _TAIL.size))
    if _filled(file, memoryview(tail)) < _TAIL.size:
        raise ValueError("it is too short to hold an index")
    size, crc, magic = _TAIL.unpack(tail)
    start = end - _TAIL.size - size
    if magic != MAGIC or start < 0:
        raise ValueError("no index at its end: not closed, cut short, or another file")
    text = bytearray(size)
    file.seek(start)
    if _filled(file, memoryview(text)) < size or crc32(text) != crc:
        raise ValueError("its index is not as it was written")
    return json.loads(bytes(text)), start
