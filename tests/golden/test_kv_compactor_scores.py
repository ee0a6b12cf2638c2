"""Compactor and its two parts agree with kvpress, each sequence by itself, with the sketches that kvpress drew."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.compactor import Compactor, leverage  # noqa: E402


def standard(scores):
    """z-scores of one sequence over rows and heads."""
    return (scores - scores.mean()) / scores.std(ddof=1)


class Sketched(Compactor):
    """With given sketches, (batch, kv_heads, dim, sketch)."""

    def __init__(self, sketch, **settings):
        super().__init__(**settings)
        object.__setattr__(self, "given", sketch)

    def _sketch(self, view):
        """The given one."""
        return self.given


def seen(policy, view):
    """The view with what the policy notes of the rows when they come in."""
    new = replace(view, seen=torch.zeros_like(view.seen))
    return replace(view, figures=policy.observe(new))


@pytest.mark.parametrize("layer", [0, 1])
def test_leverage_is_alike(answered, prompt_view, layer):
    """Of keys before their rotation, z-scored."""
    answer, view = answered("leverage"), prompt_view(layer)
    keys = view.rotary.unrotate(view.keys, view.positions)
    ours = leverage(keys, view.present, torch.from_numpy(answer["sketch"][layer])).numpy()
    for sequence, theirs in enumerate(answer["score_50"][layer]):
        np.testing.assert_allclose(standard(ours[sequence]), theirs, atol=2e-4)


def test_exact_leverage_adds_up_to_the_rank(prompt_view):
    """A sketch of full width changes nothing: the scores are the diagonal of the projection onto the keys."""
    view = prompt_view(0)
    keys = view.keys - view.keys.mean(2, keepdim=True)
    ours = leverage(view.keys, view.present, torch.eye(16)[None] * 4.0)
    projection = keys.double() @ torch.linalg.pinv(keys.double())
    torch.testing.assert_close(ours.double(), projection.diagonal(dim1=-2, dim2=-1), atol=2e-3, rtol=0)


@pytest.mark.parametrize("layer", [0, 1])
def test_non_causal_attention_is_alike(answered, prompt_view, layer):
    """In chunks that fit, times the length of the values, smoothed."""
    ours = seen(Compactor(chunk=32, first=0, last=0), prompt_view(layer)).figures["attention"].numpy()
    for sequence, theirs in enumerate(answered("noncausal")["score_50"][layer]):
        np.testing.assert_allclose(standard(ours[sequence]), theirs, atol=1e-4)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [50, 25])
def test_the_same_rows_stay(answered, prompt_view, percent, layer):
    """kvpress weighs leverage by the share that goes."""
    answer = answered("compactor")
    policy = Sketched(torch.from_numpy(answer["sketch"][layer]), blend=1 - percent / 100, chunk=42)
    view = seen(policy, prompt_view(layer))
    scores = policy.score(view)
    inner = scores.isfinite().numpy()
    assert (~inner).nonzero()[2].tolist() == [*range(8), *range(92, 96)] * 4
    theirs = answer[f"score_{percent}"][layer]
    np.testing.assert_allclose(np.where(inner, scores, 0), np.where(inner, theirs, 0), atol=2e-4)
    kept = policy.select(scores, torch.full((2,), 96 * percent // 100), view)
    np.testing.assert_array_equal(kept.numpy(), answer[f"kept_{percent}"][layer])
