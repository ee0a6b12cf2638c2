"""LAQ against loops written from the authors' scripts: the first cut as SnapKV's, the second by queries ahead."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.lookahead_q import LAQ  # noqa: E402

TIME, WINDOW, COUNT, KERNEL = 96, 16, 5, 7


def neighbourly(row):
    """The best of seven neighbours."""
    return np.array([row[max(0, at - KERNEL // 2) : at + KERNEL // 2 + 1].max() for at in range(len(row))])


def expected(weights, own):
    """(kv_heads, time - own). weights: one sequence's, (heads, queries, time)"""
    smooth = [neighbourly(head.mean(0)[: TIME - own]) for head in weights]
    return np.array([np.mean(smooth[:2], axis=0), np.mean(smooth[2:], axis=0)])


def far(scores, own):
    """Those rows whose neighbours are no own rows either, where both ways to treat the border agree."""
    return scores[..., : TIME - own - KERNEL // 2]


@pytest.mark.parametrize("layer", [0, 1])
def test_the_first_cut_is_by_the_window(answered, prompt_view, layer):
    """Mean attention of the last queries."""
    ours = LAQ(window=WINDOW).score(prompt_view(layer)).numpy()
    assert np.isinf(ours[..., -WINDOW:]).all()
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        np.testing.assert_allclose(
            far(ours[sequence], WINDOW), far(expected(weights[:, -WINDOW:], WINDOW), WINDOW), rtol=1e-4
        )


@pytest.mark.parametrize("local", [0, 8])
def test_the_second_cut_is_by_queries_ahead_and_those_of_a_local_window(answered, prompt_view, local):
    """They see all rows of the prompt and no others; only the local window's rows are kept in any case."""
    view = prompt_view(1)
    ahead = torch.randn(2, 4, COUNT, 16, generator=torch.Generator().manual_seed(0)) * 3
    places = torch.arange(TIME + COUNT).expand(2, -1)
    with_ahead = prompt_view(1, queries=torch.cat((view.queries, ahead), dim=2), query_positions=places)
    ours = LAQ(window=WINDOW, count=COUNT, local=local).score(with_ahead).numpy()
    keys = np.repeat(answered("inputs")["keys"][1].astype(float), 2, axis=1)
    for sequence in range(2):
        logits = ahead[sequence].numpy() @ keys[sequence].swapaxes(-1, -2) / 4
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        if local:
            last = answered("inputs")["attentions"][1, sequence][:, -local:]
            weights = np.concatenate((last, weights), axis=1)
            assert np.isinf(ours[sequence][:, -local:]).all()
        else:
            assert np.isfinite(ours[sequence]).all()
        np.testing.assert_allclose(far(ours[sequence], local), far(expected(weights, local), local), rtol=1e-4)
