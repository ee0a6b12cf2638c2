"""What a KV cache weighs: bytes of one sequence, for any model shape, head lengths and number format.

Source: the arithmetic that every paper on the subject starts from: layers x kv heads x tokens x (key + value) x bits.
Checked against the bytes a token that DeepSeek-AI 2025, "Insights into DeepSeek-V3", arXiv:2505.09343, table 1, prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memspan.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """What of a model decides its cache. heads: of queries;  kv_heads: that are stored;  params: of all weights

    head_dim: numbers of a key of one head;  value_dim: of a value, None: as many
    """

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    params: int
    value_dim: int | None = None

    def __post_init__(self) -> None:
        if min(self.layers, self.heads, self.kv_heads, self.head_dim, self.params) < 1 or self.heads % self.kv_heads:
            raise UsageError(f"{self}: all numbers are 1 or more, heads a multiple of kv_heads")

    @property
    def value_width(self) -> int:
        """Numbers of a value of one head."""
        return self.head_dim if self.value_dim is None else self.value_dim


def _shape(layers: int, heads: int, kv_heads: int, head_dim: int, params: int) -> ModelShape:
    return ModelShape(layers=layers, heads=heads, kv_heads=kv_heads, head_dim=head_dim, params=params)


# Facts of the models' public config.json; params follow from the same files (tests/plan/test_cache_bytes.py counts)
SHAPES: Mapping[str, ModelShape] = {
    "Llama-2-7B": _shape(32, 32, 32, 128, 6_738_415_616),
    "Llama-2-13B": _shape(40, 40, 40, 128, 13_015_864_320),
    "Llama-3.2-1B": _shape(16, 32, 8, 64, 1_235_814_400),
    "Llama-3.1-8B": _shape(32, 32, 8, 128, 8_030_261_248),
    "Llama-3.1-70B": _shape(80, 64, 8, 128, 70_553_706_496),
    "Llama-3.1-405B": _shape(126, 128, 8, 128, 405_853_388_800),
    "Mistral-7B-v0.1": _shape(32, 32, 8, 128, 7_241_732_096),
    "Qwen2.5-7B": _shape(28, 28, 4, 128, 7_615_616_512),
    "Qwen2.5-72B": _shape(80, 64, 8, 128, 72_706_203_648),
    "Qwen3-4B": _shape(36, 32, 8, 128, 4_022_468_096),
    "Qwen3-8B": _shape(36, 32, 8, 128, 8_190_735_360),
    "Qwen3-14B": _shape(40, 40, 8, 128, 14_768_307_200),
    "Qwen3-32B": _shape(64, 64, 8, 128, 32_762_123_264),
    "Yi-34B": _shape(60, 56, 8, 128, 34_388_917_248),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How numbers are stored. key_bits, value_bits: of each number

    key_group: tokens of a key's channel that share a scale and a zero, value_group: channels of a value that do;
        0: none do.  In memspan.kv the first is the page.
    scale_bits, zero_bits: of those;  recent: newest tokens that stay at 16 bits [tokens]
    """

    name: str
    key_bits: float
    value_bits: float
    key_group: int = 0
    value_group: int = 0
    scale_bits: int = 16
    zero_bits: int = 16
    recent: int = 0

    def bits(self, key_dim: int, value_dim: int) -> float:
        """Of one token of one head, scales included.

        >>> CODECS["int4"].bits(128, 128), CODECS["16-bit"].bits(128, 128)
        (1152.0, 4096.0)
        """
        shared = self.scale_bits + self.zero_bits
        key = self.key_bits + (shared / self.key_group if self.key_group else 0.0)
        value = self.value_bits + (shared / self.value_group if self.value_group else 0.0)
        return key_dim * key + value_dim * value


CODECS: Mapping[str, Codec] = {
    codec.name: codec
    for codec in (
        Codec(name="32-bit", key_bits=32, value_bits=32),
        Codec(name="16-bit", key_bits=16, value_bits=16),
        Codec(name="fp8", key_bits=8, value_bits=8),
        Codec(name="int8", key_bits=8, value_bits=8, key_group=64, value_group=64),
        Codec(name="int4", key_bits=4, value_bits=4, key_group=64, value_group=64),
        Codec(name="int2", key_bits=2, value_bits=2, key_group=64, value_group=64),
        Codec(name="kivi2", key_bits=2, value_bits=2, key_group=32, value_group=32, recent=128),
    )
}
"""`kivi2`: groups of 32 and a window of 128 (Liu et al. 2024, arXiv:2402.02750, the settings of its code)."""

RAW = CODECS["16-bit"]


def head_bytes(tokens: int, key_dim: int, value_dim: int, codec: Codec = RAW) -> float:
    """Bytes of one head of one layer. Raises UsageError where a number is negative.

    >>> head_bytes(1000, 128, 128)
    512000.0
    """
    if min(tokens, key_dim, value_dim) < 0:
        raise UsageError(f"{tokens} tokens of {key_dim} + {value_dim} numbers: none may be negative")
    recent = min(tokens, codec.recent)
    return ((tokens - recent) * codec.bits(key_dim, value_dim) + recent * RAW.bits(key_dim, value_dim)) / 8


def cache_bytes(shape: ModelShape, tokens: int, codec: Codec = RAW) -> float:
    """Bytes of one sequence whose heads all hold the same number of tokens.

    >>> cache_bytes(SHAPES["Llama-3.1-8B"], 1) / 1024, cache_bytes(SHAPES["Llama-2-7B"], 1) / 1024
    (128.0, 512.0)
    """
    return shape.layers * shape.kv_heads * head_bytes(tokens, shape.head_dim, shape.value_width, codec)


def ragged_bytes(
    shape: ModelShape,
    lengths: Sequence[Sequence[int]],
    codec: Codec = RAW,
    key_dims: Sequence[Sequence[int]] | None = None,
) -> float:
    """Bytes of one sequence whose heads hold different numbers of tokens.

    lengths: [layer][kv head] [tokens];  key_dims: likewise, numbers left of each key where channels were cut
    Raises UsageError where a table is not (layers, kv_heads).

    >>> tiny = ModelShape(layers=1, heads=2, kv_heads=2, head_dim=4, params=1)
    >>> ragged_bytes(tiny, [[3, 1]]), ragged_bytes(tiny, [[3, 1]], key_dims=[[2, 4]])
    (64.0, 52.0)
    """
    dims = key_dims or [[shape.head_dim] * shape.kv_heads] * shape.layers
    for table in (lengths, dims):
        if len(table) != shape.layers or any(len(row) != shape.kv_heads for row in table):
            raise UsageError(f"a table of {shape.layers} layers x {shape.kv_heads} kv heads is needed, not {table!r}")
    return sum(
        head_bytes(tokens, dim, shape.value_width, codec)
        for row, widths in zip(lengths, dims, strict=True)
        for tokens, dim in zip(row, widths, strict=True)
    )


def weight_bytes(shape: ModelShape, bits: float = 16) -> float:
    """Bytes of all weights at so many bits each.

    >>> weight_bytes(SHAPES["Llama-3.1-8B"])
    16060522496.0
    """
    return shape.params * bits / 8
