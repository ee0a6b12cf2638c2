"""DFloat11: bfloat16 without loss, its exponents in a prefix code.

Source: Zhang et al. 2025, "70% Size, 100% Accuracy: Lossless LLM Compression for Efficient GPU Inference via
Dynamic-Length Float", arXiv:2504.11651: the 8 exponent bits of weights are Huffman coded, sign and mantissa kept; many
threads decode at once, each from a place of its own in the bits.
Ours differs: it codes pages of a cache, each with a code of its own; codes are at most 8 bits long; each slot is a run
of its own, and all runs of all pages are decoded in step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, dtype

from memspan.core.card import Card
from memspan.core.errors import UsageError
from memspan.kv.store.blocks import in_blocks
from memspan.kv.store.codec import Parts
from memspan.kv.store.huffman import code_lengths, codes_of, read, write


@dataclass(frozen=True, slots=True, kw_only=True)
class DFloat11:
    """Every bit of bfloat16 rows, NaN and infinity included, in about 11 bits a number; meant for pages at rest.

    >>> rows = torch.linspace(-1, 1, 1024).view(1, 16, 64).bfloat16()
    >>> parts = DFloat11().encode_keys(rows, torch.arange(16, dtype=torch.int32)[None])
    >>> torch.equal(DFloat11().decode_keys(parts, torch.bfloat16), rows)
    True
    >>> sum(part.nbytes for part in parts.values()), rows.nbytes
    (1322, 2048)
    """

    card: ClassVar[Card] = Card(
        title="bfloat16 without loss, its exponents in a prefix code",
        source="Zhang et al. 2025, DFloat11, arXiv:2504.11651",
        year=2025,
        claims=("about 30 % off bfloat16 weights",),
        needs="torch",
        failures=(
            "only bfloat16",
            "decoding on a CPU takes hundreds of times as long as copying, about 40 ns a number",
        ),
    )

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Signs and mantissas, coded exponents, the bytes of each slot's code, and the page's symbols with their bits.

        Raises UsageError where rows are not bfloat16.
        """
        return _encoded(rows)

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """As for keys."""
        return _encoded(rows)

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim), bit for bit where bfloat16 is asked for."""
        return in_blocks(_decoded, parts, like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim), bit for bit where bfloat16 is asked for."""
        return in_blocks(_decoded, parts, like)


def _encoded(rows: Tensor) -> Parts:
    if rows.dtype != torch.bfloat16:
        raise UsageError(f"rows are {rows.dtype}; dfloat11 codes bfloat16 only: run the model in it, or use 'raw'")
    words = rows.contiguous().view(torch.int16).int()
    exponents = ((words >> 7) & 0xFF).long()
    flat = exponents.flatten(1)
    counts = torch.zeros((len(rows), 256), dtype=torch.int64, device=rows.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    lengths = code_lengths(counts)
    stream, sizes = write(codes_of(lengths).gather(1, flat).view(rows.shape), lengths.gather(1, flat).view(rows.shape))
    return {
        "rest": (((words >> 8) & 0x80) | (words & 0x7F)).to(torch.uint8),
        "stream": stream,
        "sizes": sizes.to(torch.uint8 if rows.shape[2] <= 255 else torch.int16),
        **_listed(lengths),
    }


def _listed(lengths: Tensor) -> Parts:
    """The symbols that have a code, and its bits; zeros up to the page with the most."""
    most = int((lengths > 0).sum(dim=1).max()) if len(lengths) else 0
    symbols = (lengths > 0).to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
    bits = lengths.gather(1, symbols)
    return {"symbols": (symbols * (bits > 0)).to(torch.uint8), "bits": bits.to(torch.uint8)}


def _decoded(parts: Mapping[str, Tensor]) -> Tensor:
    rest, bits = parts["rest"].short(), parts["bits"].long()
    lengths = torch.zeros((len(bits), 256), dtype=torch.int64, device=bits.device)
    # zeros that pad the list stand for symbol 0 with no bits: the larger of the two is right
    lengths.scatter_reduce_(1, parts["symbols"].long(), bits, "amax")
    exponents = read(parts["stream"], parts["sizes"].long(), lengths, rest.shape[2]).short()
    words = ((rest & 0x80) << 8) | (exponents << 7) | (rest & 0x7F)
    return words.view(torch.bfloat16)


METHOD = DFloat11
