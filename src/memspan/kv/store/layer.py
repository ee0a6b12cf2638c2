"""One attention layer's cache: sealed segments of pages, then a tail that grows by what is read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from memspan.core.registry import load
from memspan.kv.attend import block_of, mixed, mixed_pages, scored, scored_pages, softmax, sum_of
from memspan.kv.store.codec import Codec
from memspan.kv.store.pages import Segment, unique_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Rows that are attended to in place of all pages.

    keys, values: (batch, kv_heads, rows, dim);  positions: (batch, kv_heads, rows), -1 where no row is
    bias: what is added to their logits, (batch, kv_heads, rows), or None
    """

    keys: Tensor
    values: Tensor
    positions: Tensor
    bias: Tensor | None = None


@dataclass(slots=True)
class Tail:
    """The newest rows as they came. keys, values: (batch, kv_heads, room, dim), the first `count` columns are rows

    positions: (batch, kv_heads, room) int32, -1 where no row is;  holes: whether a column may be absent
    """

    keys: Tensor
    values: Tensor
    positions: Tensor
    count: int
    holes: bool = False

    @property
    def room(self) -> int:
        """Columns before it has to grow."""
        return self.keys.shape[2]

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Keys, values and positions of the columns in use."""
        return self.keys[:, :, : self.count], self.values[:, :, : self.count], self.positions[:, :, : self.count]


Thinned = Callable[[Tensor, Tensor, Mapping[str, Tensor]], tuple[Tensor, Tensor]]
"""Keys and values as they go into pages, from how they came and what was noted of their heads."""


@dataclass(slots=True)
class Layer:
    """The rows of one layer for a batch of sequences.

    slots: rows a page;  codec: how rows lie in pages
    sealing: whether all rows but the newest go to pages; else only those that need it, as heads of different length do
    residual: newest rows that stay out of pages where all others go there [tokens];  thinned: what pages hold of rows
    whole: first columns that are in pages as they are, rounded up to pages [tokens]
    notes: what was noted of each head, by name, (batch, kv_heads, ...)
    seen: tokens of each sequence so far, (batch,);  figures: by name, (batch, kv_heads, columns) float32
    """

    slots: int
    codec: Codec
    sealing: bool = False
    residual: int = 0
    thinned: Thinned | None = None
    whole: int = 0
    notes: dict[str, Tensor] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    tail: Tail | None = None
    seen: Tensor | None = None
    figures: dict[str, Tensor] = field(default_factory=dict)

    # -- reading

    @property
    def columns(self) -> int:
        """Columns in all, absent ones included."""
        return sum(segment.columns for segment in self.segments) + (self.tail.count if self.tail else 0)

    @property
    def holes(self) -> bool:
        """Whether a column may be absent."""
        return bool(self.segments) or (self.tail is not None and self.tail.holes)

    def positions(self) -> Tensor:
        """(batch, kv_heads, columns) int32."""
        parts = [segment.positions for segment in self.segments]
        if self.tail is not None:
            parts.append(self.tail.parts()[2])
        return torch.cat(parts, dim=-1) if len(parts) != 1 else parts[0]

    def dense(self) -> tuple[Tensor, Tensor]:
        """Keys and values of all columns, (batch, kv_heads, columns, dim)."""
        parts = [segment.dense() for segment in self.segments]
        if self.tail is not None:
            parts.append(self.tail.parts()[:2])
        if len(parts) == 1:
            return parts[0]
        return torch.cat([keys for keys, _ in parts], dim=2), torch.cat([values for _, values in parts], dim=2)

    def longest(self) -> int:
        """Rows of the head that has most."""
        if not self.holes:
            return self.columns
        return int((self.positions() >= 0).sum(-1).max()) if self.columns else 0

    # -- writing

    def append(self, keys: Tensor, values: Tensor, positions: Tensor, figures: Mapping[str, Tensor]) -> None:
        """New rows of all heads. positions: (batch, time), -1 where a sequence has no token;  figures: of the rows"""
        time, holes = keys.shape[2], bool((positions < 0).any())
        where = positions[:, None].expand(-1, keys.shape[1], -1).to(torch.int32)
        if self.tail is None and time > 1:
            self.tail = Tail(keys.contiguous(), values.contiguous(), where.contiguous(), time, holes)
        else:
            self._extend(keys, values, where, holes)
        for name, rows in figures.items():
            before = self.figures.get(name)
            self.figures[name] = rows if before is None else torch.cat((before, rows), dim=-1)
        arrived = (positions >= 0).sum(-1) if holes else positions.new_full((len(positions),), time)
        self.seen = arrived if self.seen is None else self.seen + arrived

    def replace(self, keys: Tensor, values: Tensor, positions: Tensor, figures: Mapping[str, Tensor]) -> None:
        """These rows in place of all. Present ones come first in each head; positions: (batch, kv_heads, time)."""
        lengths = (positions >= 0).sum(-1)
        width = int(lengths.max()) if lengths.numel() else 0
        even = bool((lengths == width).all())
        keys, values, positions = keys[:, :, :width], values[:, :, :width], positions[:, :, :width]
        self.segments, self.tail = [], None
        self.figures = {name: rows[..., :width] for name, rows in figures.items()}
        if not width or (even and not self.sealing):
            self._begin_tail(keys, values, positions)
            return
        if even:
            self._begin_tail(keys, values, positions)
            self.seal()
            return
        old, newest = self._parted(lengths, width)
        if bool(old.any()):
            self.segments = self._paged(keys, values, positions.masked_fill(~old, -1))
        pad = self.columns - width
        every = self.figures
        figures = {name: torch.nn.functional.pad(rows, (0, pad)) for name, rows in every.items()}
        if self.sealing and self.residual:
            there = newest >= 0
            index = newest.clamp(min=0)
            wide = index[..., None]
            tail = [part.gather(2, wide.expand(-1, -1, -1, part.shape[-1])) for part in (keys, values)]
            self._begin_tail(tail[0], tail[1], positions.gather(2, index).masked_fill(~there, -1))
            figures = {name: torch.cat((rows, every[name].gather(2, index)), dim=-1) for name, rows in figures.items()}
        self.figures = figures

    def _parted(self, lengths: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Which columns go into pages, (batch, kv_heads, width), and those that stay out, -1 where a head has fewer."""
        residual = self.residual if self.sealing else 0
        columns = torch.arange(width, device=lengths.device)
        old = columns < (lengths - residual)[..., None]
        return old, (lengths - residual)[..., None] + torch.arange(residual, device=lengths.device)

    def _paged(self, keys: Tensor, values: Tensor, positions: Tensor) -> list[Segment]:
        """Columns in pages: in those of the codec, and before them, where none are yet, the first ones as they are."""
        if self.thinned is not None:
            keys, values = self.thinned(keys, values, self.notes)
        begin = 0 if self.segments else -(-self.whole // self.slots) * self.slots
        if not bool((positions[:, :, :begin] >= 0).any()):
            begin = 0
        parts = []
        for codec, some in ((load("codec", "raw")(), slice(0, begin)), (self.codec, slice(begin, None))):
            if bool((positions[:, :, some] >= 0).any()):
                rows = keys[:, :, some], values[:, :, some], positions[:, :, some]
                parts.append(Segment.of(codec, self.slots, *rows))
        return parts

    @property
    def ripe(self) -> int:
        """Columns of the tail that can go into pages: those before the newest, as many as fill pages."""
        if self.tail is None:
            return 0
        return max(0, (self.tail.count - self.residual) // self.slots * self.slots)

    def seal(self) -> None:
        """All but the newest columns of the tail go into pages of the codec; whole pages only. Mere padding goes."""
        count = self.ripe
        if not count or self.tail is None:
            return
        keys, values, positions = self.tail.parts()
        if bool((positions[:, :, :count] >= 0).any()):
            sealed = self._paged(keys[:, :, :count], values[:, :, :count], positions[:, :, :count])
            if self.segments and self.segments[-1].pages.codec is self.codec:
                sealed[:1] = [self.segments.pop().joined(sealed[0])]
            self.segments += sealed
        else:
            first = self.columns - self.tail.count
            self.figures = {
                name: torch.cat((rows[..., :first], rows[..., first + count :]), dim=-1)
                for name, rows in self.figures.items()
            }
        self._begin_tail(keys[:, :, count:], values[:, :, count:], positions[:, :, count:])

    def keep_newest(self, keys: Tensor, values: Tensor, positions: Tensor, figures: Mapping[str, Tensor]) -> None:
        """These rows in place of the tail's; what lies in pages stays. Figures are then of the tail only."""
        self._begin_tail(keys, values, positions)
        self.figures = dict(figures)

    def _extend(self, keys: Tensor, values: Tensor, positions: Tensor, holes: bool) -> None:
        time = keys.shape[2]
        self._make_room(keys, values, time)
        tail = self.tail
        assert tail is not None
        new = slice(tail.count, tail.count + time)
        tail.keys[:, :, new], tail.values[:, :, new], tail.positions[:, :, new] = keys, values, positions
        tail.count, tail.holes = tail.count + time, tail.holes or holes

    def _make_room(self, keys: Tensor, values: Tensor, time: int) -> None:
        tail = self.tail
        if tail is None:
            room = -(-time // self.slots) * self.slots
            batch, heads = keys.shape[:2]
            where = torch.full((batch, heads, room), -1, dtype=torch.int32, device=keys.device)
            self.tail = Tail(_room(keys, room), _room(values, room), where, 0)
        elif tail.count + time > tail.room:
            room = -(-(tail.count + time) // self.slots) * self.slots
            old_keys, old_values, positions = tail.parts()
            where = torch.full((*positions.shape[:2], room), -1, dtype=torch.int32, device=keys.device)
            grown = Tail(_room(keys, room), _room(values, room), where, tail.count, tail.holes)
            here = slice(0, tail.count)
            grown.keys[:, :, here], grown.values[:, :, here] = old_keys, old_values
            grown.positions[:, :, here] = positions
            self.tail = grown

    def _begin_tail(self, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        holes = bool((positions < 0).any())
        where = positions.to(torch.int32).contiguous()
        self.tail = Tail(keys.contiguous(), values.contiguous(), where, keys.shape[2], holes)

    # -- sharing

    def fork(self) -> Layer:
        """The same rows, to go on from by itself: sealed pages are shared, the tail is copied."""
        tail = self.tail
        if tail is not None:
            tail = replace(tail, keys=tail.keys.clone(), values=tail.values.clone(), positions=tail.positions.clone())
        return replace(
            self, segments=list(self.segments), tail=tail, figures=dict(self.figures), notes=dict(self.notes)
        )

    def choose(self, sequences: Tensor) -> None:
        """Go on with these of the sequences, some perhaps several times, (new batch,)."""
        self.segments = [segment.chosen(sequences) for segment in self.segments]
        if self.tail is not None:
            tail = self.tail
            self.tail = replace(
                tail, keys=tail.keys[sequences], values=tail.values[sequences], positions=tail.positions[sequences]
            )
        self.figures = {name: rows[sequences] for name, rows in self.figures.items()}
        self.notes = {name: rows[sequences] for name, rows in self.notes.items()}
        self.seen = None if self.seen is None else self.seen[sequences]

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        held = [tensor for segment in self.segments for tensor in segment.tensors()]
        if self.tail is not None:
            held += [self.tail.keys, self.tail.values, self.tail.positions]
        if self.seen is not None:
            held.append(self.seen)
        return [*held, *self.figures.values(), *self.notes.values()]

    def nbytes(self) -> int:
        """Bytes of all that it holds."""
        return unique_bytes(self.tensors())

    # -- attention

    def attend(
        self, queries: Tensor, places: Tensor, scaling: float, *, looked: Looked | None = None, mass: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attention of new queries to all rows before or at their places.

        queries: (batch, heads, time, dim);  places: (batch, time), -1 for no token;  looked: rows in place of pages
        mass: whether to give what each column received as well, (batch, kv_heads, columns); with `looked`, the tail's
        Returns (batch, heads, time, dim) and the mass.
        """
        batch, heads, time, dim = queries.shape
        positions = self.positions() if looked is None else self._with_tail(looked)
        kv_heads = positions.shape[1]
        block = block_of(batch * heads, positions.shape[-1])
        skipped = looked.keys.shape[2] if looked is not None else 0
        out, received = [], None
        for start in range(0, time, block):
            some, where = queries[:, :, start : start + block], places[:, start : start + block]
            folded = some.reshape(batch, kv_heads, -1, dim)
            one, weights = self._block(folded, where, positions, scaling, looked)
            out.append(one.view(batch, heads, some.shape[2], -1))
            if mass:
                real = (where >= 0)[:, None, None, :, None]
                split = weights[..., skipped:].reshape(batch, kv_heads, heads // kv_heads, some.shape[2], -1) * real
                received = split.sum((2, 3)) if received is None else received + split.sum((2, 3))
        return (out[0] if len(out) == 1 else torch.cat(out, dim=2)), received

    def _with_tail(self, looked: Looked) -> Tensor:
        """Positions of those rows, then of the tail's."""
        return looked.positions if self.tail is None else torch.cat((looked.positions, self.tail.parts()[2]), dim=-1)

    def _block(
        self, folded: Tensor, where: Tensor, positions: Tensor, scaling: float, looked: Looked | None
    ) -> tuple[Tensor, Tensor]:
        """folded: (batch, kv_heads, group * time, dim);  where: (batch, time)"""
        logits, mix = [], []
        if looked is not None:
            one = scored(folded, looked.keys)
            logits.append(one if looked.bias is None else one + (looked.bias / scaling)[:, :, None].to(one.dtype))
            mix.append(partial(mixed, values=looked.values))
        for segment in self.segments if looked is None else ():
            one, values = scored_pages(folded, segment)
            logits.append(one)
            mix.append(partial(mixed_pages, segment=segment, values=values))
        if self.tail is not None:
            keys, values, _ = self.tail.parts()
            logits.append(scored(folded, keys))
            mix.append(partial(mixed, values=values))
        allowed = None
        compact = all(segment.compact for segment in self.segments) and not (self.tail and self.tail.holes)
        if looked is not None or where.shape[1] > 1 or not compact:
            allowed = _allowed(positions, where, folded.shape[2] // where.shape[1])
        if len(logits) == 1:
            weights = softmax(logits[0], scaling, allowed)
            return mix[0](weights), weights
        weights = softmax(torch.cat(logits, dim=-1), scaling, allowed)
        parts, begin = [], 0
        for blend, scores in zip(mix, logits, strict=True):
            parts.append(blend(weights[..., begin : begin + scores.shape[-1]]))
            begin += scores.shape[-1]
        return sum_of(parts), weights


def _room(like: Tensor, room: int) -> Tensor:
    batch, heads, _, dim = like.shape
    return torch.empty((batch, heads, room, dim), dtype=like.dtype, device=like.device)


def _allowed(positions: Tensor, where: Tensor, group: int) -> Tensor:
    """Which columns a query may see, (batch, kv_heads, group * time, columns) bool."""
    seen = (positions >= 0)[:, :, None, :] & (positions[:, :, None, :] <= where[:, None, :, None])
    batch, kv_heads, time, columns = seen.shape
    if group == 1:
        return seen
    return seen[:, :, None].expand(batch, kv_heads, group, time, columns).reshape(batch, kv_heads, -1, columns)
