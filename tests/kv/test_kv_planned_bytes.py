"""What the planner says a cache weighs is what the codecs take."""

import pytest

torch = pytest.importorskip("torch")

from memspan.core.registry import load  # noqa: E402
from memspan.plan.cache import CODECS, Codec, head_bytes  # noqa: E402

PAGES, DIM, VALUES = 3, 128, 64


def taken(method, slots):
    """Bytes of the parts of some whole pages of one head, 16-bit rows."""
    dice = torch.Generator().manual_seed(0)
    positions = torch.arange(PAGES * slots, dtype=torch.int32).view(PAGES, slots)
    keys = torch.randn(PAGES, slots, DIM, generator=dice).to(torch.bfloat16)
    values = torch.randn(PAGES, slots, VALUES, generator=dice).to(torch.bfloat16)
    parts = (method.encode_keys(keys, positions), method.encode_values(values, positions))
    return sum(part.numel() * part.element_size() for some in parts for part in some.values())


@pytest.mark.parametrize("name", ["int8", "int4", "int2"])
def test_quantised_pages_take_the_planned_bytes(name):
    """Pages of 64 tokens, values in groups of 64; and a page of 16, which spends more on scales."""
    method = load("codec", name)
    assert taken(method(group=64), 64) == head_bytes(PAGES * 64, DIM, VALUES, CODECS[name])
    bits = int(name[3:])
    short = Codec(name="short", key_bits=bits, value_bits=bits, key_group=16, value_group=VALUES)
    assert taken(method(), 16) == head_bytes(PAGES * 16, DIM, VALUES, short)


def test_raw_pages_take_the_planned_bytes():
    """Two bytes a number."""
    assert taken(load("codec", "raw")(), 16) == head_bytes(PAGES * 16, DIM, VALUES)
