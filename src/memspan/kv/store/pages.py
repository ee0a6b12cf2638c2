"""Pages of one layer: each holds rows of one kv head of one sequence, in a codec, and is never changed once written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from memspan.kv.store.codec import Codec, Parts, joined, repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Coded keys and values of many pages. Forks and sequences share one object; it goes when the last of them does.

    keys, values: the codec's parts, first axis pages;  dtype: that of the rows
    """

    codec: Codec
    keys: Parts
    values: Parts
    dtype: torch.dtype

    @classmethod
    def of(cls, codec: Codec, keys: Tensor, values: Tensor, positions: Tensor) -> "Pages":
        """Rows as pages. keys, values: (pages, slots, dim);  positions: (pages, slots), -1 where no row is"""
        where = positions.to(torch.int32)
        return cls(
            codec=codec,
            keys=codec.encode_keys(keys, where),
            values=codec.encode_values(values, where),
            dtype=keys.dtype,
        )

    def fetch(self, which: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys and values of some pages, or of all, (pages, slots, dim) each."""
        some = self if which is None else self.taken(which)
        return self.codec.decode_keys(some.keys, self.dtype), self.codec.decode_values(some.values, self.dtype)

    def __len__(self) -> int:
        """How many."""
        return len(next(iter(self.keys.values())))

    def taken(self, which: Tensor) -> "Pages":
        """These pages only."""
        return replace(
            self,
            keys={name: part[which] for name, part in self.keys.items()},
            values={name: part[which] for name, part in self.values.items()},
        )

    def joined(self, other: "Pages", order: Tensor) -> "Pages":
        """Pages of both, of one codec, in an order of their numbers; the other's count on from these."""
        return replace(
            self,
            keys={name: part[order] for name, part in joined((self.keys, other.keys)).items()},
            values={name: part[order] for name, part in joined((self.values, other.values)).items()},
        )

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        return [*self.keys.values(), *self.values.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Columns of rows in pages: column c of a head lies in slot c % slots of the page table[..., c // slots].

    table: page numbers, (batch, kv_heads, width) int64, -1 where a head has no page
    positions: true places of the columns, (batch, kv_heads, width * slots) int32, -1 where no row is
    even: whether every head has as many pages as columns need, and where compact as many rows
    runs: first slot and the one after the last of each head of each sequence, where its pages lie one after the other
        in order and hold its first columns; None where they do not
    compact: whether each head's rows come before its absent columns; then runs hold rows only
    """

    pages: Pages
    table: Tensor
    positions: Tensor
    even: bool
    runs: tuple[tuple[int, int], ...] | None
    compact: bool = False

    @property
    def columns(self) -> int:
        """How many, absent ones included."""
        return self.positions.shape[-1]

    @property
    def slots(self) -> int:
        """Rows a page."""
        return self.columns // self.table.shape[-1]

    @classmethod
    def of(cls, codec: Codec, slots: int, keys: Tensor, values: Tensor, positions: Tensor) -> "Segment":
        """Rows in pages, but for pages without a row.

        keys, values: (batch, kv_heads, time, dim);  positions: (batch, kv_heads, time), -1 where no row is
        """
        batch, heads, time, _ = keys.shape
        pad = -time % slots
        if pad:
            keys, values = _repeated_end(keys, pad), _repeated_end(values, pad)
            positions = torch.nn.functional.pad(positions, (0, pad), value=-1)
        width = (time + pad) // slots
        where = positions.reshape(batch, heads, width, slots)
        used = (where >= 0).any(-1)
        count = int(used.sum())
        table = torch.full((batch, heads, width), -1, dtype=torch.int64, device=keys.device)
        table[used] = torch.arange(count, device=keys.device)
        each = (
            keys.reshape(batch, heads, width, slots, -1)[used],
            values.reshape(batch, heads, width, slots, -1)[used],
        )
        rows = [_filled(rows, where[used]) for rows in each]
        pages = Pages.of(codec, rows[0], rows[1], where[used])
        return cls._ordered(pages, table, positions.to(torch.int32))

    @classmethod
    def _ordered(cls, pages: Pages, table: Tensor, positions: Tensor) -> "Segment":
        """Of pages that lie in the order of sequences, heads and places."""
        slots, here = positions.shape[-1] // table.shape[-1], positions >= 0
        begins = ((table >= 0).sum(-1).flatten().cumsum(0) * slots).tolist()
        rows = here.sum(-1)
        compact = bool((here == (torch.arange(here.shape[-1], device=here.device) < rows[..., None])).all())
        firsts = [0, *begins[:-1]]
        ends = [first + count for first, count in zip(firsts, rows.flatten().tolist(), strict=True)]
        runs = tuple(zip(firsts, ends if compact else begins, strict=True))
        there = table >= 0
        leading = torch.arange(there.shape[-1], device=there.device) < there.sum(-1, keepdim=True)
        even = bool(there.all()) and (not compact or bool((rows == rows.flatten()[:1]).all()))
        if not torch.equal(there, leading):
            return cls(pages=pages, table=table, positions=positions, even=False, runs=None)
        return cls(pages=pages, table=table, positions=positions, even=even, runs=runs, compact=compact)

    def dense(self) -> tuple[Tensor, Tensor]:
        """Keys and values by column, (batch, kv_heads, columns, dim); absent columns hold anything."""
        batch, heads, width = self.table.shape
        if self.even and self.runs is not None:
            keys, values = self.pages.fetch()
        else:
            keys, values = self.pages.fetch(self.table.clamp(min=0).flatten())
        shape = (batch, heads, width * self.slots, -1)
        return keys.reshape(shape), values.reshape(shape)

    def chosen(self, sequences: Tensor) -> "Segment":
        """The segment of other sequences, made of these: pages are shared, and left behind once half are unused."""
        if torch.equal(sequences, torch.arange(len(self.table), device=sequences.device)):
            return self
        table, pages = self.table[sequences], self.pages
        here = table >= 0
        used, numbers = table[here].unique(return_inverse=True)  # type: ignore[no-untyped-call]
        if 0 < 2 * len(used) <= len(pages):
            pages, table[here] = pages.taken(used), numbers
        return replace(self, pages=pages, table=table, positions=self.positions[sequences], runs=None, compact=False)

    def joined(self, other: "Segment") -> "Segment":
        """These columns, then the other's, of the same sequences and codec."""
        table = torch.cat((self.table, torch.where(other.table >= 0, other.table + len(self.pages), -1)), dim=-1)
        here = table >= 0
        pages = self.pages.joined(other.pages, table[here])
        table[here] = torch.arange(int(here.sum()), device=table.device)
        return self._ordered(pages, table, torch.cat((self.positions, other.positions), dim=-1))

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        return [*self.pages.tensors(), self.table, self.positions]


def unique_bytes(tensors: Sequence[Tensor]) -> int:
    """Bytes of the storages behind some tensors, each counted once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def _repeated_end(rows: Tensor, count: int) -> Tensor:
    return torch.cat((rows, rows[:, :, -1:].expand(-1, -1, count, -1)), dim=2)


def _filled(rows: Tensor, positions: Tensor) -> Tensor:
    """Absent slots repeat the row before them, those before the first row that one. rows: (pages, slots, dim)"""
    if bool((positions >= 0).all()):
        return rows
    index = repeated(positions)
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[-1]))
