"""SpeCache against loops: a 2-bit copy by hand, the attention in it, and the copy in place of pages not brought."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.spe_cache import SpeCache  # noqa: E402

PAGES, SLOTS, DIM, GROUP = 4, 8, 6, 2


def coarse(numbers):
    """Those numbers with 4 even steps between the least and the largest, which float16 holds."""
    low = np.float16(min(numbers))
    low = low if float(low) <= min(numbers) else np.nextafter(low, np.float16(-np.inf))
    wide = (max(numbers) - float(low)) / 3
    step = np.float16(wide)
    step = float(step if float(step) >= wide else np.nextafter(step, np.float16(np.inf)))
    return [float(low) + step * min(3, round((number - float(low)) / step)) for number in numbers]


def test_pages_are_ranked_and_replaced_by_the_copy():
    """Keys by channel of a page, values by row; attention over all rows, mean over queries, sum over a page."""
    random = np.random.default_rng(3)
    keys, values = random.normal(size=(2, PAGES, SLOTS, DIM)).astype(np.float32)
    queries = random.normal(size=(GROUP, DIM)).astype(np.float32)
    low_keys, low_values = np.zeros_like(keys), np.zeros_like(values)
    for page in range(PAGES):
        for channel in range(DIM):
            low_keys[page, :, channel] = coarse([float(key) for key in keys[page, :, channel]])
        for slot in range(SLOTS):
            low_values[page, slot] = coarse([float(value) for value in values[page, slot]])
    wanted = np.zeros(PAGES)
    for query in queries:
        weights = [[math.exp(0.7 * float(query @ low_keys[p, s])) for s in range(SLOTS)] for p in range(PAGES)]
        wanted += np.array([sum(page) for page in weights]) / sum(map(sum, weights)) / GROUP
    policy = SpeCache(bits=2)
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(values), {})
    summary = {name: part[None, None] for name, part in told.items()}
    asked = Asked(
        queries=torch.from_numpy(queries)[None, None], real=torch.ones(1, GROUP, dtype=torch.bool),
        there=torch.ones(1, 1, PAGES, dtype=torch.bool), group=GROUP, scaling=0.7,
    )  # fmt: skip
    scores = policy.pick(asked, summary)
    assert np.allclose(scores[0, 0].numpy(), wanted, atol=1e-5)
    missed = torch.tensor([[[True, False, True, True]]])
    stood, meant, bias = policy.estimate(summary, scores, missed)
    assert bias[0, 0].view(PAGES, SLOTS).eq(0).all(-1).tolist() == [True, False, True, True]
    assert bias[0, 0].view(PAGES, SLOTS)[1].eq(-torch.inf).all()
    assert np.allclose(stood[0, 0].view(PAGES, SLOTS, DIM).numpy(), low_keys, atol=1e-5)
    assert np.allclose(meant[0, 0].view(PAGES, SLOTS, DIM).numpy(), low_values, atol=1e-5)


def test_a_copy_takes_about_an_eighth():
    """2 bits of 16, and a zero and a scale of a channel and of a row."""
    rows = torch.randn(10, 16, 48).half()
    told = SpeCache(bits=2).summarise(rows, rows, {})
    numbers = 10 * (48 + 16) * 2 * 2  # zeros and scales, 2 bytes each
    assert sum(part.nbytes for part in told.values()) == 2 * rows.nbytes // 8 + numbers
