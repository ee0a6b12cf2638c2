"""Where coded pages lie: on the device, in the host's memory, or in a file.

A page's parts lie end to end as bytes, and move as they are. The file is read with plain reads, not mapped: where
somebody cuts a mapped file short, the process dies of it; a read that comes back short is an error with a name.
The file belongs to one shelf and goes when that is closed, unless it is kept; it is written only by its owner's user.

File: pages one after the other; on closing, an index in JSON (layouts; page, place, size, CRC-32 and layout of each),
then its length (8 bytes), its CRC-32 (4 bytes), both little-endian, and b"memspanKV1". A page's CRC-32 starts from its
number, so that two pages that have changed places are seen too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor

from memspan.core.errors import ClosedStore, UsageError
from memspan.kv.store.codec import Parts, joined
from memspan.kv.store.page_file import PageFile, Stored

Tier = Literal["device", "host", "disk"]
TIERS: tuple[Tier, ...] = ("device", "host", "disk")
Layout = tuple[tuple[str, torch.dtype, tuple[int, ...]], ...]
"""Name, dtype and shape without the pages of each part, in the order in which they lie."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Where a page is. held: its bytes, (size,) uint8, in memory;  stored: its place in the file; one of the two"""

    tier: Tier
    layout: Layout
    size: int
    held: Tensor | None = None
    stored: Stored | None = None


class Shelf:
    """Coded pages by number, each in one tier; a move changes no bit.

    path: the file of the tier "disk", made when the first page goes there; None: there is no such tier
    device: where the tier "device" is and what fetch gives;  keep: whether the file stays after close

    >>> shelf = Shelf()
    >>> shelf.put([7, 8], {"rows": torch.tensor([[1.0], [2.0]])})
    >>> shelf.move([8], "host")
    >>> shelf.fetch([8, 7])["rows"].tolist(), shelf.nbytes("host")
    ([[2.0], [1.0]], 4)
    """

    def __init__(self, path: Path | None = None, *, device: str | torch.device = "cpu", keep: bool = False) -> None:
        self.path, self.device, self.keep = path, torch.device(device), keep
        self._pages: dict[int, Resident] = {}
        self._file: PageFile | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: dict[int, Future[Tensor]] = {}
        self._closed = False

    @classmethod
    def reopen(cls, path: Path, *, device: str | torch.device = "cpu", keep: bool = True) -> Self:
        """The pages that lay in a kept file. The file is whole again only after the next close.

        Raises TornPages where the file is none of ours or was not closed.
        """
        shelf = cls(path, device=device, keep=keep)
        shelf._file, index = PageFile.open(path)
        layouts = [_layout_from(each) for each in index["layouts"]]
        for page, place, size, crc, layout in index["pages"]:
            stored = Stored(place, size, crc)
            shelf._pages[page] = Resident("disk", layouts[layout], size, stored=stored)
        return shelf

    def put(self, pages: Sequence[int], parts: Mapping[str, Tensor], tier: Tier = "device") -> None:
        """Take pages in. parts: those of the pages, in their order.

        Raises UsageError where a page is there already or parts are not as many; DiskFull as move.
        """
        self._must_be_open()
        if len(set(pages)) < len(pages) or not self._pages.keys().isdisjoint(pages):
            raise UsageError(f"a page comes twice in {list(pages)[:5]} ... or is on the shelf; drop() it first")
        if any(len(part) != len(pages) for part in parts.values()):
            raise UsageError(f"{len(pages)} pages, but parts of {[len(part) for part in parts.values()]}")
        if not pages:
            return
        layout, rows = _flattened(parts)
        home = self.device if tier == "device" else torch.device("cpu")
        held = [Resident("host", layout, len(row), held=row.to(home, copy=True)) for row in rows]
        self._settle(dict(zip(pages, held, strict=True)), tier)

    def move(self, pages: Iterable[int], tier: Tier) -> None:
        """Bring pages to a tier; those that are there stay.

        Raises UsageError where one is not on the shelf, DiskFull where the file cannot grow, TornPages
        where a page in the file is not as it was written; then every page stays where it was.
        """
        self._must_be_open()
        going = {page: self._resident(page) for page in pages if self._resident(page).tier != tier}
        home = self.device if tier == "device" else torch.device("cpu")
        held = {page: replace(one, held=self._bytes(page).to(home), stored=None) for page, one in going.items()}
        self._settle(held, tier)
        self._released(going.values())

    def fetch(self, pages: Sequence[int]) -> Parts:
        """Parts of the pages on the device, in the order asked for; each page stays in its tier.

        Raises UsageError where one is not on the shelf or none is asked for, TornPages as move.
        """
        self._must_be_open()
        if not pages:
            raise UsageError("fetch() of no page; ask for at least one")
        groups: dict[tuple[Layout, bool], list[int]] = {}  # one copy to the device for each
        for place, page in enumerate(pages):
            one = self._resident(page)
            groups.setdefault((one.layout, one.tier == "device"), []).append(place)
        coded = [
            _parts(layout, torch.stack([self._bytes(pages[place]) for place in places]).to(self.device))
            for (layout, _), places in groups.items()
        ]
        if len(coded) == 1:
            return coded[0]
        back = torch.tensor([place for places in groups.values() for place in places], device=self.device).argsort()
        return {name: part[back] for name, part in joined(coded).items()}

    def prefetch(self, pages: Iterable[int]) -> None:
        """Begin to read those of the pages that lie in the file; the next fetch of one takes what was read.

        Until then the copies count as bytes of the host. What goes wrong is raised by that fetch.
        """
        self._must_be_open()
        for page in pages:
            one = self._resident(page)
            if one.stored is not None and self._file is not None and page not in self._ahead:
                self._reader = self._reader or ThreadPoolExecutor(1, "memspan-pages")
                self._ahead[page] = self._reader.submit(self._file.read, page, one.stored)

    def forget(self, pages: Iterable[int]) -> None:
        """Let go what prefetch() read of pages and no fetch took; the pages stay where they are."""
        for page in pages:
            self._ahead.pop(page, None)

    def drop(self, pages: Iterable[int]) -> None:
        """Forget pages; their room is used again. Raises UsageError where one is not on the shelf."""
        self._must_be_open()
        gone = {page: self._resident(page) for page in pages}
        for page in gone:
            del self._pages[page]
            self._ahead.pop(page, None)
        self._released(gone.values())

    def tier(self, page: int) -> Tier:
        """Where a page is. Raises UsageError where it is not on the shelf."""
        return self._resident(page).tier

    def nbytes(self, tier: Tier) -> int:
        """Bytes of the pages of a tier; copies read ahead are the host's."""
        ahead = sum(self._pages[page].size for page in self._ahead) if tier == "host" else 0
        return ahead + sum(one.size for one in self._pages.values() if one.tier == tier)

    def close(self) -> None:
        """Let everything go. The file goes too, unless it is kept: then it holds the pages that lay on disk."""
        if self._closed:
            return
        self._closed = True
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)
        if self._file is not None:
            self._file.close(_index(self._pages) if self.keep else None)
        self._pages, self._ahead = {}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _must_be_open(self) -> None:
        if self._closed:
            raise ClosedStore(self.path or "the shelf", "is closed; open another")

    def _resident(self, page: int) -> Resident:
        if page not in self._pages:
            raise UsageError(f"page {page} is not on the shelf; put() it there first")
        return self._pages[page]

    def _bytes(self, page: int) -> Tensor:
        one = self._pages[page]
        if one.held is not None:
            return one.held
        if page in self._ahead:
            return self._ahead.pop(page).result()
        assert self._file is not None and one.stored is not None
        return self._file.read(page, one.stored)

    def _settle(self, held: Mapping[int, Resident], tier: Tier) -> None:
        """Pages whose bytes are held go to their tier, all or none."""
        if tier not in TIERS:
            raise UsageError(f"no tier is called {tier!r}; there are {', '.join(TIERS)}")
        if tier != "disk":
            self._pages |= {page: replace(one, tier=tier) for page, one in held.items()}
            return
        if self._file is None:
            if self.path is None:
                raise UsageError("this shelf has no file; give it a path")
            self._file = PageFile.create(self.path)
        stored = self._file.write({page: one.held for page, one in held.items() if one.held is not None})
        for page, one in held.items():
            self._pages[page] = replace(one, tier=tier, held=None, stored=stored[page])

    def _released(self, gone: Iterable[Resident]) -> None:
        if self._file is not None:
            self._file.free(one.stored for one in gone if one.stored is not None)


def _flattened(parts: Mapping[str, Tensor]) -> tuple[Layout, Tensor]:
    """What the parts are, and each page's bytes (pages, size) uint8."""
    layout = tuple((name, part.dtype, tuple(part.shape[1:])) for name, part in parts.items())
    flat = [part.reshape(len(part), -1).contiguous().view(torch.uint8) for part in parts.values() if part.numel()]
    return layout, torch.cat(flat, dim=1)


def _parts(layout: Layout, rows: Tensor) -> Parts:
    """The parts of pages from their bytes (pages, size)."""
    parts: Parts = {}
    start = 0
    for name, dtype, shape in layout:
        size = torch.Size(shape).numel() * dtype.itemsize
        parts[name] = rows[:, start : start + size].contiguous().view(dtype).view(len(rows), *shape)
        start += size
    return parts


def _index(pages: Mapping[int, Resident]) -> bytes:
    stored = {page: one for page, one in pages.items() if one.stored is not None}
    layouts = list(dict.fromkeys(one.layout for one in stored.values()))
    lines = [
        [page, one.stored.place, one.stored.size, one.stored.crc, layouts.index(one.layout)]
        for page, one in stored.items()
        if one.stored is not None
    ]
    named = [[[name, str(dtype).removeprefix("torch."), shape] for name, dtype, shape in each] for each in layouts]
    return json.dumps({"layouts": named, "pages": lines}).encode()


def _layout_from(named: Sequence[tuple[str, str, Sequence[int]]]) -> Layout:
    return tuple((name, getattr(torch, dtype), tuple(shape)) for name, dtype, shape in named)
