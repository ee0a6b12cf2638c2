"""Pages of a cache that lie on a shelf, away from the device, and come back when they are fetched."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self
from uuid import uuid4
from weakref import finalize

import torch
from torch import Tensor

from memspan.core.errors import ClosedStore, UsageError
from memspan.kv.store.pages import Pages
from memspan.kv.store.tiers import Shelf, Tier


class Session:
    """The shelf of one cache and its forks: where their pages go, under numbers of their own.

    tier: "host" or "disk";  folder: of the file, needed for "disk", made where it is missing
    Raises UsageError for another tier, and for "disk" without a folder.
    """

    def __init__(self, tier: Tier, folder: Path | None = None, *, device: torch.device | None = None) -> None:
        if tier not in ("host", "disk"):
            raise UsageError(f'pages can go to the tier "host" or "disk", not {tier!r}; leave it out to keep them here')
        if (tier == "disk") != (folder is not None):
            raise UsageError('the tier "disk" needs a folder, and no other does')
        self.name = f"kv-{uuid4().hex[:12]}"
        self.tier: Tier = tier
        self._numbers = count()
        path = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{self.name}.pages"
        self.shelf = Shelf(path, device=device or "cpu")

    def away(self, pages: Pages, before: Pages | None) -> Shelved:
        """Those before, then these, which go to the shelf."""
        numbers = tuple(next(self._numbers) for _ in range(len(pages)))
        parts = {f"key {name}": part for name, part in pages.keys.items()}
        self.shelf.put(numbers, parts | {f"value {name}": part for name, part in pages.values.items()}, self.tier)
        old = before if isinstance(before, Shelved) else None
        return Shelved(
            codec=pages.codec,
            keys={name: part[:0].clone() for name, part in pages.keys.items()},
            values={name: part[:0].clone() for name, part in pages.values.items()},
            dtype=pages.dtype,
            session=self,
            lots=(*(old.lots if old else ()), Lot(self.shelf, numbers)),
            numbers=(*(old.numbers if old else ()), *numbers),
        )

    def nbytes(self, tier: Tier) -> int:
        """Bytes of the pages in a tier."""
        return self.shelf.nbytes(tier)

    def close(self) -> None:
        """Let all pages go, and the file."""
        self.shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lot:
    """Pages that went to the shelf together; they go from it when no cache holds them any more."""

    def __init__(self, shelf: Shelf, numbers: tuple[int, ...]) -> None:
        finalize(self, _dropped, shelf, numbers).atexit = False


def _dropped(shelf: Shelf, numbers: tuple[int, ...]) -> None:
    with suppress(ClosedStore):
        shelf.drop(numbers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shelved(Pages):
    """Pages on a shelf. keys, values: parts of no page;  numbers: on the shelf, of each page"""

    session: Session
    lots: tuple[Lot, ...]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        """How many."""
        return len(self.numbers)

    def taken(self, which: Tensor) -> Pages:
        """These pages only, brought to the device. Raises TornPages where the file is not as it was written."""
        wanted = self.on_shelf(which)
        if not wanted:
            return Pages(codec=self.codec, keys=self.keys, values=self.values, dtype=self.dtype)
        parts = self.session.shelf.fetch(wanted)
        keys, values = ({name: parts[f"{kind} {name}"] for name in own} for kind, own in self._kinds())
        return Pages(codec=self.codec, keys=keys, values=values, dtype=self.dtype)

    def _kinds(self) -> tuple[tuple[str, Iterable[str]], ...]:
        return ("key", self.keys), ("value", self.values)

    def on_shelf(self, which: Tensor) -> list[int]:
        """Numbers on the shelf of these pages."""
        return [self.numbers[page] for page in which.flatten().tolist()]

    def plan(self, which: Tensor, before: list[int]) -> list[int]:
        """Begins to bring pages for the next step; what was planned before and not fetched is let go."""
        wanted = self.on_shelf(which)
        self.session.shelf.forget(set(before) - set(wanted))
        self.session.shelf.prefetch(wanted)
        return wanted
