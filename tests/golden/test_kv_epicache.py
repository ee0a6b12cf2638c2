"""EpiCache against loops written from the authors' code: scores, rows of layers, groups, masks, similarities."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.budget import allocate  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.epicache import EpiCache, block_mask, grouped, key_similarities  # noqa: E402

TIME, COUNT = 96, 5


@pytest.mark.parametrize("layer", [0, 1])
def test_rows_score_by_the_largest_attention(answered, prompt_view, layer):
    """Of the patched prompt's queries, each softmax over the rows of the cache alone, over the group's heads too."""
    view = prompt_view(layer)
    ahead = torch.randn(2, 4, COUNT, 16, generator=torch.Generator().manual_seed(0)) * 2
    places = torch.arange(TIME + COUNT).expand(2, -1)
    seen = prompt_view(layer, queries=torch.cat((view.queries, ahead), dim=2), query_positions=places)
    ours = EpiCache(patch=(1,) * COUNT).score(seen).numpy()
    keys = answered("inputs")["keys"][layer].astype(float)
    for sequence in range(2):
        for kv_head in range(2):
            highest = np.zeros(TIME)
            for head in (2 * kv_head, 2 * kv_head + 1):
                for query in ahead[sequence, head].numpy().astype(float):
                    logits = keys[sequence, kv_head] @ query / 4
                    weights = np.exp(logits - logits.max())
                    highest = np.maximum(highest, weights / weights.sum())
            np.testing.assert_allclose(ours[sequence, kv_head], highest, rtol=1e-4, atol=1e-9)


def test_the_heads_of_a_layer_share_one_pool(prompt_view):
    """The best rows of all, however they fall."""
    view, method = prompt_view(1), EpiCache(window=8)
    scores = method.score(view)
    kept = method.select(scores, torch.tensor([24, 10]), view)
    for sequence, room in enumerate((24, 10)):
        worst = scores[sequence].flatten().sort(descending=True).values[2 * room - 1]
        assert kept[sequence].sum() == 2 * room and bool((scores[sequence][kept[sequence]] >= worst).all())


@pytest.mark.parametrize("similar", [(0.9, 0.5, 0.7, 0.6), (0.99, 0.98, 0.2, 0.97), (0.1, 0.9, 0.9, 0.9)])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("mean", [16, 100, 1024])
def test_layers_add_up_where_the_authors_overshoot(similar, alpha, mean):
    """(1 - similarity)^alpha, none below a quarter of the mean; where no floor binds, rows are the authors'."""
    method, count, seen = EpiCache(similar=similar, alpha=alpha), 4, 10_000
    weights = method.layers(mean, count, seen)
    ours = allocate(mean * count, weights, caps=[seen] * count, floors=[0] * count)
    assert ours == list(weights) and sum(ours) == mean * count and min(ours) >= mean // 4
    stretched = (np.array(similar) - min(similar)) / (max(similar) - min(similar))
    share = (1 - stretched) ** alpha
    theirs = np.maximum(np.floor(share * mean * count / share.sum()), mean // 4)
    bound = theirs == mean // 4
    assert theirs.sum() > mean * count or bound.sum() <= 1
    order = np.argsort(share[~bound], kind="stable")
    assert (np.diff(np.array(ours)[~bound][order]) >= -1).all()
    free = np.array(ours)[~bound] / share[~bound]
    np.testing.assert_allclose(free, free.mean(), atol=2 / share[~bound].min())


def test_layers_that_are_alike_share_evenly():
    """As they do where nothing was measured; figures of another model are refused."""
    assert EpiCache(similar=(0.5, 0.5)).layers(10, 2, 100) is None
    assert EpiCache().layers(10, 2, 100) is None
    with pytest.raises(UsageError, match="of 2 layers for 3"):
        EpiCache(similar=(0.5, 0.6)).layers(10, 3, 100)


def test_groups_are_what_lloyd_ends_with():
    """Each vector is nearest to the centre of its group, each centre is the mean of its group."""
    random = torch.Generator().manual_seed(0)
    middles = torch.tensor([[5.0, 0], [0, 5], [-5, -5]])
    vectors = torch.cat([middle + torch.randn(20, 2, generator=random) for middle in middles])
    centres, labels = grouped(vectors, 3)
    assert [labels[20 * group : 20 * group + 20].unique().numel() for group in range(3)] == [1, 1, 1]
    assert labels.unique().numel() == 3
    for group in range(3):
        torch.testing.assert_close(centres[group], vectors[labels == group].mean(0))


def test_there_are_no_more_groups_than_different_vectors():
    """And none is empty."""
    centres, labels = grouped(torch.tensor([[1.0, 0], [1, 0], [0, 1]]), 5)
    assert len(centres) == 2 and sorted(labels.bincount().tolist()) == [1, 2]


@pytest.mark.parametrize(("block", "sinks", "overlap"), [(4, 3, 2), (5, 1, 0), (7, 2, 7)])
def test_a_token_sees_its_block_the_end_of_the_one_before_and_the_first(block, sinks, overlap):
    """As the authors build it, row by row."""
    expected = np.zeros((23, 23), dtype=bool)
    expected[sinks:, :sinks] = True
    for number in range(23 // block + 1):
        start = number * block
        for row in range(start, min(start + block, 23)):
            expected[row, start : row + 1] = True
            if number:
                expected[row, max(start - block, start - overlap) : start] = True
    np.testing.assert_array_equal(block_mask(23, block, sinks, overlap).numpy(), expected)


def test_keys_of_the_first_layer_know_no_context():
    """They are alike, those of the next are not; with one block that holds everything, all are."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    model = new_llama(sizes, 0)
    ids = torch.randint(1, 64, (2, 70), generator=torch.Generator().manual_seed(1))
    first, second = key_similarities(model, ids, block=16, sinks=2, overlap=0.5, window=20)
    assert first == pytest.approx(1.0, abs=1e-5) and 0 < second < 0.9999
    assert key_similarities(model, ids, block=128, sinks=2, window=20) == pytest.approx((1.0, 1.0), abs=1e-5)
