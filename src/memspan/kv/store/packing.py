"""Small whole numbers side by side in bytes.

The slots of a page are cut into 8 / bits runs and laid over each other, so that one shift and one mask give back a
whole run at a time: a page of 16 slots in 4 bits holds slot s and slot s + 8 in one byte.
"""

import torch
from torch import Tensor

from memspan.core.errors import UsageError


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes of `bits` bits in bytes: (pages, slots, dim) uint8 to (pages, slots * bits / 8, dim) uint8.

    bits: 1 to 4, or 8; 3 are laid as two and one
    Raises UsageError where the slots do not fill whole bytes.

    >>> pack(torch.tensor([[[1], [2], [3], [4]]], dtype=torch.uint8), 4).flatten().tolist()
    [49, 66]
    """
    if bits == 8:
        return codes
    if bits == 3:
        return torch.cat([pack(codes & 3, 2), pack(codes >> 2, 1)], dim=1)
    runs = 8 // bits
    if codes.shape[1] % runs:
        raise UsageError(f"pages of {codes.shape[1]} slots do not fill bytes of {runs} codes; use a multiple of {runs}")
    packed, *others = codes.chunk(runs, dim=1)
    for place, run in enumerate(others, 1):
        packed = packed | (run << (place * bits))
    return packed.contiguous()


def unpack(packed: Tensor, bits: int) -> Tensor:
    """What was packed: (pages, slots * bits / 8, dim) uint8 to (pages, slots, dim) uint8.

    >>> unpack(torch.tensor([[[49], [66]]], dtype=torch.uint8), 4).flatten().tolist()
    [1, 2, 3, 4]
    """
    if bits == 8:
        return packed
    if bits == 3:
        twos = packed.shape[1] * 2 // 3
        return unpack(packed[:, :twos], 2) | (unpack(packed[:, twos:], 1) << 2)
    return torch.cat(_runs(packed, bits), dim=1)


def unpack_floats(packed: Tensor, bits: int) -> Tensor:
    """What was packed, as float32; each run is written once, without uint8 in between."""
    if bits in (3, 8):
        return unpack(packed, bits).float()
    pages, height, dim = packed.shape
    out = torch.empty((pages, height * 8 // bits, dim), dtype=torch.float32, device=packed.device)
    for run, place in zip(_runs(packed, bits), out.chunk(8 // bits, dim=1), strict=True):
        place.copy_(run)
    return out


def _runs(packed: Tensor, bits: int) -> list[Tensor]:
    mask = (1 << bits) - 1
    places = range(0, 8, bits)
    return [(packed >> place if place else packed) & mask if place < 8 - bits else packed >> place for place in places]
