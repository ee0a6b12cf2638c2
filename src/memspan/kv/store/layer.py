"""One attention layer's cache: sealed segments of pages, then a tail that grows by what is read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from memspan.kv.attend import block_of, mixed, mixed_pages, scored, scored_pages, softmax, sum_of
from memspan.kv.store.codec import Codec
from memspan.kv.store.pages import Segment, unique_bytes


@dataclass(frozen=True, slots=True)
class Choice:
    """Pages to look at now, (batch, kv_heads, pages) bool.

    stand_ins: keys and values (batch, kv_heads, rows, dim) for the others, and what is added to their logits,
        (batch, kv_heads, rows), -inf for none
    """

    pages: Tensor
    stand_ins: tuple[Tensor, Tensor, Tensor] | None = None


Pick = Callable[[Segment, Tensor], Choice]


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


@dataclass(slots=True)
class Layer:
    """The rows of one layer for a batch of sequences.

    slots: rows a page;  codec: how rows lie in pages
    sealing: whether all rows go to pages; else only those that need it, as heads of different length do
    seen: tokens of each sequence so far, (batch,);  figures: by name, (batch, kv_heads, columns) float32
    """

    slots: int
    codec: Codec
    sealing: bool = False
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
        time, holes = keys.shape[2], bool((positions < 0).any()) if positions.shape[1] > 1 else False
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
        self.segments = [Segment.of(self.codec, self.slots, keys, values, positions)]
        pad = self.columns - width
        self.figures = {name: torch.nn.functional.pad(rows, (0, pad)) for name, rows in self.figures.items()}

    def seal(self, keep: int) -> None:
        """All but the newest `keep` columns of the tail go into pages of the codec; whole pages only."""
        if self.tail is None:
            return
        count = (self.tail.count - keep) // self.slots * self.slots
        if count <= 0:
            return
        keys, values, positions = self.tail.parts()
        sealed = Segment.of(self.codec, self.slots, keys[:, :, :count], values[:, :, :count], positions[:, :, :count])
        if self.segments:
            self.segments[-1] = self.segments[-1].joined(sealed)
        else:
            self.segments.append(sealed)
        self._begin_tail(keys[:, :, count:], values[:, :, count:], positions[:, :, count:])

    def arrange(self, first: int, order: Tensor) -> None:
        """Puts the tail's columns from `first` on into another order, (batch, kv_heads, time), each head by itself."""
        tail = self.tail
        assert tail is not None
        here = slice(first, first + order.shape[-1])
        index = order[..., None]
        for rows in (tail.keys, tail.values):
            rows[:, :, here] = rows[:, :, here].gather(2, index.expand(-1, -1, -1, rows.shape[-1]))
        tail.positions[:, :, here] = tail.positions[:, :, here].gather(2, order)
        begin = self.columns - tail.count + first
        for name, part in self.figures.items():
            turned = part[..., begin : begin + order.shape[-1]].gather(2, order)
            self.figures[name] = torch.cat((part[..., :begin], turned, part[..., begin + order.shape[-1] :]), dim=-1)

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
            room = -(-max(tail.count + time, tail.room + tail.room // 16) // self.slots) * self.slots
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
        return replace(self, segments=list(self.segments), tail=tail, figures=dict(self.figures))

    def choose(self, sequences: Tensor) -> None:
        """Go on with these of the sequences, some perhaps several times, (new batch,)."""
        self.segments = [segment.chosen(sequences) for segment in self.segments]
        if self.tail is not None:
            tail = self.tail
            self.tail = replace(
                tail, keys=tail.keys[sequences], values=tail.values[sequences], positions=tail.positions[sequences]
            )
        self.figures = {name: rows[sequences] for name, rows in self.figures.items()}
        self.seen = None if self.seen is None else self.seen[sequences]

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        held = [tensor for segment in self.segments for tensor in segment.tensors()]
        if self.tail is not None:
            held += [self.tail.keys, self.tail.values, self.tail.positions]
        return [*held, *self.figures.values()]

    def nbytes(self) -> int:
        """Bytes of all that it holds."""
        return unique_bytes(self.tensors())

    # -- attention

    def attend(
        self, queries: Tensor, places: Tensor, scaling: float, *, pick: Pick | None = None, mass: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attention of new queries to all rows before or at their places.

        queries: (batch, heads, time, dim);  places: (batch, time), -1 for no token;  pick: pages to look at
        mass: whether to give what each column received as well, (batch, kv_heads, columns)
        Returns (batch, heads, time, dim) and the mass.
        """
        batch, heads, time, dim = queries.shape
        positions = self.positions()
        kv_heads = positions.shape[1]
        block = block_of(batch * heads, self.columns)
        out, received = [], None
        for start in range(0, time, block):
            some, where = queries[:, :, start : start + block], places[:, start : start + block]
            folded = some.reshape(batch, kv_heads, -1, dim)
            one, weights = self._block(folded, where, positions, scaling, pick)
            out.append(one.view(batch, heads, some.shape[2], -1))
            if mass:
                real = (where >= 0)[:, None, None, :, None]
                split = weights.view(batch, kv_heads, heads // kv_heads, some.shape[2], -1) * real
                received = split.sum((2, 3)) if received is None else received + split.sum((2, 3))
        return (out[0] if len(out) == 1 else torch.cat(out, dim=2)), received

    def _block(
        self, folded: Tensor, where: Tensor, positions: Tensor, scaling: float, pick: Pick | None
    ) -> tuple[Tensor, Tensor]:
        """folded: (batch, kv_heads, group * time, dim);  where: (batch, time)"""
        logits, mix, masks, begin = [], [], [], 0
        masked = self.holes or where.shape[1] > 1
        group = folded.shape[2] // where.shape[1]
        for segment in self.segments:
            choice = pick(segment, folded) if pick else None
            one, values = scored_pages(folded, segment, choice.pages if choice else None)
            columns = slice(begin, begin + segment.columns)
            allowed = _allowed(positions[..., columns], where, group)
            if choice is not None:
                allowed &= choice.pages.repeat_interleave(segment.slots, dim=-1)[:, :, None]
            logits.append(one)
            masks.append(allowed)
            mix.append(partial(mixed_pages, segment=segment, picked=choice.pages if choice else None, values=values))
            if choice is not None and choice.stand_ins is not None:
                keys, values, bias = choice.stand_ins
                logits.append(scored(folded, keys) + (bias / scaling)[:, :, None].to(folded.dtype))
                masks.append((bias > -torch.inf)[:, :, None].expand_as(logits[-1]))
                mix.append(partial(mixed, values=values))
            begin += segment.columns
        if self.tail is not None:
            keys, values, _ = self.tail.parts()
            logits.append(scored(folded, keys))
            mix.append(partial(mixed, values=values))
            if masked:
                masks.append(_allowed(positions[..., begin:], where, group))
        if len(logits) == 1:
            weights = softmax(logits[0], scaling, masks[0] if masked else None)
            return mix[0](weights), weights
        weights = softmax(torch.cat(logits, dim=-1), scaling, torch.cat(masks, dim=-1) if masked else None)
        split = torch.split(weights, [one.shape[-1] for one in logits], dim=-1)
        return sum_of([one(part) for one, part in zip(mix, split, strict=True)]), weights


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
