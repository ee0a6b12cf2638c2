"""HACK against loops written from its description: variances, the two ways to score, the two budgets."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.methods.hack import HACK, variances  # noqa: E402

WINDOW, TIME = 16, 96


def seen_by(answered, layer, sequence):
    """What the window's queries pay, (heads, window, time)."""
    return answered("inputs")["attentions"][layer, sequence].astype(float)[:, -WINDOW:]


@pytest.mark.parametrize("layer", [0, 1])
def test_variance_is_over_queries_and_summed_over_rows(answered, prompt_view, layer):
    """The mean of a kv head's group."""
    ours = variances(prompt_view(layer), WINDOW).numpy()
    for sequence in range(2):
        each = seen_by(answered, layer, sequence).var(axis=1).sum(-1)
        np.testing.assert_allclose(ours[sequence], [each[:2].mean(), each[2:].mean()], rtol=1e-4)


def test_padding_does_not_vary(prompt_view):
    """A window of which eight queries are before the text is as a window of eight."""
    view = prompt_view(0)
    short = prompt_view(0, query_positions=torch.where(view.query_positions < TIME - 8, -1, view.query_positions))
    torch.testing.assert_close(variances(short, WINDOW), variances(view, 8))


def test_contextual_heads_score_by_attention(answered, prompt_view):
    """Its mean over the window and the group."""
    ours = HACK(structural=((1,),)).score(prompt_view(0)).numpy()
    for sequence in range(2):
        expected = seen_by(answered, 0, sequence)[:2].mean((0, 1))
        np.testing.assert_allclose(ours[sequence, 0], expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("horizon", [1, 7])
def test_structural_heads_score_by_distance(answered, prompt_view, horizon):
    """What the tokens to come would pay a row, if they looked where the window's queries look."""
    ours = HACK(structural=((1,),), horizon=horizon).score(prompt_view(0)).numpy()
    for sequence in range(2):
        weights = seen_by(answered, 0, sequence)[2:].mean(0)
        paid = np.zeros(TIME + horizon)
        for place, row in zip(range(TIME - WINDOW, TIME), weights, strict=True):
            for key in range(place + 1):
                paid[place - key] += row[key]
        expected = [max(paid[now - key] for now in range(TIME, TIME + horizon)) for key in range(TIME)]
        np.testing.assert_allclose(ours[sequence, 1], expected, rtol=1e-4, atol=1e-8)


def test_heads_of_highest_variance_are_structural_where_none_are_given(prompt_view):
    """Each sequence for itself; half of them, or the share asked for."""
    view = prompt_view(1)
    highest = variances(view, WINDOW).argmax(-1)
    found = HACK().diagonal(view)
    assert found.sum(-1).tolist() == [1, 1] and found.gather(1, highest[:, None]).all()
    assert HACK(share=0.0).diagonal(view).sum() == 0 and HACK(share=1.0).diagonal(view).sum() == 4


def test_budgets_lean_to_contextual_heads(prompt_view):
    """Half as many rows for a structural head, and what the budget says in all."""
    view, method = prompt_view(0), HACK(structural=((1,),), lean=0.5)
    kept = method.select(method.score(view), torch.tensor([30, 30]), view)
    assert kept.sum(-1).tolist() == [[40, 20]] * 2
    even = HACK(structural=((1,),), lean=1.0)
    assert even.select(even.score(view), torch.tensor([30, 30]), view).sum(-1).tolist() == [[30, 30]] * 2


def test_heads_of_another_model_are_refused(prompt_view):
    """A layer or a head that is not there."""
    for given in (((0,),), ((0,), (2,))):
        with pytest.raises(UsageError, match="find them on this model"):
            HACK(structural=given).score(prompt_view(1))
