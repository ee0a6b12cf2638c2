"""ExpectedAttention agrees with kvpress: the same scores, the same rows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.expected_attention import ExpectedAttention  # noqa: E402


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [50, 25])
def test_the_same_rows_stay(answered, prompt_view, percent, layer):
    """The sinks first, which kvpress marks by the best score and one."""
    policy, view, answer = ExpectedAttention(), prompt_view(layer), answered("expected")
    scores = policy.score(view)
    assert torch.isinf(scores[..., :4]).all()
    np.testing.assert_allclose(scores[..., 4:], answer[f"score_{percent}"][layer, ..., 4:], rtol=2e-4, atol=1e-7)
    kept = policy.select(scores, torch.full((2,), 96 * percent // 100), view)
    np.testing.assert_array_equal(kept.numpy(), answer[f"kept_{percent}"][layer])


def test_a_sequence_in_company_is_scored_as_alone(prompt_view):
    """Though it ends earlier, and has padding before it."""
    view = prompt_view(0)
    cut = {"keys": 2, "values": 2, "queries": 2}
    one = {name: getattr(view, name)[:1].narrow(axis, 0, 60) for name, axis in cut.items()}
    alone = prompt_view(
        0, **one, seen=torch.tensor([60]), positions=view.positions[:1, :, :60],
        query_positions=view.query_positions[:1, :60],
    )  # fmt: skip
    padded = {name: getattr(view, name).clone() for name in cut}
    positions, places = view.positions.clone(), view.query_positions.clone()
    positions[0, :, 60:], places[0, :36], places[0, 36:] = -1, -1, torch.arange(60)
    padded["queries"][0, :, 36:] = view.queries[0, :, :60]
    together = prompt_view(0, **padded, seen=torch.tensor([60, 96]), positions=positions, query_positions=places)
    scores = ExpectedAttention().score(together)
    torch.testing.assert_close(scores[:1, :, :60], ExpectedAttention().score(alone), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(scores[1:], ExpectedAttention().score(view)[1:], rtol=1e-4, atol=1e-7)
