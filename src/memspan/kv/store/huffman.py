"""Prefix codes for small numbers, over many pages at once.

Source: Larmore and Hirschberg 1990, "A fast algorithm for optimal length-limited Huffman codes" (package-merge), here
on sorted rows of counts, so that a step works on all pages; codes are canonical (Schwartz and Kallick 1964).

A symbol is 0 to 255; a code is at most LONGEST bits. A lane is a run of symbols whose code starts on a byte of its own,
so that all lanes of all pages are read in step.
"""

import torch
from torch import Tensor

LONGEST = 8
"""Longest code [bits], for tables of 256 entries: exponents of normal rows take 2.580 bits, unlimited 2.575."""


def code_lengths(counts: Tensor) -> Tensor:
    """Bits of each symbol's code, 0 where it has none, (pages, symbols) int64.

    counts: how often each symbol comes, (pages, symbols), at most 256 symbols

    >>> code_lengths(torch.tensor([[5, 0, 1, 2]])).tolist()
    [[1, 0, 2, 2]]
    """
    pages = len(counts)
    symbols = int((counts > 0).sum(dim=1).max()) if pages else 0
    weights, order = torch.where(counts > 0, counts.double(), torch.inf).sort(dim=1, stable=True)
    weights, order = weights[:, :symbols], order[:, :symbols]  # the others come nowhere
    owned = [torch.ones_like(weights, dtype=torch.bool)]
    merged = weights
    for _ in range(LONGEST - 1):
        count = merged.shape[1] // 2
        pairs = merged[:, : count * 2].reshape(pages, count, 2).sum(dim=2)
        merged, places = torch.cat([weights, pairs], dim=1).sort(dim=1, stable=True)
        owned.append(places < symbols)
    taken = (counts > 0).sum(dim=1, keepdim=True) * 2 - 2
    lengths = torch.zeros_like(order)
    for own in reversed(owned):
        singles = (own & (torch.arange(own.shape[1], device=own.device) < taken)).sum(dim=1, keepdim=True)
        lengths += torch.arange(symbols, device=counts.device) < singles
        taken = (taken - singles) * 2
    lengths = torch.zeros_like(counts, dtype=torch.int64).scatter_(1, order, lengths)
    return torch.where((counts > 0) & (lengths == 0), 1, lengths)  # a page of one symbol: one bit each


def codes_of(lengths: Tensor) -> Tensor:
    """The canonical code of each symbol: by length, then by place, (pages, symbols) int64."""
    spans = torch.where(lengths > 0, 1 << (LONGEST - lengths), 0)
    order = torch.where(lengths > 0, lengths, LONGEST + 1).sort(dim=1, stable=True).indices
    ordered = spans.gather(1, order)
    starts = torch.zeros_like(spans).scatter_(1, order, ordered.cumsum(1) - ordered)
    return starts >> (LONGEST - lengths)


def write(codes: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Bytes of each page's lanes one after the other, zeros up to the longest page's; and the bytes of each lane.

    codes, lengths: code and bits of each symbol, (pages, lanes, count)
    Returns (pages, bytes) uint8 and (pages, lanes) int64.
    """
    pages = len(codes)
    ends = lengths.cumsum(2)
    sizes = (ends[..., -1] + 7) // 8
    first = (sizes.cumsum(1) - sizes) * 8
    at = (first[..., None] + ends - lengths).flatten(1)
    width = int(sizes.sum(dim=1).max()) if pages else 0
    words = torch.zeros((pages, width // 2 + 3), dtype=torch.int32, device=codes.device)
    # a code lies in two neighbouring runs of 16 bits; no two codes share a bit, so a sum joins them
    placed = (codes.flatten(1) << (32 - lengths.flatten(1))) >> (at & 15)
    words.scatter_add_(1, at >> 4, (placed >> 16).int())
    words.scatter_add_(1, (at >> 4) + 1, (placed & 0xFFFF).int())
    both = torch.stack([words >> 8, words & 0xFF], dim=2).to(torch.uint8)
    return both.flatten(1)[:, :width].contiguous(), sizes


def read(stream: Tensor, sizes: Tensor, lengths: Tensor, count: int) -> Tensor:
    """The symbols of each lane, (pages, lanes, count) uint8.

    stream, sizes: what write returned;  lengths: bits of each of 256 symbols, (pages, 256)
    """
    pages, lanes = sizes.shape
    table = _table(lengths)
    padded = torch.nn.functional.pad(stream, (0, 2)).int()
    words = ((padded[:, :-2] << 16) | (padded[:, 1:-1] << 8) | padded[:, 2:]).flatten()
    page = torch.arange(pages, device=stream.device)[:, None]
    at = ((sizes.cumsum(1) - sizes + page * stream.shape[1]) * 8).int().flatten()
    base = (page * (1 << LONGEST)).int().expand(pages, lanes).flatten()
    entries = torch.empty((count, pages * lanes), dtype=torch.int32, device=stream.device)
    for entry in entries:
        seen = words.index_select(0, at >> 3).bitwise_right_shift_((24 - LONGEST) - (at & 7))
        torch.index_select(table, 0, seen.bitwise_and_((1 << LONGEST) - 1).add_(base), out=entry)
        at += entry & 15
    return (entries >> 4).to(torch.uint8).view(count, pages, lanes).permute(1, 2, 0).contiguous()


def _table(lengths: Tensor) -> Tensor:
    """Symbol * 16 + length of the code that any LONGEST bits begin with, page after page."""
    spans = torch.where(lengths > 0, 1 << (LONGEST - lengths), 0)
    order = torch.where(lengths > 0, lengths, LONGEST + 1).sort(dim=1, stable=True).indices
    ends = spans.gather(1, order).cumsum(1)
    windows = torch.arange(1 << LONGEST, device=lengths.device).expand(len(lengths), -1).contiguous()
    rank = torch.searchsorted(ends, windows, right=True).clamp_(max=lengths.shape[1] - 1)
    symbol = order.gather(1, rank)
    return (symbol * 16 + lengths.gather(1, symbol)).int().flatten()
