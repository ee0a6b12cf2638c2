"""HCAttention against loops: pages by approximate attention until the share is gathered or the room is full."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.hcattention import HCAttention  # noqa: E402

PAGES, SLOTS, DIM = 6, 8, 6


@pytest.mark.parametrize("mass", [0.3, 0.7, 0.95, 1.0])
def test_pages_are_gathered_until_it_is_enough(mass):
    """Two heads, one of them sharp; room for four pages."""
    random = np.random.default_rng(4)
    shares = random.dirichlet([0.3] * PAGES, size=2).astype(np.float32)
    taken = HCAttention(mass=mass).take(torch.from_numpy(shares)[None], torch.tensor([[4]]))
    for head in range(2):
        gathered, wanted = 0.0, set()
        for page in sorted(range(PAGES), key=lambda page: -shares[head, page]):
            if gathered >= mass * float(shares[head].sum()) or len(wanted) == 4:
                break
            wanted.add(page)
            gathered += float(shares[head, page])
        assert set(taken[0, head].nonzero()[:, 0].tolist()) == wanted


def test_approximate_attention_is_near_the_exact_one():
    """With 8 bits within 1 %, and with 2 bits further away than with 4."""
    random = np.random.default_rng(5)
    keys = random.normal(size=(PAGES, SLOTS, DIM)).astype(np.float32)
    query = random.normal(size=DIM).astype(np.float32)
    weights = [[math.exp(0.4 * float(query @ keys[page, slot])) for slot in range(SLOTS)] for page in range(PAGES)]
    exact = np.array([sum(page) for page in weights]) / sum(map(sum, weights))
    asked = Asked(
        queries=torch.from_numpy(query)[None, None, None], real=torch.ones(1, 1, dtype=torch.bool),
        there=torch.ones(1, 1, PAGES, dtype=torch.bool), group=1, scaling=0.4,
    )  # fmt: skip
    errors = {}
    for bits in (8, 4, 2):
        policy = HCAttention(bits=bits)
        told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(keys), {})
        scores = policy.pick(asked, {name: part[None, None] for name, part in told.items()})
        errors[bits] = abs(scores[0, 0].numpy() - exact).max()
    assert errors[8] < 0.01 * exact.max()
    assert errors[8] < errors[4] < errors[2]
