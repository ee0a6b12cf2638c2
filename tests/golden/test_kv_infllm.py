"""InfLLM against loops: the mean of a page's most attended keys, its product with every query, one ranking for all."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.infllm import InfLLM  # noqa: E402

BATCH, HEADS, GROUP, PAGES, SLOTS, DIM, TIME = 2, 2, 2, 5, 8, 6, 3


def test_scores_are_those_of_the_loops():
    """Two of six queries of the second sequence are of no token."""
    random = np.random.default_rng(0)
    keys = random.normal(size=(BATCH, HEADS, PAGES, SLOTS, DIM)).astype(np.float32)
    mass = random.random((BATCH, HEADS, PAGES, SLOTS)).astype(np.float32)
    queries = random.normal(size=(BATCH, HEADS, GROUP * TIME, DIM)).astype(np.float32)
    real = np.ones((BATCH, GROUP * TIME), dtype=bool)
    real[1, [0, TIME]] = False
    wanted = np.zeros((BATCH, PAGES))
    for sequence in range(BATCH):
        for page in range(PAGES):
            products = []
            for head in range(HEADS):
                attended = sorted(range(SLOTS), key=lambda slot: -mass[sequence, head, page, slot])[:4]
                key = sum(keys[sequence, head, page, slot] for slot in attended) / 4
                products += [key @ queries[sequence, head, at] for at in range(GROUP * TIME) if real[sequence, at]]
            wanted[sequence, page] = sum(products) / len(products)
    policy = InfLLM()
    flat = torch.from_numpy(keys).flatten(0, 2)
    told = policy.summarise(flat, flat, {"mass": torch.from_numpy(mass).flatten(0, 2)})
    summary = {name: part.view(BATCH, HEADS, PAGES, -1) for name, part in told.items()}
    there = torch.ones(BATCH, HEADS, PAGES, dtype=torch.bool)
    asked = Asked(queries=torch.from_numpy(queries), real=torch.from_numpy(real), there=there, group=GROUP, scaling=0.5)
    scores = policy.pick(asked, summary)
    for head in range(HEADS):
        assert np.allclose(scores[:, head].numpy(), wanted, atol=1e-5)
