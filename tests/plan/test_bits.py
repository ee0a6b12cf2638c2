"""Where memory goes, by size: the paper's threshold, and two settings it puts side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.bits import advice, choices, spent
from memspan.plan.cache import CODECS, SHAPES, ModelShape, cache_bytes, weight_bytes

QWEN = [(name, shape) for name, shape in SHAPES.items() if name.startswith("Qwen3")]


def test_the_threshold_is_a_4b_model_at_eight_bits():
    """Below it weights and eviction, from it on tokens, quantisation and votes."""
    assert advice(SHAPES["Qwen3-4B"], 4).cache == "evict" and not advice(SHAPES["Qwen3-4B"], 4).parallel
    assert advice(SHAPES["Qwen3-4B"], 8).spend == "tokens"
    exact = ModelShape(layers=1, heads=1, kv_heads=1, head_dim=1, params=4 * 10**9)
    assert advice(exact, 8).spend == "tokens" and advice(exact, 7.9).spend == "weights"
    assert advice(SHAPES["Qwen3-14B"], 4).cache == "quantise"
    with pytest.raises(UsageError):
        advice(SHAPES["Qwen3-4B"], 0)


def test_two_settings_of_about_the_same_memory():
    """32B at 4 bits with 14k tokens against 8B at 16 bits with 30k, told as an example: within a twentieth."""
    large, small = spent(SHAPES["Qwen3-32B"], 4, 14_000), spent(SHAPES["Qwen3-8B"], 16, 30_000)
    assert large == pytest.approx(small, rel=0.05)


@given(st.floats(1e9, 1e11), st.sampled_from(sorted(CODECS)))
def test_choices_fit_and_are_full(memory, codec):
    """Within the memory, one token more would be too much; the largest effective size first."""
    found = choices(memory, QWEN, (4, 8, 16), CODECS[codec])
    sizes = []
    for it in found:
        shape = SHAPES[it.model]
        token = cache_bytes(shape, 1, CODECS[codec])
        assert weight_bytes(shape, it.weight_bits) + it.tokens * token <= memory * (1 + 1e-12)
        assert weight_bytes(shape, it.weight_bits) + (it.tokens + 1) * token > memory
        assert it.advice == advice(shape, it.weight_bits)
        sizes.append(weight_bytes(shape, it.weight_bits))
    assert sizes == sorted(sizes, reverse=True)
