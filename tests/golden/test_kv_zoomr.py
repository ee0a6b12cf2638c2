"""ZoomR against loops: summaries of runs of rows, pages by the attention they get, and summaries of the others."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.zoomr import ZoomR  # noqa: E402

PAGES, SLOTS, DIM, LINES = 4, 8, 6, 3
RUNS = ((0, 3), (3, 6), (6, 8))


def test_summaries_rank_pages_and_stand_for_them():
    """Eight rows in three lines: of three, three and two rows."""
    random = np.random.default_rng(10)
    keys, values = random.normal(size=(2, PAGES, SLOTS, DIM)).astype(np.float32)
    query, scaling = random.normal(size=DIM).astype(np.float32), 0.6
    policy = ZoomR(lines=LINES)
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(values), {})
    summary = {name: part[None, None] for name, part in told.items()}
    asked = Asked(
        queries=torch.from_numpy(query)[None, None, None], real=torch.ones(1, 1, dtype=torch.bool),
        there=torch.ones(1, 1, PAGES, dtype=torch.bool), group=1, scaling=scaling,
    )  # fmt: skip
    weights = [[math.exp(scaling * float(query @ keys[page, a:b].mean(0))) for a, b in RUNS] for page in range(PAGES)]
    scores = policy.pick(asked, summary)
    assert np.allclose(scores[0, 0].numpy(), [sum(page) / sum(map(sum, weights)) for page in weights], atol=1e-6)
    missed = torch.tensor([[[True, False, False, True]]])
    stood, meant, bias = policy.estimate(summary, scores, missed)
    above, below = np.zeros(DIM), 0.0
    for line in range(PAGES * LINES):
        weight = math.exp(scaling * float(query @ stood[0, 0, line].numpy()) + float(bias[0, 0, line]))
        above, below = above + weight * meant[0, 0, line].numpy(), below + weight
    lines = [(page, at, b - a, values[page, a:b].sum(0)) for page in (0, 3) for at, (a, b) in enumerate(RUNS)]
    assert below == pytest.approx(sum(weights[page][at] * rows for page, at, rows, _ in lines), abs=1e-4)
    assert np.allclose(above, sum(weights[page][at] * total for page, at, _, total in lines), atol=1e-4)
