"""IceCache against loops: halves of halves along random directions, nodes above pages, the search from the top."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.icecache import IceCache, _directions  # noqa: E402
from memspan.kv.signals import Rotary, View  # noqa: E402

SLOTS, DIM = 4, 6


def halved(keys, places, slots, depth):
    """The order of rows: sorted along this depth's direction, each half again, whole pages to the first one."""
    if len(places) <= slots:
        return places
    along = _directions(depth, DIM, 1)[:, 0].numpy()
    places = sorted(places, key=lambda at: float(keys[at] / np.linalg.norm(keys[at]) @ along))
    middle = math.ceil(len(places) / slots / 2) * slots
    return halved(keys, places[:middle], slots, depth + 1) + halved(keys, places[middle:], slots, depth + 1)


def test_pages_are_the_leaves_of_halving():
    """Seven pages of one sequence, five of the other."""
    random = np.random.default_rng(6)
    keys = random.normal(size=(2, 2, 28, DIM)).astype(np.float32)
    positions = torch.arange(28).expand(2, 2, 28).clone()
    positions[1, :, 20:] = -1
    rows = torch.from_numpy(keys)
    view = View(
        layer=0, layers=1, seen=torch.tensor([28, 20]), keys=rows, values=rows, positions=positions,
        queries=rows[:, :, :0], query_positions=positions[:, 0, :0], figures={}, scaling=1.0,
        rotary=Rotary(torch.ones(DIM // 2)),
    )  # fmt: skip
    order = IceCache().arrange(view, SLOTS)
    for sequence, count in ((0, 28), (1, 20)):
        for head in range(2):
            wanted = halved(keys[sequence, head], list(range(count)), SLOTS, 0)
            assert order[sequence, head, :count].tolist() == wanted


def shares(query, groups, scaling):
    """What groups of rows get of one softmax, by the number of each."""
    weights = {one: sum(math.exp(scaling * float(query @ row)) for row in rows) for one, rows in groups.items()}
    return {one: weight / sum(weights.values()) for one, weight in weights.items()}


def test_the_search_opens_the_best_nodes_first():
    """Seven pages under four nodes of two, half of the nodes opened; the last node has one page."""
    random = np.random.default_rng(7)
    keys = random.normal(size=(7, SLOTS, DIM)).astype(np.float32)
    query = random.normal(size=DIM).astype(np.float32)
    policy = IceCache(children=2, opened=0.5, directions=3, seed=5)
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(keys), {})
    summary = {name: part[None, None] for name, part in told.items()}
    there = torch.ones(1, 1, 7, dtype=torch.bool)
    summary |= policy.index(summary, there)
    asked = Asked(
        queries=torch.from_numpy(query)[None, None, None], real=torch.ones(1, 1, dtype=torch.bool), there=there,
        group=1, scaling=0.5,
    )  # fmt: skip
    scores = policy.pick(asked, summary)[0, 0].numpy()
    across = _directions(5, DIM, 3).numpy() * math.sqrt(2)
    seen, asks = keys @ across, query @ across
    tops = {
        node: [np.mean([seen[page].mean(0) for page in range(2 * node, min(7, 2 * node + 2))], axis=0)]
        for node in range(4)
    }
    above = shares(asks, tops, 0.5)
    opened = sorted(above, key=lambda node: -above[node])[:2]
    leaves = shares(asks, {page: seen[page] for page in range(7) if page // 2 in opened}, 0.5)
    for page in range(7):
        wanted = 1 + leaves[page] if page in leaves else above[page // 2]
        assert scores[page] == pytest.approx(wanted, abs=1e-5)
