"""Compactor over long, padded and continued prompts, and how much of a context it says has to stay."""

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.compactor import Calibration, Compactor, calibrate  # noqa: E402

TIME = 60
TRUTH = Calibration(slope=1.5, intercept=-6.0)


@pytest.fixture(scope="module")
def model():
    """Two layers with random weights."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    return new_llama(sizes, 0)


def tokens(batch, time=TIME, seed=1):
    """Ids without meaning."""
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def held(model, policy, *passes, ratio=0.5, **more):
    """Places held in the last layer, a sorted list for each sequence and head."""
    with kv.compress(model, policy, Budget(ratio=ratio)) as cache:
        for ids in passes:
            model(ids, past_key_values=cache, **more)
        places = cache.engine.layers[-1].positions()
    return [[sorted(set(head.tolist()) - {-1}) for head in sequence] for sequence in places]


def test_ends_stay_and_heads_choose_for_themselves(model):
    """The first eight and the last four, and half of all in each head."""
    for first, second in held(model, Compactor(chunk=16), tokens(3)):
        assert {*range(8), *range(56, 60)} <= set(first) & set(second)
        assert len(first) == len(second) == TIME // 2 and first != second


def test_padding_changes_nothing(model):
    """A sequence with padding before it keeps what it keeps alone."""
    alone, longer = tokens(1, time=45, seed=2), tokens(1, seed=3)
    padded = torch.cat([torch.cat([torch.zeros(1, 15, dtype=torch.long), alone], 1), longer])
    mask = torch.ones_like(padded)
    mask[0, :15] = 0
    together = held(model, Compactor(chunk=16), padded, attention_mask=mask)
    assert together == held(model, Compactor(chunk=16), alone) + held(model, Compactor(chunk=16), longer)


def test_a_prompt_in_two_parts_is_scored_by_both(model):
    """Rows of the first part compete with those of the second by what was noted when they came."""
    parts = tokens(1, time=80).split(40, dim=1)
    (rows,) = held(model, Compactor(chunk=16), *parts, ratio=0.5)
    for head in rows:
        assert len(head) == 40 and {*range(8), *range(76, 80)} <= set(head)
        assert any(8 <= place < 36 for place in head) and any(40 <= place < 76 for place in head)


def test_the_sketch_follows_from_its_seed(model):
    """The same seed keeps the same rows; another one may not."""
    first = held(model, Compactor(sketch=4), tokens(2))
    assert first == held(model, Compactor(sketch=4), tokens(2))
    assert any(first != held(model, Compactor(sketch=4, seed=seed), tokens(2)) for seed in (1, 2, 3))


def test_a_calibration_is_found_again():
    """From the shares and contexts of a small table."""
    shares, surprises = (0.1, 0.25, 0.5, 0.75), (1.0, 2.0, 3.0)
    table = [(kept, nats, TRUTH.quality(kept, nats)) for kept, nats in product(shares, surprises)]
    found = calibrate(table)
    np.testing.assert_allclose([found.slope, found.intercept], [TRUTH.slope, TRUTH.intercept], rtol=1e-5)


def test_more_surprising_contexts_have_to_keep_more():
    """And all of it for a quality of 1; what is kept gives the quality that was asked for."""
    kept = [TRUTH.kept(nats, 0.9) for nats in (0.5, 1.5, 2.5, 3.5)]
    assert kept == sorted(kept) and 0 < kept[0] < kept[-1] < 1
    assert [TRUTH.quality(share, nats) for share, nats in zip(kept, (0.5, 1.5, 2.5, 3.5), strict=True)] == (
        pytest.approx([0.9] * 4)
    )
    assert TRUTH.kept(2.0, 1.0) == pytest.approx(1.0)
    assert (TRUTH.quality(0.0, 2.0), TRUTH.quality(1.0, 2.0)) == pytest.approx((0.0, 1.0))
    assert Calibration(slope=1.0, intercept=0.0).quality(0.3, 0.0) == pytest.approx(0.3, abs=1e-6)


def test_caution_keeps_more():
    """Where contexts of one surprise differ, the worse one counts more."""
    table = [
        (kept, 1.0, Calibration(slope=0, intercept=bend).quality(kept, 1.0)) for kept in (0.2, 0.5) for bend in (-3, -8)
    ]
    shares = [calibrate(table, caution=caution).kept(1.0) for caution in (0.25, 1.0, 4.0)]
    assert shares == sorted(set(shares))


@pytest.mark.parametrize("table", [[], [(1.0, 2.0, 1.0), (0.0, 2.0, 0.0)], [(0.5, 2.0, 0.8)]])
def test_a_table_that_says_nothing_is_refused(table):
    """Keeping all or nothing is known beforehand."""
    with pytest.raises(UsageError, match="at least two"):
        calibrate(table)


@pytest.mark.parametrize("quality", [0.0, -1.0, 1.01, float("nan")])
def test_a_quality_that_cannot_be_is_refused(quality):
    """Above 0, at most 1."""
    with pytest.raises(UsageError, match="quality"):
        TRUTH.kept(2.0, quality)
