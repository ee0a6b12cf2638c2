"""Nuq: codes for uneven levels that lie where the numbers are, and the outliers as they are.

Source: Hooper et al. 2024, "KVQuant: Towards 10 Million Context Length LLM Inference with KV Cache Quantization",
arXiv:2401.18079: keys by channel and values by token are scaled into [-1, 1] without their outliers (1 %), levels come
from a k-means over calibration data weighted by Fisher information, outliers are kept sparse, first tokens whole.
Ours differs: keys are coded as they are given, after RoPE unless the codec "unrotated" turns them back; without
calibrated levels each page fits its own; a page keeps the same number of outliers as any other, those that stand out
most from their channel or token; Q-Norm and the first tokens are left to whoever chooses levels and codecs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, dtype

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.store.blocks import in_blocks
from memspan.kv.store.codec import Parts
from memspan.kv.store.levels import fit_levels, nearest
from memspan.kv.store.packing import pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Nuq:
    """2 ** bits levels a page, uneven, and one number in a hundred kept exactly.

    bits: of a code, 2, 3 or 4;  outliers: share of the numbers of a page that are kept as they are [0..1]
    key_levels, value_levels: 2 ** bits ascending levels for numbers in [-1, 1], fitted beforehand; None: each page
    fits its own, which costs 16 bits a level

    >>> rows = torch.tensor([[[0.0], [0.1], [1.0], [9.0], [0.0], [0.1], [1.0], [500.0]]])
    >>> codec, positions = Nuq(bits=2, outliers=0.25), torch.arange(8, dtype=torch.int32)[None]
    >>> codec.decode_keys(codec.encode_keys(rows, positions), torch.float32).flatten()[[3, 7]].tolist()
    [9.0, 500.0]
    """

    bits: Literal[2, 3, 4] = 4
    outliers: float = 0.01
    key_levels: tuple[float, ...] | None = None
    value_levels: tuple[float, ...] | None = None

    card: ClassVar[Card] = Card(
        title="uneven levels that lie where the numbers are, outliers as they are",
        source="Hooper et al. 2024, KVQuant, arXiv:2401.18079",
        year=2024,
        claims=("less than 0.1 perplexity lost at 3 bits",),
        needs="torch",
        failures=("keys after RoPE: channels that turn have no range of their own",),
    )

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Codes; middles and widths (pages, 1, dim); outliers and places; levels where the page has its own.

        Raises UsageError where rows hold NaN or infinity, or there are not 2 ** bits levels.
        """
        return self._encoded(rows, 1, self.key_levels)

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """As for keys, with middles and widths (pages, slots, 1)."""
        return self._encoded(rows, 2, self.value_levels)

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim): outliers exactly, others at the level nearest to them."""
        return in_blocks(partial(self._decoded, self.key_levels), parts, like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim): outliers exactly, others at the level nearest to them."""
        return in_blocks(partial(self._decoded, self.value_levels), parts, like)

    def levels(self, rows: Tensor, axis: Literal[1, 2]) -> tuple[float, ...]:
        """2 ** bits levels that fit many pages together, to be given as key_levels (axis 1) or value_levels (axis 2).

        rows: (pages, slots, dim)
        """
        scaled, _, aside = self._scaled(rows, axis)[:3]
        fitted = fit_levels(scaled.view(1, -1), self.bits, ~aside.view(1, -1))
        return tuple(fitted[0].tolist())

    def _scaled(self, rows: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Numbers in [-1, 1] and outliers' places of each page, which they are, middles and widths."""
        pages, slots, dim = rows.shape
        places = _outliers(rows, axis, round(self.outliers * slots * dim))
        aside = torch.zeros((pages, slots * dim), dtype=torch.bool, device=rows.device).scatter_(1, places, True)
        middles, widths = _middles_and_widths(rows, aside.view(rows.shape), axis)
        scaled = ((rows.float() - middles.float()) / _divisor(widths)).flatten(1).masked_fill_(aside, 0)
        return scaled, places, aside, middles, widths

    def _encoded(self, rows: Tensor, axis: int, given: tuple[float, ...] | None) -> Parts:
        if self.bits not in (2, 3, 4) or (given is not None and len(given) != 1 << self.bits):
            raise UsageError(f"{self.bits} bits and {len(given or ())} levels; use 2, 3 or 4 bits and 2 ** bits levels")
        pages, slots, dim = rows.shape
        scaled, places, aside, middles, widths = self._scaled(rows, axis)
        parts = {
            "middles": middles,
            "widths": widths,
            "outliers": rows.flatten(1).gather(1, places),
            "places": places.to(torch.int16 if slots * dim <= 1 << 15 else torch.int32),
        }
        if given is None:
            parts["levels"] = fit_levels(scaled, self.bits, ~aside).to(middles.dtype)
        codes = nearest(scaled, _table(parts, given, pages))
        return {"codes": pack(codes.view(rows.shape), self.bits), **parts}

    def _decoded(self, given: tuple[float, ...] | None, parts: Mapping[str, Tensor]) -> Tensor:
        codes = unpack(parts["codes"], self.bits)
        pages, levels = len(codes), 1 << self.bits
        table = _table(parts, given, pages)
        # look-ups by int32 in one flat table take a fifth of the time of a gather, which wants int64
        firsts = torch.arange(0, pages * levels, levels, dtype=torch.int32, device=codes.device)
        out = table.flatten().index_select(0, (codes + firsts[:, None, None]).flatten()).view(codes.shape)
        out.mul_(parts["widths"].float()).add_(parts["middles"].float())
        out.flatten(1).scatter_(1, parts["places"].long(), parts["outliers"].float())
        return out


def _outliers(rows: Tensor, axis: int, count: int) -> Tensor:
    """Places in a page of the numbers furthest from their vector's median, its typical distance taken off, ascending.

    Taking that off keeps a channel that is wide throughout from claiming them all.
    """
    away = (rows - rows.median(dim=axis, keepdim=True).values).float().abs_()
    excess = away - 3 * away.mean(dim=axis, keepdim=True)
    return excess.flatten(1).topk(count, dim=1, sorted=False).indices.sort(dim=1).values


def _middles_and_widths(rows: Tensor, aside: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    kept = torch.float16 if rows.dtype == torch.float32 else rows.dtype
    numbers = rows.float()
    least = numbers.masked_fill(aside, torch.inf).amin(axis, keepdim=True)
    most = numbers.masked_fill(aside, -torch.inf).amax(axis, keepdim=True)
    empty = aside.all(dim=axis, keepdim=True)
    middles = ((least + most) / 2).masked_fill_(empty, 0).to(kept)
    widths = torch.maximum(most - middles.float(), middles.float() - least).masked_fill_(empty, 0).to(kept)
    if not bool((middles.isfinite() & widths.isfinite()).all() & rows.isfinite().all()):
        raise UsageError(
            f"rows hold NaN, infinity or too many values past {torch.finfo(kept).max:g}; "
            "see what the model computes, or keep them with the codec 'raw'"
        )
    return middles, widths


def _divisor(widths: Tensor) -> Tensor:
    return widths.float().masked_fill(widths == 0, 1)


def _table(parts: Mapping[str, Tensor], given: tuple[float, ...] | None, pages: int) -> Tensor:
    if given is None:
        return parts["levels"].float()
    return torch.tensor(given, device=parts["middles"].device).expand(pages, len(given)).contiguous()


METHOD = Nuq
