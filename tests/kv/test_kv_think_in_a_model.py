"""ThinK in a model: which rows lose channels, what that saves to the byte, and that later rows lose the same ones."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.pyramidkv import PyramidKV  # noqa: E402
from memspan.kv.methods.think import ThinK  # noqa: E402

LAYERS, KV_HEADS, DIM, TIME, WINDOW, SLOTS = 2, 2, 16, 110, 32, 16
SIZES = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "num_key_value_heads": KV_HEADS, "vocab_size": 64, "initializer_range": 0.3,
}  # fmt: skip
STEEP = PyramidKV(window=16, beta=4)
OLD = (TIME - WINDOW) // SLOTS * SLOTS


@pytest.fixture(scope="module")
def model():
    """Random weights, far from zero."""
    return new_llama(SIZES, 3)


def tokens(time=TIME, batch=2, seed=1):
    """Ids without meaning."""
    return torch.randint(64, (batch, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def read(model, policy, *passes, ratio=1.0):
    """The cache after some passes."""
    with kv.compress(model, policy, Budget(ratio=ratio)) as cache:
        for ids in passes:
            model(ids, past_key_values=cache)
        return cache


def dropped(cache, layer):
    """What was noted, (batch, kv_heads, dim)."""
    return cache.engine.layers[layer].notes["dropped"]


def test_old_rows_lose_the_channels_and_the_newest_are_whole(model):
    """Kept channels are exact; in the first layer, whose keys do not depend on what attention gave."""
    full, held = read(model, None, tokens()).view(0), read(model, ThinK(), tokens())
    keys, gone = held.view(0).keys, dropped(held, 0)[:, :, None]
    assert gone.sum(-1).unique().tolist() == [int(DIM * 0.4)]
    assert torch.equal(keys[:, :, OLD:], full.keys[:, :, OLD:])
    assert torch.equal(keys[:, :, :OLD], full.keys[:, :, :OLD].masked_fill(gone, 0))
    assert torch.equal(held.view(0).values, full.values)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_bytes_fall_by_half_the_share(model, share):
    """Of all rows but the newest, to the byte: keys are half of a row."""
    whole, thin = (read(model, ThinK(share=one), tokens()) for one in (0.0, share))
    assert whole.nbytes() - thin.nbytes() == 2 * LAYERS * KV_HEADS * OLD * int(DIM * share) * 4


def test_rows_that_grow_old_lose_the_same_channels(model):
    """Those of a later turn and those written token by token; the choice is made once."""
    held = read(model, ThinK(), tokens())
    first = dropped(held, 0).clone()
    later = read(model, ThinK(), tokens(), tokens(20, seed=2), *tokens(40, seed=3).split(1, dim=1))
    full = read(model, None, tokens(), tokens(20, seed=2), *tokens(40, seed=3).split(1, dim=1)).view(0)
    assert torch.equal(dropped(later, 0), first)
    old = (TIME + 60 - WINDOW) // SLOTS * SLOTS
    keys = later.view(0).keys
    lost = (keys != full.keys).any(-1).all(1).all(0)
    assert lost[:old].all() and not lost[-WINDOW:].any()
    assert torch.equal(keys[:, :, :old], full.keys[:, :, :old].masked_fill(first[:, :, None], 0))


@pytest.mark.parametrize("evicts", ["snapkv", "adakv", "h2o"])
def test_it_lies_over_another_methods_eviction(model, evicts):
    """The same rows stay, in fewer bytes; the newest are whole though heads differ in length."""
    plain, held = (read(model, one, tokens(), tokens(1), ratio=0.6) for one in (evicts, ThinK(evicts=evicts)))
    one, other = plain.view(0), held.view(0)
    assert torch.equal(one.positions, other.positions)
    assert held.nbytes() < plain.nbytes()
    for row in range(2):
        for head in range(KV_HEADS):
            count = int(one.present[row, head].sum())
            here = slice(count - WINDOW, count)
            assert torch.equal(one.keys[row, head, here], other.keys[row, head, here])
            gone = dropped(held, 0)[row, head]
            assert (other.keys[row, head, : count - WINDOW - SLOTS, gone] == 0).all() and count > WINDOW + SLOTS


def test_forks_and_chosen_sequences_keep_their_choice(model):
    """A fork goes on with the same channels; sequences take theirs along."""
    with torch.no_grad(), kv.compress(model, ThinK()) as cache:
        model(tokens(), past_key_values=cache)
        before, fork = dropped(cache, 1).clone(), cache.fork()
        fork.reorder_cache(torch.tensor([1, 1]))
        model(tokens(30), past_key_values=fork)
        assert torch.equal(dropped(fork, 1), before[[1, 1]]) and torch.equal(dropped(cache, 1), before)


def test_layers_share_as_the_method_beneath_has_them(model):
    """Over a pyramid the lower layer keeps more rows, as without ThinK."""
    lengths = [read(model, policy, tokens(), ratio=0.5).lengths() for policy in (ThinK(evicts=STEEP), STEEP)]
    assert int(lengths[0][0].min()) > int(lengths[0][1].max())
    assert all(torch.equal(over, alone) for over, alone in zip(*lengths, strict=True))
