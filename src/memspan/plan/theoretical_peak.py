"""The best a device could do with a long context: users at once, prefill, decoding, switching; all set by the cache.

Source: Fu 2024, "Challenges in Deploying Long-Context Transformers: A Theoretical Peak Performance Analysis",
arXiv:2405.08944. Its figures for a 34B model on one A100 with 80 GB: prefill 14.1 s at 50K tokens and 0.89 s at 4K,
decoding 9.8 s and 8.5 s, 1 user and about 20.
Ours differs: attention is counted for the model's own layers and width. The paper's 14.1 s comes out with 48 layers of
4,096, which we infer; Yi-34B (60 of 7,168) takes 17.9 s. At 4K 18 users fit here. The link to the host is the device's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from memspan.core.errors import UsageError
from memspan.plan.cache import RAW, Codec, ModelShape, cache_bytes, weight_bytes
from memspan.plan.device import Device


def concurrency(device: Device, weights: float, kv: float) -> int:
    """Sequences that fit beside the weights. weights: of the model, kv: of one sequence [bytes]

    >>> from memspan.plan.device import DEVICES
    >>> concurrency(DEVICES["A100-80"], 68e9, 12.3e9)
    1
    """
    return max(0, int((device.memory - weights) // kv))


def decode_floor_s(device: Device, weights: float, kv: float, batch: int = 1) -> float:
    """Least seconds of a step that gives each of `batch` sequences one token: all is read once.

    >>> from memspan.plan.device import DEVICES
    >>> round(decode_floor_s(DEVICES["A100-80"], 68e9, 12.3e9), 4)
    0.0394
    """
    return (weights + batch * kv) / device.bandwidth


def decode_flops(shape: ModelShape, tokens: int) -> float:
    """Operations to give one sequence its next token, with so many in its cache.

    >>> from memspan.plan.cache import SHAPES
    >>> f"{decode_flops(SHAPES['Llama-3.1-8B'], 32_768):.3g}"
    '3.32e+10'
    """
    width = shape.heads * (shape.head_dim + shape.value_width)
    return 2.0 * shape.params + 2.0 * shape.layers * tokens * width


def prefill_flops(shape: ModelShape, tokens: int) -> float:
    """Operations to read a prompt: 2 for each weight and token, and causal attention.

    >>> from memspan.plan.cache import SHAPES
    >>> f"{prefill_flops(SHAPES['Llama-3.1-8B'], 8192):.3g}"
    '1.49e+14'
    """
    width = shape.heads * (shape.head_dim + shape.value_width) / 2
    return tokens * (2.0 * shape.params + 2.0 * shape.layers * tokens * width)


def prefill_floor_s(device: Device, shape: ModelShape, tokens: int) -> float:
    """Least seconds to read a prompt of so many tokens.

    >>> from memspan.plan.cache import SHAPES
    >>> from memspan.plan.device import DEVICES
    >>> round(prefill_floor_s(DEVICES["L4"], SHAPES["Llama-3.1-8B"], 8192), 2)
    1.23
    """
    return prefill_flops(shape, tokens) / device.flops


def switch_s(device: Device, kv: float) -> float:
    """Least seconds to change users: one cache leaves for the host's memory, another of its size comes back.

    >>> from memspan.plan.device import DEVICES
    >>> switch_s(DEVICES["A100-80"], 16e9)
    1.0
    """
    return 2 * kv / device.link


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What fits and how fast at best. kept: share of the tokens that stay in the cache [0..1]

    token_bytes: of the cache, for each token that stays;  sequence_bytes: of one sequence;  fits: sequences at once
    step_s: to decode a token of one sequence;  full_step_s, tokens_a_second: with all that fit
    batch1_s: step_s at the share of the bandwidth that was measured for 7 to 8 billion weights of 16 bits; else None
    """

    codec: str
    kept: float
    token_bytes: float
    sequence_bytes: float
    fits: int
    step_s: float
    batch1_s: float | None
    full_step_s: float
    tokens_a_second: float
    prefill_s: float
    switch_s: float


def peak(
    shape: ModelShape,
    device: Device,
    tokens: int,
    *,
    codec: Codec = RAW,
    kept: float = 1.0,
    weight_bits: float = 16,
) -> Peak:
    """The four figures at once. Raises UsageError where tokens < 1, or kept is outside (0, 1].

    >>> from memspan.plan.cache import SHAPES
    >>> from memspan.plan.device import DEVICES
    >>> peak(SHAPES["Llama-3.1-8B"], DEVICES["L4"], 32_768).fits
    2
    """
    if tokens < 1 or not 0 < kept <= 1:
        raise UsageError(f"{tokens} tokens, {kept} of them kept: at least one token, and a share above 0 and up to 1")
    held = ceil(tokens * kept)
    weights, kv = weight_bytes(shape, weight_bits), cache_bytes(shape, held, codec)
    fits, step = concurrency(device, weights, kv), decode_floor_s(device, weights, kv)
    full = max(decode_floor_s(device, weights, kv, fits), fits * decode_flops(shape, held) / device.flops)
    like = device.batch1_share if 6e9 < shape.params < 9e9 and weight_bits == 16 and fits else None
    return Peak(
        codec=codec.name,
        kept=kept,
        token_bytes=kv / held,
        sequence_bytes=kv,
        fits=fits,
        step_s=step,
        batch1_s=step / like if like else None,
        full_step_s=full,
        tokens_a_second=fits / full,
        prefill_s=prefill_floor_s(device, shape, tokens),
        switch_s=switch_s(device, kv),
    )


def compared(
    shape: ModelShape, device: Device, tokens: int, codecs: Iterable[Codec], shares: Iterable[float], weight_bits: float
) -> list[Peak]:
    """The same for each format and each share of tokens kept.

    >>> from memspan.plan.cache import CODECS, SHAPES
    >>> from memspan.plan.device import DEVICES
    >>> rows = compared(SHAPES["Llama-3.1-8B"], DEVICES["L4"], 32_768, [RAW, CODECS["int4"]], [1.0, 0.25], 16)
    >>> [row.fits for row in rows]
    [2, 9, 8, 32]
    """
    shares = tuple(shares)
    return [
        peak(shape, device, tokens, codec=codec, kept=share, weight_bits=weight_bits)
        for codec in codecs
        for share in shares
    ]
