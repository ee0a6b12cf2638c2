"""Washing: overwrite every free byte inside the file's pages with zeros.

secure_delete zeroes a row where it stands. But when a page overflows or runs empty, SQLite spreads its rows over it and
its neighbours and leaves stale copies of those that moved in the gap between a page's list of rows and the rows
themselves; when the row itself is deleted later, such a copy stays (found by tests/forget, about one row in a
thousand; SQLite 3.54, rebuildPage). VACUUM would remove them too, at ten times the cost and twice the disk.

Writing beside SQLite is sound because of four things, and the caller sees to the first two: the log is empty, so that
the file holds the last version of every page; the write lock is held; the bytes of a gap mean nothing to any reader
and nobody else's bytes are touched, so that neither a reader in the middle of a page nor a power cut in the middle of a
write can tell; and whoever has an older image of a page in memory drops it when it meets the commit that follows.
The file is opened through SQLite's own layer, which does not lose the locks of this process when it is closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from memspan.text.store import schema

_MAGIC = b"SQLite format 3\0"
PAGES_MOST = 1 << 24  # beyond it, the first byte of an overflow page could be taken for the kind of a page
_AT_ONCE = 256
_INDEX_NODE, _TABLE_NODE, _INDEX_LEAF, _TABLE_LEAF = 2, 5, 10, 13
_HEADER = {_INDEX_NODE: 12, _TABLE_NODE: 12, _INDEX_LEAF: 8, _TABLE_LEAF: 8}  # bytes before the list of rows
_FIRST = 100  # bytes of the file's own header, on its first page


def washable(name: str) -> bool:
    """Whether a file's pages can be read from outside: it is neither encrypted nor beyond 64 GB.

    name: its full path
    """
    with _opened(name) as file:
        return file.xRead(len(_MAGIC), 0) == _MAGIC and file.xFileSize() // schema.PAGE_BYTES < PAGES_MOST


def wash(name: str) -> int:
    """Zero the gaps of all pages of a washable file; how many pages had something in theirs.

    name: its full path. The caller holds the write lock, and the log is empty.
    """
    washed = 0
    with _opened(name) as file:
        pages = file.xFileSize() // schema.PAGE_BYTES
        for first in range(0, pages, _AT_ONCE):
            start = first * schema.PAGE_BYTES
            raw = file.xRead(min(_AT_ONCE, pages - first) * schema.PAGE_BYTES, start)
            for low, high in _dirty(raw, at_start=first == 0):
                file.xWrite(bytes(high - low), start + low)
                washed += 1
        if washed:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    return washed


def rewrite(connection: apsw.Connection) -> None:
    """Write the whole file anew, row by row: what is left for a file that cannot be washed."""
    before = connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 1)  # VACUUM attaches the copy it makes
    try:
        connection.execute("VACUUM")
    finally:
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, before)


@contextmanager
def _opened(name: str) -> Iterator[apsw.VFSFile]:
    file = apsw.VFSFile("", name, [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0])
    try:
        yield file
    finally:
        file.xClose()


def _dirty(raw: bytes, *, at_start: bool) -> Iterator[tuple[int, int]]:
    """Half-open ranges of the gaps that hold something. raw: whole pages; at_start: the file's first is among them"""
    for page in range(0, len(raw), schema.PAGE_BYTES):
        head = page + (_FIRST if at_start and page == 0 else 0)
        header = _HEADER.get(raw[head])
        if header is None:  # of an overflow page or a free one
            continue
        rows = int.from_bytes(raw[head + 3 : head + 5], "big")
        low = head + header + 2 * rows
        high = page + int.from_bytes(raw[head + 5 : head + 7], "big")
        if high <= page + schema.PAGE_BYTES and raw.count(0, low, high) < high - low:
            yield low, high
