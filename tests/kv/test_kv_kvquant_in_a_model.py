"""KVQuant in a model: what is kept as it is, what the levels cost, and how near keys come back."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.registry import load  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.adakv import AdaKV  # noqa: E402
from memspan.kv.methods.kvquant import KVQuant  # noqa: E402

SIZES = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 64, "initializer_range": 0.3, "attention_bias": True,
}  # fmt: skip
TIME = 110


@pytest.fixture(scope="module")
def model():
    """Keys with channels far from zero, as trained models have them."""
    model = new_llama(SIZES, 3)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.k_proj.bias.copy_(torch.linspace(-6, 6, 32))
    return model


def tokens(time=TIME, seed=1):
    """Ids without meaning."""
    return torch.randint(64, (2, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def read(model, policy, *passes, **more):
    """The cache after some passes."""
    with kv.compress(model, policy, Budget(ratio=1.0), **more) as cache:
        for ids in passes:
            model(ids, past_key_values=cache)
        return cache


def test_the_first_page_and_the_newest_rows_are_exact(model):
    """All others are near; after a fork and more tokens too."""
    full = read(model, None, tokens())
    held = read(model, KVQuant(), tokens())
    for one, other in zip(full.view(0).keys, held.view(0).keys, strict=True):
        same = (one == other).all(-1).all(0)
        assert same[:16].all() and same[-32:].all() and not same[16:64].any()
        assert (one - other).square().mean() < one.square().mean() / 100
    assert [type(segment.pages.codec).__name__ for segment in held.engine.layers[0].segments] == ["Raw", "Unrotated"]


def test_fitted_levels_are_not_in_the_pages(model):
    """They cost nothing a page and are near what each page fits for itself."""
    full = read(model, None, tokens())
    fitted = KVQuant.fitted([full.view(layer) for layer in range(2)])
    assert len(fitted.key_levels) == 8 and list(fitted.key_levels) == sorted(fitted.key_levels)
    own, shared = (read(model, policy, tokens()) for policy in (KVQuant(), fitted))
    pages = 3 * 2 * 2 * 2  # past the first of each head of two sequences and two layers
    assert own.nbytes() - shared.nbytes() == pages * 2 * 8 * 2
    wrong = [(cache.view(0).keys - full.view(0).keys).square().mean() for cache in (own, shared)]
    assert wrong[1] < 2 * wrong[0]


def test_keys_before_rope_come_back_nearer(model):
    """Than by the same codes after it."""
    full = read(model, None, tokens())
    wrong = []
    for policy, more in ((KVQuant(), {}), (None, {"codec": load("codec", "nuq")(bits=3)})):
        held = read(model, policy, tokens(), **more)
        wrong.append((held.view(0).keys - full.view(0).keys)[:, :, 16:-32].square().mean())
    assert 0 < wrong[0] < wrong[1] * 0.7


def test_its_codec_serves_heads_of_any_length(model):
    """Pages carry their positions: with heads cut to different lengths, rows are still near what they were."""
    full = read(model, None, tokens())
    with torch.no_grad(), kv.compress(model, AdaKV(), Budget(ratio=0.6), codec="unrotated") as cache:
        model(tokens(), past_key_values=cache)
        view = cache.view(0)
    assert len({int(length) for layer in cache.lengths() for length in layer.flatten()}) > 1
    exact = full.view(0).keys.gather(2, view.positions.clamp(min=0)[..., None].expand_as(view.keys))
    wrong = (view.keys - exact)[view.present]
    assert wrong.square().mean() < exact[view.present].square().mean() / 100


def test_a_method_with_pages_of_its_own_takes_no_other(model):
    """Both cannot be."""
    with pytest.raises(ValueError, match="pages of its own"), kv.compress(model, "kvquant", codec="int4"):
        pass


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_budget_in_bytes_counts_the_rows_that_stay_whole(model, share):
    """The first page, the newest rows and the pages between them stay within it, though not all rows fit."""
    limit = int(read(model, None, tokens(400)).nbytes() * share * 0.7)
    with torch.no_grad(), kv.compress(model, KVQuant(), Budget(bytes=limit)) as cache:
        model(tokens(400), past_key_values=cache)
        rows = int(cache.lengths()[0].max())
        assert 0.7 * limit < cache.nbytes() <= limit and 48 < rows < 400
