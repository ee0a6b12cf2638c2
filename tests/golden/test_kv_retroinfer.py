"""RetroInfer against loops: k-means by segment, the ranking of centroids, the estimate by size, exp(q c) and sums."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.retroinfer import RetroInfer  # noqa: E402
from memspan.kv.signals import Rotary, View  # noqa: E402

SLOTS, DIM = 4, 6


def unit(row):
    return row / np.linalg.norm(row)


def clustered(keys, count, rounds):
    """k-means of one head's normalised keys, from evenly spread rows: the cluster of each row."""
    rows = [unit(row) for row in keys]
    centroids = [rows[int(at)] for at in np.round(np.linspace(0, len(rows) - 1, count))]
    for _ in range(rounds):
        nearest = [max(range(count), key=lambda one, row=row: row @ centroids[one]) for row in rows]
        for one in range(count):
            members = [row for row, cluster in zip(rows, nearest, strict=True) if cluster == one]
            if members:
                centroids[one] = unit(sum(members))
    return [max(range(count), key=lambda one, row=row: row @ centroids[one]) for row in rows]


def test_rows_go_to_pages_by_cluster_of_their_segment():
    """Segments of 20 rows, the last one shorter; the second sequence has fewer rows."""
    random = np.random.default_rng(1)
    keys = random.normal(size=(2, 2, 48, DIM)).astype(np.float32)
    positions = torch.arange(48).expand(2, 2, 48).clone()
    positions[1, :, 32:] = -1
    rows = torch.from_numpy(keys)
    view = View(
        layer=0, layers=1, seen=torch.tensor([48, 32]), keys=rows, values=rows, positions=positions,
        queries=rows[:, :, :0], query_positions=positions[:, 0, :0], figures={}, scaling=1.0,
        rotary=Rotary(torch.ones(DIM // 2)),
    )  # fmt: skip
    order = RetroInfer(segment=20, rounds=3).arrange(view, SLOTS)
    for sequence, count in ((0, 48), (1, 32)):
        for head in range(2):
            wanted = []
            for start in range(0, count, 20):
                end = min(count, start + 20)
                cluster = clustered(keys[sequence, head, start:end], (end - start) // SLOTS, 3)
                wanted += [start + at for at in sorted(range(end - start), key=lambda at: cluster[at])]
            assert order[sequence, head, :count].tolist() == wanted


def test_the_best_missed_pages_are_estimated_by_their_sums():
    """Numerator and denominator of the next two of eight pages: exp(q c) times sum of values, and times size."""
    random = np.random.default_rng(2)
    keys, values = random.normal(size=(2, 8, SLOTS, DIM)).astype(np.float32)
    query, scaling = random.normal(size=DIM).astype(np.float32), 0.4
    policy = RetroInfer(estimated=0.232)
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(values), {})
    summary = {name: part[None, None] for name, part in told.items()}
    asked = Asked(
        queries=torch.from_numpy(query)[None, None, None], real=torch.ones(1, 1, dtype=torch.bool),
        there=torch.ones(1, 1, 8, dtype=torch.bool), group=1, scaling=scaling,
    )  # fmt: skip
    scores = policy.pick(asked, summary)
    weights = [math.exp(scaling * float(query @ keys[page].mean(0))) for page in range(8)]
    assert np.allclose(scores[0, 0].numpy(), np.array(weights) / sum(weights), atol=1e-6)
    ranked = sorted(range(8), key=lambda page: -weights[page])
    missed = torch.ones(1, 1, 8, dtype=torch.bool)
    missed[0, 0, ranked[:3]] = False
    stood, meant, bias = policy.estimate(summary, scores, missed)
    above, below = np.zeros(DIM), 0.0
    for page in range(8):
        weight = math.exp(scaling * float(query @ stood[0, 0, page].numpy()) + float(bias[0, 0, page]))
        above, below = above + weight * meant[0, 0, page].numpy(), below + weight
    wanted = ranked[3:5]  # 23.2 % of 8 pages, rounded up
    assert np.allclose(above, sum(weights[page] * values[page].sum(0) for page in wanted), atol=1e-4)
    assert below == pytest.approx(sum(weights[page] * SLOTS for page in wanted), abs=1e-4)
