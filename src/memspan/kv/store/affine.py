"""Even steps between the least and the largest value, as KIVI lays them.

Source: Liu et al. 2024, "KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache", arXiv:2402.02750: keys get one
zero and one scale for each channel over a run of tokens, values one for each token over a run of channels.
Ours differs: the run of tokens is the page; zeros are rounded down and scales up when they are stored, and codes are
chosen for the stored ones, so that no value is ever further than half a stored scale from what comes back (float32
rounding aside).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, dtype

from memspan.core.errors import UsageError
from memspan.kv.store.blocks import in_blocks
from memspan.kv.store.codec import Parts
from memspan.kv.store.packing import pack, unpack_floats

FLOATS = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """Codes of `bits` bits between the least and the largest number of a channel (keys) or a token (values).

    group: channels of a token that share a scale, a divisor of dim; None: all of them
    """

    bits: ClassVar[int]
    group: int | None = None

    def encode_keys(self, rows: Tensor, positions: Tensor) -> Parts:
        """Codes, zeros and scales of pages of keys, one zero and scale for each channel of a page.

        Raises UsageError where rows hold NaN, infinity, or in float32 what float16 cannot.
        """
        return encode_channels(rows, self.bits)

    def encode_values(self, rows: Tensor, positions: Tensor) -> Parts:
        """Codes, zeros and scales of pages of values, one zero and scale for each group of a token.

        Raises UsageError as encode_keys, and where groups do not fill a token.
        """
        return encode_tokens(rows, self.bits, self.group)

    def decode_keys(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Keys (pages, slots, dim), each within half its channel's scale."""
        return decode_channels(parts, self.bits, like)

    def decode_values(self, parts: Mapping[str, Tensor], like: dtype) -> Tensor:
        """Values (pages, slots, dim), each within half its group's scale."""
        return decode_tokens(parts, self.bits, like)


def encode_channels(rows: Tensor, bits: int) -> Parts:
    """One zero and one scale for each channel of a page: codes, and zeros and scales (pages, 1, dim).

    rows: (pages, slots, dim).  Zeros and scales are of rows' dtype, float16 for float32.
    Raises UsageError where rows hold NaN, infinity, or in float32 what float16 cannot.
    """
    codes, zeros, scales = _quantised(rows, bits, axis=1)
    return {"codes": pack(codes, bits), "zeros": zeros, "scales": scales}


def encode_tokens(rows: Tensor, bits: int, group: int | None) -> Parts:
    """One zero and one scale for each run of `group` channels of a token: codes, zeros and scales (pages, slots, runs).

    rows: (pages, slots, dim);  group: channels that share a scale, all of a token where None
    Raises UsageError as encode_channels, and where groups do not fill a token.
    """
    pages, slots, dim = rows.shape
    group = min(group or dim, dim)
    if dim % group:
        raise UsageError(f"groups of {group} channels do not fill rows of {dim}; choose a divisor of {dim}, or None")
    codes, zeros, scales = _quantised(rows.reshape(pages, slots, dim // group, group), bits, axis=3)
    return {"codes": pack(codes.view(pages, slots, dim), bits), "zeros": zeros[..., 0], "scales": scales[..., 0]}


def decode_channels(parts: Mapping[str, Tensor], bits: int, like: dtype) -> Tensor:
    """Rows (pages, slots, dim) of what encode_channels coded."""

    def decode(some: Mapping[str, Tensor]) -> Tensor:
        out = unpack_floats(some["codes"], bits)
        return torch.addcmul(some["zeros"].float(), out, some["scales"].float(), out=out)

    return decode(parts) if like == torch.float32 else in_blocks(decode, parts, like)


def decode_tokens(parts: Mapping[str, Tensor], bits: int, like: dtype) -> Tensor:
    """Rows (pages, slots, dim) of what encode_tokens coded."""

    def decode(some: Mapping[str, Tensor]) -> Tensor:
        out = unpack_floats(some["codes"], bits)
        runs = some["scales"].shape[2]
        grouped = out.view(*out.shape[:2], runs, out.shape[2] // runs)
        # two passes with one number a run each take half the time of one addcmul with two
        grouped.mul_(some["scales"].float().unsqueeze(-1)).add_(some["zeros"].float().unsqueeze(-1))
        return out

    return decode(parts) if like == torch.float32 else in_blocks(decode, parts, like)


def _quantised(rows: Tensor, bits: int, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    if rows.dtype not in FLOATS:
        raise UsageError(f"rows are {rows.dtype}; they can be float32, float16 or bfloat16")
    kept = torch.float16 if rows.dtype == torch.float32 else rows.dtype
    top = (1 << bits) - 1
    zeros = _rounded_down(rows.amin(axis, keepdim=True).float(), kept)
    wide = (rows.amax(axis, keepdim=True).float() - zeros.float()) / top
    scales = -_rounded_down(-wide, kept)
    if not bool((zeros.isfinite() & scales.isfinite()).all()):
        raise UsageError(
            f"rows hold NaN, infinity or values past what {kept} can hold ({torch.finfo(kept).max:g}); "
            "see what the model computes, or keep them with the codec 'raw'"
        )
    steps = scales.float()
    codes = rows.float().sub(zeros.float()).div_(steps.masked_fill_(steps == 0, 1))
    return codes.round_().clamp_(0, top).to(torch.uint8), zeros, scales


def _rounded_down(exact: Tensor, kept: dtype) -> Tensor:
    """The largest number of that dtype that is not above, -0.0 and the least positive ones included."""
    near = exact.to(kept)
    bits = near.view(torch.int16)  # sign and magnitude: one step down is +1 below zero, -1 above it
    below = torch.where(near > 0, bits - 1, torch.where(near < 0, bits + 1, torch.full_like(bits, -32767)))
    return torch.where(near.float() > exact, below.view(kept), near)
