"""Pages that are looked up: rows leave the newest for pages, and come back for the queries that want them.

The budget bounds what the first query of a pass attends to: sinks, newest rows, itself, and as many whole pages as fit
beside them. Later queries of the same pass see the pass's own rows before them as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from memspan.kv.asked import Asked
from memspan.kv.budget import allocate
from memspan.kv.policy import Lookup
from memspan.kv.signals import View
from memspan.kv.store.codec import joined
from memspan.kv.store.layer import Layer, Looked
from memspan.kv.store.pages import Pages, Segment
from memspan.kv.store.shelved import Session, Shelved


@dataclass(slots=True)
class Index:
    """What stays at hand of one layer's pages.

    each: of each page, by name, (batch, kv_heads, pages, ...);  whole: of all together, (batch, kv_heads, ...)
    wanted: what the last step wanted, (batch, kv_heads, pages), -inf where no page was
    weight: the layer's share of fetched pages, (batch,);  coming: pages that are on their way from the shelf
    """

    each: dict[str, Tensor] = field(default_factory=dict)
    whole: dict[str, Tensor] = field(default_factory=dict)
    wanted: Tensor | None = None
    weight: Tensor | None = None
    coming: list[int] = field(default_factory=list)

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        held = [*self.each.values(), *self.whole.values(), self.wanted, self.weight]
        return [part for part in held if part is not None]

    def chosen(self, sequences: Tensor) -> Index:
        """That of other sequences, made of these."""
        return Index(
            {name: part[sequences] for name, part in self.each.items()},
            {name: part[sequences] for name, part in self.whole.items()},
            None if self.wanted is None else self.wanted[sequences],
            None if self.weight is None else self.weight[sequences],
            self.coming,
        )


class Lookups:
    """The pages of all layers of a cache and what is known of them."""

    def __init__(
        self, policy: Lookup, layers: list[Layer], sinks: int, recent: int, session: Session | None = None
    ) -> None:
        self.policy = policy
        self.session = session
        self.layers = layers
        self.sinks = max(policy.sinks, sinks)
        self.local = max(policy.local, recent)
        self._recent = recent
        self._indices = [Index() for _ in layers]
        self._weights: list[list[float]] | None = None  # of this pass, by sequence and layer

    @property
    def least(self) -> int:
        """What a budget has to have room for: sinks, newest rows that the user names, and a page's worth on its way."""
        return self.sinks + max(1, self._recent) + self.layers[0].slots

    # -- rows leave

    def shelve(self, tail: View, rooms: Sequence[int]) -> None:
        """What is neither a sink nor among the newest goes to pages, whole ones only.

        tail: a layer's rows that are not in pages;  rooms: rows a head, for each sequence
        """
        present = tail.positions[:, 0] >= 0
        going = [self._going(count, room) for count, room in zip(present.sum(-1).tolist(), rooms, strict=True)]
        if not any(going):
            return
        rank = present.cumsum(-1) - 1
        ends = torch.tensor(going, device=rank.device)[:, None] + self.sinks
        leaves = present & (rank >= self.sinks) & (rank < ends)
        gone = _some(tail, leaves, (~leaves).to(torch.int8).argsort(dim=-1, stable=True)[:, : max(going)])
        order = self.policy.arrange(gone, self.layers[tail.layer].slots)
        if order is not None:
            gone = _ordered(gone, order)
        self._put(tail.layer, gone)
        stays = present & ~leaves
        last = stays.to(torch.int8).argsort(dim=-1, stable=True)[:, -int(stays.sum(-1).max()) :]
        rest = _some(tail, stays, last)
        self.layers[tail.layer].keep_newest(rest.keys, rest.values, rest.positions, rest.figures)

    def _going(self, count: int, room: int) -> int:
        """How many of a sequence's `count` rows leave."""
        slots, beside = self.layers[0].slots, room - self.sinks
        least = max(1, self._recent)
        lot = max(1, min(self.policy.lot, beside // 4, beside - least) // slots) * slots
        newest = max(least, min(self.local, (beside - lot) // 2))
        spare = count - self.sinks - newest
        return spare // slots * slots if spare >= lot else 0

    def _put(self, number: int, gone: View) -> None:
        """Whole pages of rows beside those before, and what is known of them."""
        layer, index = self.layers[number], self._indices[number]
        new = Segment.of(layer.codec, layer.slots, gone.keys, gone.values, gone.positions)
        told = self._summaries(new, gone)
        old = layer.segments[0] if layer.segments else None
        pages = self._stored(new.pages, old.pages if old else None)
        if old is None:
            layer.segments, index.each = (
                [replace(new, pages=pages, runs=new.runs if pages is new.pages else None)],
                told,
            )
        else:
            table, place = _one_after_the_other(old.table, new.table, len(old.pages))
            columns = (place[..., None] * layer.slots + torch.arange(layer.slots, device=place.device)).flatten(2)
            positions = torch.cat((old.positions, new.positions), dim=-1).gather(-1, columns)
            layer.segments = [Segment(pages=pages, table=table, positions=positions, even=False, runs=None)]
            index.each = {name: _at(torch.cat((index.each[name], part), dim=2), place) for name, part in told.items()}
        there = layer.segments[0].table >= 0
        index.whole = self.policy.index({**index.each, **index.whole}, there)

    def _stored(self, pages: Pages, before: Pages | None) -> Pages:
        """Those before, then these, where pages of this cache lie."""
        if self.session is not None:
            return self.session.away(pages, before)
        return pages if before is None else _after(before, pages)

    def _summaries(self, new: Segment, gone: View) -> dict[str, Tensor]:
        """(batch, kv_heads, pages, ...) each."""
        there, shape = new.table >= 0, (*new.table.shape, new.slots)
        keys, values = gone.keys.reshape(*shape, -1)[there], gone.values.reshape(*shape, -1)[there]
        figures = {name: part.reshape(shape)[there] for name, part in gone.figures.items()}
        told = {}
        for name, part in self.policy.summarise(keys, values, figures).items():
            told[name] = part.new_zeros((*new.table.shape, *part.shape[1:]))
            told[name][there] = part
        return told

    # -- rows come back

    def look(self, number: int, queries: Tensor, places: Tensor, rooms: Sequence[int], scaling: float) -> Looked:
        """The rows of a layer's pages that are attended to now.

        queries: (batch, heads, time, dim);  places: (batch, time), -1 for no token
        rooms: rows a head, of each sequence
        """
        policy, layer, index = self.policy, self.layers[number], self._indices[number]
        segment = layer.segments[0]
        there = segment.table >= 0
        kv_heads = there.shape[1]
        group = queries.shape[1] // kv_heads
        asked = Asked(
            queries=queries.reshape(len(queries), kv_heads, -1, queries.shape[-1]),
            real=(places >= 0).repeat(1, group), there=there, group=group, scaling=scaling,
        )  # fmt: skip
        summary = {**index.each, **index.whole}
        scores = policy.pick(asked, summary).float().masked_fill(~there, -torch.inf)
        arrived = (places >= 0).sum(-1).tolist()
        planned = scores
        if policy.prefetches:
            if index.wanted is not None and max(arrived) == 1:
                planned = _carried(index.wanted, there)
            index.wanted = scores
        room = self._pages(number, segment, arrived, rooms)
        picked = (policy.take(planned, room) | (room >= there[:, 0].sum(-1, keepdim=True))[:, None]) & there
        index.weight = policy.density(scores)
        looked = _joined(_fetched(segment, picked), policy.estimate(summary, planned, there & ~picked))
        if policy.prefetches and isinstance(segment.pages, Shelved):
            wanted = policy.take(scores, room) & there
            index.coming = segment.pages.plan(segment.table[wanted], index.coming)
        return looked

    def _pages(self, number: int, segment: Segment, arrived: Sequence[int], rooms: Sequence[int]) -> Tensor:
        """How many pages of this layer fit, (batch, 1)."""
        tail = self.layers[number].tail
        assert tail is not None
        held = (tail.parts()[2][:, 0] >= 0).sum(-1).tolist()
        counts = (segment.table[:, 0] >= 0).sum(-1).tolist()
        fit = [
            max(0, room - (rows - max(0, new - 1))) // segment.slots
            for room, rows, new in zip(rooms, held, arrived, strict=True)
        ]
        if number == 0:
            weights = [index.weight for index in self._indices]
            known = [weight for weight in weights if weight is not None]
            self._weights = torch.stack(known, dim=-1).tolist() if len(known) == len(weights) else None
        if self._weights is not None:
            layers = len(self.layers)
            fit = [
                allocate(pages * layers, weights, caps=[count] * layers, floors=[0] * layers)[number]
                for pages, count, weights in zip(fit, counts, self._weights, strict=True)
            ]
        return torch.tensor(fit, device=segment.table.device)[:, None]

    # -- the whole

    def tensors(self) -> list[Tensor]:
        """All that is known of pages."""
        return [part for index in self._indices for part in index.tensors()]

    def fork(self, layers: list[Layer]) -> Lookups:
        """The same for other layers, which hold the same pages."""
        other = Lookups(self.policy, layers, self.sinks, self._recent, self.session)
        other._indices = [replace(index) for index in self._indices]
        return other

    def choose(self, sequences: Tensor) -> None:
        """Go on with these of the sequences."""
        self._indices = [index.chosen(sequences) for index in self._indices]


def _some(view: View, wanted: Tensor, columns: Tensor) -> View:
    """Columns of a view; absent where they are not wanted. wanted: (batch, time);  columns: (batch, some)"""
    each = columns[:, None].expand(-1, view.keys.shape[1], -1)
    return _taken(view, each, wanted[:, None].expand(-1, view.keys.shape[1], -1).gather(2, each))


def _ordered(view: View, order: Tensor) -> View:
    """Rows in that order, absent ones last. order: (batch, kv_heads, time)"""
    absent = (~view.present.gather(2, order)).to(torch.int8)
    order = order.gather(2, absent.argsort(dim=-1, stable=True))
    return _taken(view, order, view.present.gather(2, order))


def _taken(view: View, columns: Tensor, present: Tensor) -> View:
    index = columns[..., None]
    return replace(
        view,
        keys=view.keys.gather(2, index.expand(-1, -1, -1, view.keys.shape[-1])),
        values=view.values.gather(2, index.expand(-1, -1, -1, view.values.shape[-1])),
        positions=view.positions.gather(2, columns).masked_fill(~present, -1),
        figures={name: part.gather(2, columns) for name, part in view.figures.items()},
    )


def _after(pages: Pages, more: Pages) -> Pages:
    return replace(pages, keys=joined([pages.keys, more.keys]), values=joined([pages.values, more.values]))


def _one_after_the_other(old: Tensor, new: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """A table of both, pages that are there first, and the place that each had. old, new: (batch, kv_heads, pages)"""
    table = torch.cat((old, torch.where(new >= 0, new + count, -1)), dim=-1)
    missing = table < 0
    place = missing.to(torch.int8).argsort(dim=-1, stable=True)[..., : int((~missing).sum(-1).max())]
    return table.gather(-1, place), place


def _at(part: Tensor, place: Tensor) -> Tensor:
    """part: (batch, kv_heads, pages, ...);  place: (batch, kv_heads, some)"""
    index = place.reshape(*place.shape, *[1] * (part.dim() - 3))
    return part.gather(2, index.expand(*place.shape, *part.shape[3:]))


def _carried(wanted: Tensor, there: Tensor) -> Tensor:
    """What was wanted before, for the pages of now: those that came since are still at hand and go first."""
    carried = torch.full(there.shape, torch.inf, device=there.device)
    before = torch.nn.functional.pad(wanted, (0, there.shape[-1] - wanted.shape[-1]), value=-torch.inf)
    return torch.where(before > -torch.inf, before, carried).masked_fill(~there, -torch.inf)


def _fetched(segment: Segment, picked: Tensor) -> Looked:
    """The rows of the pages that were picked, in the order in which they lie."""
    place = (~picked).to(torch.int8).argsort(dim=-1, stable=True)[..., : int(picked.sum(-1).max())]
    wanted = picked.gather(-1, place)
    keys, values = segment.pages.fetch(segment.table.gather(-1, place)[wanted])
    columns = (place[..., None] * segment.slots + torch.arange(segment.slots, device=place.device)).flatten(2)
    positions = segment.positions.gather(-1, columns)
    if not bool(wanted.all()):
        keys, values = _spread(keys, wanted), _spread(values, wanted)
        positions = positions.masked_fill(~wanted.repeat_interleave(segment.slots, dim=-1), -1)
    shape = (*place.shape[:2], place.shape[2] * segment.slots)
    return Looked(
        keys=keys.reshape(*shape, keys.shape[-1]), values=values.reshape(*shape, values.shape[-1]), positions=positions
    )


def _spread(pages: Tensor, wanted: Tensor) -> Tensor:
    """(found, slots, dim) -> (batch, kv_heads, pages, slots, dim), zeros where none is wanted."""
    out = pages.new_zeros((*wanted.shape, *pages.shape[1:]))
    out[wanted] = pages
    return out


def _joined(looked: Looked, stand_ins: tuple[Tensor, Tensor, Tensor] | None) -> Looked:
    """Fetched rows, then stand-ins, which every query may see: their pages are older than the pass."""
    if stand_ins is None:
        return looked
    keys, values, bias = stand_ins
    here = bias > -torch.inf
    none = bias.new_zeros((*bias.shape[:2], looked.keys.shape[2]))
    return Looked(
        keys=torch.cat((looked.keys, keys.to(looked.keys.dtype)), dim=2),
        values=torch.cat((looked.values, values.to(looked.values.dtype)), dim=2),
        positions=torch.cat((looked.positions, here.to(looked.positions.dtype) - 1), dim=-1),
        bias=torch.cat((none, bias.masked_fill(~here, 0.0)), dim=-1),
    )
