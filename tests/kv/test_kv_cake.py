"""How layers share one cache: by weights that come in one after the other, in whole rows that add up."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.adakv import AdaKV  # noqa: E402
from memspan.kv.methods.cake import CAKE  # noqa: E402

LAYERS, TIME, ROOM, WINDOW = 4, 96, 32, 8
POLICY = CAKE(window=WINDOW)


class Watched(CAKE):
    """CAKE that shows what it weighs and how many rows were held at any time."""

    def __init__(self, views):
        super().__init__(window=WINDOW)
        object.__setattr__(self, "views", views)

    def weigh(self, view):
        """Notes the view."""
        self.views.append(view)
        return super().weigh(view)


@pytest.fixture(scope="module")
def model():
    """Four layers with wide random weights, so that their attention differs."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    model = new_llama(sizes, 0)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for number, layer in enumerate(model.model.layers):
            for part in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                part.weight.copy_(torch.randn(part.weight.shape, generator=random) * (0.2 + 0.07 * number))
    return model


def tokens(batch, time=TIME, seed=1):
    """Ids without meaning."""
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def read(model, policy, *passes, **budget):
    """A cache after some forward passes, and rows a head of each layer, (layers, batch, kv_heads)."""
    with kv.compress(model, policy, Budget(**(budget or {"tokens": ROOM}))) as cache:
        for ids in passes:
            model(ids, past_key_values=cache)
        return cache, torch.stack(cache.lengths())


def shared(weights, layers):
    """The paper's rule in whole numbers: of each layer known, its part of all the cache beside the windows."""
    wanted = np.array(weights) / sum(weights) * (ROOM - WINDOW) * layers
    cap = TIME - WINDOW
    while (wanted > cap).any() and (free := wanted < cap).any():  # what one cannot use goes to the others
        excess = np.maximum(wanted - cap, 0).sum()
        wanted = np.minimum(wanted, cap)
        wanted[free] += excess * np.array(weights)[free] / np.array(weights)[free].sum()
    return np.minimum(wanted, cap)


def test_the_last_slicing_is_by_all_weights(model):
    """Each layer holds its window and its part of the rest; all together hold the budget, to the row."""
    views = []
    _, lengths = read(model, Watched(views), tokens(1))
    assert lengths.sum() == ROOM * LAYERS * 2
    weights = [float(POLICY.weigh(view)) for view in views]
    assert len(weights) == LAYERS and max(weights) > 2 * min(weights)
    np.testing.assert_array_less(np.abs(lengths[:, 0, 0].numpy() - WINDOW - shared(weights, LAYERS)), 1.0)
    assert (lengths[..., 0] == lengths[..., 1]).all() and lengths.min() > WINDOW


def test_cutting_in_steps_keeps_what_one_cut_would(model):
    """The best rows by the scores of the prompt, though the early layers were cut again and again."""
    views = []
    cache, lengths = read(model, Watched(views), tokens(1))
    for number, (view, layer) in enumerate(zip(views, cache.engine.layers, strict=True)):
        scores = POLICY.score(replace(view, arrived=TIME))
        best = scores.argsort(dim=-1, descending=True)[..., : int(lengths[number, 0, 0])].sort(-1).values
        held = layer.positions().long()
        assert [sorted(set(row.tolist()) - {-1}) for row in held[0]] == best[0].tolist()


def test_it_never_holds_more_than_the_cache_and_one_layer(model):
    """While the prompt goes through the layers, those before share the whole cache."""
    row, queries = 2 * (2 * 8 * 4 + 8), WINDOW * 32 * 4  # keys, values, position and score; what looked, of a layer
    cache, _ = read(model, POLICY, tokens(1, time=128), tokens=16)
    assert cache.engine.peak <= (16 * LAYERS + 128) * row + LAYERS * queries < 128 * LAYERS * row / 2


def test_decoding_leaves_the_shares_as_they_are(model):
    """One row in, one out, in each layer."""
    _, before = read(model, POLICY, tokens(2))
    _, after = read(model, POLICY, tokens(2), *tokens(2, time=5, seed=2).split(1, dim=1))
    assert torch.equal(before, after) and len(before.unique()) > 1


def test_a_second_prompt_is_sliced_anew_within_the_budget(model):
    """Shares change with what is asked, the sum does not grow."""
    _, first = read(model, POLICY, tokens(2))
    _, both = read(model, POLICY, tokens(2), tokens(2, time=40, seed=3))
    assert (both.sum((0, 2)) <= ROOM * LAYERS * 2).all() and not torch.equal(first, both)


def test_a_sequence_in_company_is_sliced_as_alone(model):
    """Weights are of one sequence, not of the batch."""
    _, together = read(model, POLICY, tokens(3))
    alone = [read(model, POLICY, ids)[1] for ids in tokens(3).split(1)]
    assert torch.equal(together, torch.cat(alone, dim=1))


def test_a_cache_goes_on_from_a_fork_with_the_same_shares(model):
    """And with some of the sequences only."""
    with torch.no_grad(), kv.compress(model, POLICY, Budget(tokens=ROOM)) as cache:
        model(tokens(3), past_key_values=cache)
        before, other = torch.stack(cache.lengths()), cache.fork()
        other.reorder_cache(torch.tensor([2, 0, 0]))
        model(tokens(3, time=1, seed=4), past_key_values=other)
        assert torch.equal(torch.stack(other.lengths()), before[:, [2, 0, 0]])


def test_heads_may_share_what_a_layer_has(model):
    """AdaKV over CAKE: the sum over all layers and heads is the budget."""
    _, lengths = read(model, AdaKV(scores=POLICY), tokens(2))
    assert (lengths.sum((0, 2)) == ROOM * LAYERS * 2).all()
    assert (lengths[..., 0] != lengths[..., 1]).any() and (lengths.sum(-1) != 2 * ROOM).any()


def test_a_cache_that_fits_is_left_whole(model):
    """Nothing goes where there is room for all."""
    _, lengths = read(model, POLICY, tokens(1), ratio=1.0)
    assert (lengths == TIME).all()
