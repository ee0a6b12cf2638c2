"""Bytes of a cache: against figures that others print, and against a loop over every number stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.cache import CODECS, SHAPES, Codec, ModelShape, cache_bytes, ragged_bytes, weight_bytes

# vocabulary, width, inner width, whether the head is the embedding, of the public config.json files
CONFIGS = {
    "Llama-2-7B": (32000, 4096, 11008, False),
    "Llama-2-13B": (32000, 5120, 13824, False),
    "Llama-3.2-1B": (128256, 2048, 8192, True),
    "Llama-3.1-8B": (128256, 4096, 14336, False),
    "Llama-3.1-70B": (128256, 8192, 28672, False),
    "Llama-3.1-405B": (128256, 16384, 53248, False),
    "Mistral-7B-v0.1": (32000, 4096, 14336, False),
    "Qwen2.5-7B": (152064, 3584, 18944, False),
    "Qwen2.5-72B": (152064, 8192, 29568, False),
    "Qwen3-4B": (151936, 2560, 9728, True),
    "Qwen3-8B": (151936, 4096, 12288, False),
    "Qwen3-14B": (151936, 5120, 17408, False),
    "Qwen3-32B": (151936, 5120, 25600, False),
    "Yi-34B": (64000, 7168, 20480, False),
}


def counted(name, shape):
    """Weights of a Llama-like model, one matrix after the other."""
    vocabulary, width, inner, tied = CONFIGS[name]
    queries, stored = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    layer = 2 * width * queries + 2 * width * stored + 3 * width * inner + 2 * width
    if name.startswith("Qwen2.5"):
        layer += queries + 2 * stored  # biases
    if name.startswith("Qwen3"):
        layer += 2 * shape.head_dim  # norms of queries and keys
    return shape.layers * layer + (1 if tied else 2) * vocabulary * width + width


@pytest.mark.parametrize("name", SHAPES)
def test_weights_are_those_of_the_configuration(name):
    """Counted from layers, widths and vocabulary, to the last weight."""
    assert SHAPES[name].params == counted(name, SHAPES[name])
    assert weight_bytes(SHAPES[name], 4) * 4 == weight_bytes(SHAPES[name])


@pytest.mark.parametrize(
    ("name", "bytes_a_token"),
    [
        ("Llama-3.1-8B", 128 * 1024),  # 2 x 32 x 8 x 128 x 2
        ("Llama-2-7B", 512 * 1024),
        ("Llama-3.1-405B", 516_096),  # DeepSeek-AI 2025, arXiv:2505.09343, table 1
        ("Qwen2.5-72B", 327_680),  # the same
    ],
)
def test_bytes_a_token_are_the_published_ones(name, bytes_a_token):
    """At 16 bits, and linear in the tokens."""
    assert cache_bytes(SHAPES[name], 1) == bytes_a_token
    assert cache_bytes(SHAPES[name], 4096) == 4096 * bytes_a_token


def test_fifty_thousand_tokens_of_yi_are_eleven_gigabytes():
    """As in arXiv:2405.08944, whose gigabytes are 2^30."""
    assert cache_bytes(SHAPES["Yi-34B"], 50_000) / 2**30 == pytest.approx(11.4, abs=0.1)


def test_scales_are_counted():
    """4 bits with a 16-bit scale and zero for 64 numbers are 4.5; the newest tokens of kivi2 stay at 16 bits."""
    shape = SHAPES["Llama-3.1-8B"]
    assert cache_bytes(shape, 100, CODECS["int4"]) == cache_bytes(shape, 100) * 4.5 / 16
    raw, packed = cache_bytes(shape, 128), cache_bytes(shape, 1000 - 128) * 3 / 16
    assert cache_bytes(shape, 1000, CODECS["kivi2"]) == raw + packed
    assert cache_bytes(shape, 100, CODECS["kivi2"]) == cache_bytes(shape, 100)


@given(
    lengths=st.lists(st.lists(st.integers(0, 50), min_size=2, max_size=2), min_size=3, max_size=3),
    key_bits=st.integers(1, 32),
    value_dim=st.integers(0, 20),
    recent=st.integers(0, 10),
)
def test_heads_of_any_length_are_summed(lengths, key_bits, value_dim, recent):
    """Every token of every head, number by number."""
    shape = ModelShape(layers=3, heads=4, kv_heads=2, head_dim=16, params=1, value_dim=value_dim)
    codec = Codec(name="x", key_bits=key_bits, value_bits=4, key_group=8, value_group=16, recent=recent)
    bits = 0.0
    for row in lengths:
        for length in row:
            for age in range(length):
                if age < recent:
                    bits += 16 * (16 + value_dim)
                else:
                    bits += 16 * (key_bits + 4) + value_dim * (4 + 2)
    assert ragged_bytes(shape, lengths, codec) == pytest.approx(bits / 8)
    same = [[7, 7]] * 3
    assert ragged_bytes(shape, same, codec) == pytest.approx(cache_bytes(shape, 7, codec))


def test_pruned_keys_weigh_less():
    """ThinK's arithmetic: two fifths of the key channels gone are a fifth of the cache."""
    shape = ModelShape(layers=2, heads=4, kv_heads=2, head_dim=10, params=1)
    lengths = [[30, 40], [50, 60]]
    pruned = ragged_bytes(shape, lengths, key_dims=[[6, 6], [6, 6]])
    assert pruned == pytest.approx(0.8 * ragged_bytes(shape, lengths))


def test_what_cannot_be_is_refused():
    """Tables of another shape, negative lengths, heads that do not divide."""
    shape = SHAPES["Qwen3-4B"]
    for made in (
        lambda: ragged_bytes(shape, [[1] * 8]),
        lambda: cache_bytes(shape, -1),
        lambda: ModelShape(layers=1, heads=3, kv_heads=2, head_dim=4, params=1),
    ):
        with pytest.raises(UsageError):
            made()
