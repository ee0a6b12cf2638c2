"""KVQuant's codes against loops written from its rule, on the keys of the fixtures before RoPE."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.core.registry import load  # noqa: E402
from memspan.kv.methods.kvquant import KVQuant  # noqa: E402
from memspan.kv.signals import Rotary  # noqa: E402

LEVELS = (-1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0)
SLOTS, DIM, PAGE = 16, 16, slice(32, 48)


def by_hand(vectors, outliers):
    """Each vector from the level nearest to its scaled numbers; outliers, places in the page, as they are."""
    back = vectors.copy()
    for number, vector in enumerate(vectors):
        rest = [value for place, value in enumerate(vector) if (number, place) not in outliers]
        middle = np.float32(np.float16((min(rest) + max(rest)) / 2))
        width = np.float32(np.float16(max(max(rest) - middle, middle - min(rest))))
        for place, value in enumerate(vector):
            if (number, place) not in outliers:
                back[number, place] = (
                    min(LEVELS, key=lambda level: abs(level - (value - middle) / width)) * width + middle
                )
    return back


def outliers_of(vectors, count):
    """The numbers furthest from their vector's median, three times its typical distance taken off."""
    away = np.abs(vectors - np.sort(vectors, axis=1)[:, (vectors.shape[1] - 1) // 2, None])
    excess = away - 3 * away.mean(axis=1, keepdims=True)
    return {divmod(int(place), vectors.shape[1]) for place in np.argsort(-excess, axis=None)[:count]}


@pytest.mark.parametrize("layer", [0, 1])
def test_keys_are_coded_by_channel_before_rope(answered, layer):
    """What comes back is what the loop makes of the keys before RoPE, turned to their places."""
    seen = answered("inputs")
    rotary = Rotary(torch.from_numpy(seen["inv_freq"]))
    codec = KVQuant(bits=3, key_levels=LEVELS, value_levels=LEVELS).codec.for_model(rotary)
    keys = torch.from_numpy(seen["keys"][layer][:, 0, PAGE].copy())
    where = torch.arange(PAGE.start, PAGE.stop, dtype=torch.int32).expand(2, -1)
    parts = codec.encode_keys(keys, where)
    back = rotary.unrotate(codec.decode_keys(parts, torch.float32), where)
    for row in range(2):
        channels = seen["keys_before_rope"][layer][row, 0, PAGE].T
        expected = by_hand(channels, outliers_of(channels, round(0.01 * SLOTS * DIM)))
        wrong = np.abs(back[row].numpy().T - expected) > 1e-4
        assert wrong.sum() <= 2  # a number half way between two levels may fall to either


@pytest.mark.parametrize("layer", [0, 1])
def test_values_are_coded_by_token(answered, layer):
    """By the same loop over tokens."""
    codec = KVQuant(bits=3, key_levels=LEVELS, value_levels=LEVELS).codec
    values = torch.from_numpy(answered("inputs")["values"][layer][:, 1, PAGE].copy())
    parts = codec.encode_values(values, torch.arange(SLOTS, dtype=torch.int32).expand(2, -1))
    back = codec.decode_values(parts, torch.float32).numpy()
    for row in range(2):
        rows = values[row].numpy()
        np.testing.assert_allclose(back[row], by_hand(rows, outliers_of(rows, round(0.01 * SLOTS * DIM))), atol=1e-4)


def test_turning_back_saves_error(answered):
    """Channels of the fixtures' keys keep their range only before RoPE."""
    seen = answered("inputs")
    rotary = Rotary(torch.from_numpy(seen["inv_freq"]))
    slope = torch.linspace(4, 0, DIM)  # channels of unlike size and offset, as trained models have
    keys = torch.from_numpy(seen["keys_before_rope"][0][:, 0, PAGE].copy()) + slope
    where = torch.arange(PAGE.start, PAGE.stop, dtype=torch.int32).expand(2, -1)
    turned = rotary.rotate(keys, where)
    errors = []
    for codec in (load("codec", "unrotated")(rotary=rotary), load("codec", "nuq")()):
        errors.append((codec.decode_keys(codec.encode_keys(turned, where), torch.float32) - turned).square().mean())
    assert errors[0] < errors[1] / 1.5
