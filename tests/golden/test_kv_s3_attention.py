"""S3-Attention against loops: top features of keys in an inverted index, rare shared features add up."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.s3_attention import S3Attention, _dictionary  # noqa: E402

QUERIES, PAGES, SLOTS, DIM, FEATURES, ACTIVE = 3, 5, 4, 6, 32, 3


def features(row, dictionary):
    """The largest activations of a row by feature, those above zero."""
    dense = [float(row / np.linalg.norm(row) @ dictionary[:, feature]) for feature in range(FEATURES)]
    largest = sorted(range(FEATURES), key=lambda feature: -dense[feature])[:ACTIVE]
    return {feature: dense[feature] for feature in largest if dense[feature] > 0}


def test_scores_are_those_of_an_inverted_index():
    """The last page is not there, and the last query is of no token."""
    random = np.random.default_rng(9)
    keys = random.normal(size=(PAGES, SLOTS, DIM)).astype(np.float32)
    queries = random.normal(size=(QUERIES, DIM)).astype(np.float32)
    policy = S3Attention(features=FEATURES, active=ACTIVE, seed=2)
    dictionary = _dictionary(2, DIM, FEATURES).numpy()
    index = {}
    for page in range(PAGES - 1):
        for slot in range(SLOTS):
            for feature in features(keys[page, slot], dictionary):
                index.setdefault(feature, set()).add(page)
    wanted = np.zeros(PAGES)
    for query in queries[:-1]:
        for feature, activation in features(query, dictionary).items():
            for page in index.get(feature, ()):
                wanted[page] += activation * math.log(PAGES / (1 + len(index[feature]))) / (QUERIES - 1)
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(keys), {})
    there = torch.tensor([[[True] * (PAGES - 1) + [False]]])
    asked = Asked(
        queries=torch.from_numpy(queries)[None, None], real=torch.tensor([[True, True, False]]), there=there, group=1,
        scaling=1.0,
    )  # fmt: skip
    scores = policy.pick(asked, {name: part[None, None] for name, part in told.items()})[0, 0]
    assert wanted.max() > 0
    assert np.allclose(scores.numpy(), wanted, atol=1e-5)
