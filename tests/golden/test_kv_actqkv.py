"""ActQKV against loops: the probe query of the unusual queries, page scores, and the entropy by which layers share."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.asked import Asked  # noqa: E402
from memspan.kv.methods.actqkv import ActQKV  # noqa: E402

GROUP, TIME, PAGES, SLOTS, DIM = 2, 5, 4, 3, 6


def probe(queries):
    """Mean of the queries, each by its squared deviation in units of the variance, summed over channels."""
    mean = sum(queries) / len(queries)
    variance = sum((query - mean) ** 2 for query in queries) / len(queries)
    biases = [float(((query - mean) ** 2 / variance).sum()) for query in queries]
    return sum(bias * query for bias, query in zip(biases, queries, strict=True)) / sum(biases)


@pytest.mark.parametrize("absent", [0, 2])
def test_scores_are_products_with_the_probe(absent):
    """The first tokens of the window may be none."""
    random = np.random.default_rng(8)
    keys = random.normal(size=(PAGES, SLOTS, DIM)).astype(np.float32)
    queries = random.normal(size=(GROUP, TIME, DIM)).astype(np.float32)
    policy = ActQKV()
    told = policy.summarise(torch.from_numpy(keys), torch.from_numpy(keys), {})
    real = torch.arange(TIME) >= absent
    asked = Asked(
        queries=torch.from_numpy(queries).reshape(1, 1, GROUP * TIME, DIM), real=real.repeat(GROUP)[None],
        there=torch.ones(1, 1, PAGES, dtype=torch.bool), group=GROUP, scaling=0.3,
    )  # fmt: skip
    scores = policy.pick(asked, {name: part[None, None] for name, part in told.items()})[0, 0]
    for page in range(PAGES):
        asks = sum(probe(list(queries[head, absent:])) for head in range(GROUP)) / GROUP
        assert float(scores[page]) == pytest.approx(0.3 * float(asks @ keys[page].mean(0)), abs=1e-5)


def test_one_query_is_its_own_probe():
    """While decoding there is nothing to deviate from."""
    query, key = torch.randn(1, 1, 1, DIM), torch.randn(1, 1, 1, DIM)
    there = torch.ones(1, 1, 1, dtype=torch.bool)
    asked = Asked(queries=query, real=torch.ones(1, 1, dtype=torch.bool), there=there, group=1, scaling=1.0)
    assert torch.allclose(ActQKV().pick(asked, {"key": key})[0, 0], (query * key).sum())


def test_an_undecided_layer_is_denser():
    """Entropy of each head's softmax, mean over heads; pages that are not there do not count."""
    scores = torch.tensor([[[1.0, 0.0, -1.0, -torch.inf], [4.0, 0.0, 0.0, -torch.inf]]])
    wanted = 0.0
    for head in scores[0].tolist():
        weights = [math.exp(score) for score in head if score > -math.inf]
        wanted -= sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights) / 2
    assert float(ActQKV().density(scores)) == pytest.approx(wanted, abs=1e-4)
    assert ActQKV().density(torch.full((1, 2, 3), -torch.inf)).isfinite().all()
