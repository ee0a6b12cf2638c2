"""A model's own attention replaced for a while."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.attending import attending  # noqa: E402
from memspan.testing.kv_tasks import needle  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402


@pytest.fixture(scope="module")
def model():
    """The circuit."""
    return circuit()


def plain(_layer, _hidden, rows, scaling):
    """What the model does by itself."""
    return torch.nn.functional.scaled_dot_product_attention(*rows, is_causal=True, scale=scaling, enable_gqa=True)


def test_the_same_attention_gives_the_same_logits(model):
    """And the model is as before afterwards, with nothing left behind."""
    ids = needle(batch=2, context=60, aware=True).prompt
    before, hooks = model.config._attn_implementation, len(list(model.modules()))
    with torch.no_grad():
        expected = model(ids, use_cache=False).logits
        with attending(model, plain):
            torch.testing.assert_close(model(ids, use_cache=False).logits, expected)
    assert model.config._attn_implementation == before
    assert not any(part._forward_pre_hooks for part in model.modules()) and hooks == len(list(model.modules()))


def test_layers_are_called_in_order_with_what_goes_into_them(model):
    """Once each; the input is normed, so its mean square is 1."""
    calls = []

    def watched(layer, hidden, rows, scaling):
        calls.append((layer, hidden, rows[0].shape[1], scaling))
        return plain(layer, hidden, rows, scaling)

    with torch.no_grad(), attending(model, watched):
        model(needle(batch=2, context=60, aware=True).prompt, use_cache=False)
    assert [(layer, heads, scaling) for layer, _, heads, scaling in calls] == [(0, 4, 48**-0.5), (1, 4, 48**-0.5)]
    for _, hidden, _, _ in calls:
        torch.testing.assert_close(hidden.pow(2).mean(-1), torch.ones(2, 62), atol=1e-2, rtol=0)


def test_gradients_flow_to_what_steers_the_attention(model):
    """A factor on the logits is learnable."""
    factor = torch.ones((), requires_grad=True)

    def steered(layer, hidden, rows, scaling):
        queries, keys, values = rows
        return plain(layer, hidden, (queries * factor, keys, values), scaling)

    with attending(model, steered):
        logits = model(needle(batch=1, context=40, aware=True).prompt, use_cache=False).logits
    logits.logsumexp(-1).sum().backward()
    assert float(factor.grad.abs()) > 0


def test_a_broken_pass_leaves_the_model_as_it_was(model):
    """Whatever is raised inside."""
    before = model.config._attn_implementation
    with pytest.raises(UsageError), attending(model, plain), kv.compress(model, None, Budget(ratio=0)):
        raise AssertionError("a budget of 0 was taken")
    assert model.config._attn_implementation == before
