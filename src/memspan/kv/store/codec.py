"""What a form of keeping pages must do."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, dtype

from memspan.kv.signals import Rotary

Parts = dict[str, Tensor]
"""Tensors by name; the first axis of each is the pages."""


@runtime_checkable
class Codec(Protocol):
    """Turns whole pages into parts and back.

    A page is complete in itself: its scales and tables lie in its parts, and it is coded alike whatever pages are
    coded with it, but for zeros at the end of an axis, which change nothing (`joined` adds them). Slots without a row
    repeat one of the page's rows (`repeated`), so that statistics over a page stay those of its rows; what comes back
    in them means nothing. What a page takes is the sum of its parts' bytes.
    """

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Parts of pages of keys.

        rows: (pages, slots, dim) float32, float16 or bfloat16
        positions: true places of the rows, (pages, slots) int32, -1 where no row is
        Raises UsageError where the codec cannot hold such rows.
        """
        ...

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """Parts of pages of values; arguments as for the keys."""
        ...

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim) of that dtype, in memory of their own or in that of the parts: read, never write."""
        ...

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim) of that dtype; read, never write."""
        ...


@runtime_checkable
class ForModel(Protocol):
    """A codec that has to know how a model turns its keys."""

    def for_model(self, rotary: Rotary) -> Codec:
        """The same for that model."""
        ...


def repeated(positions: Tensor) -> Tensor:
    """Which slot's row lies in each slot: its own, where absent that of the last row before, else of the first after.

    positions: (pages, slots), -1 where no row is

    >>> repeated(torch.tensor([[-1, 7, -1, 9]])).tolist()
    [[1, 1, 1, 3]]
    """
    here = positions >= 0
    before = torch.where(here, torch.arange(positions.shape[1], device=positions.device), -1).cummax(dim=-1).values
    return torch.where(before < 0, here.to(torch.int8).argmax(dim=-1, keepdim=True), before)


def joined(many: Sequence[Mapping[str, Tensor]]) -> Parts:
    """Pages of one codec, coded apart, in one: parts end to end, zeros where one's axes are shorter.

    >>> joined([{"stream": torch.ones(1, 2)}, {"stream": torch.ones(1, 3)}])["stream"].tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    return {name: _end_to_end([parts[name] for parts in many]) for name in many[0]}


def _end_to_end(parts: Sequence[Tensor]) -> Tensor:
    if len({part.shape[1:] for part in parts}) == 1:
        return torch.cat(list(parts))
    first = parts[0]
    longest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    out = torch.zeros((sum(map(len, parts)), *longest), dtype=first.dtype, device=first.device)
    start = 0
    for part in parts:
        out[(slice(start, start + len(part)), *map(slice, part.shape[1:]))] = part
        start += len(part)
    return out
