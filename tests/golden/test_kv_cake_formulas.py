"""CAKE against loops written from the paper's formulas: layer weights, the indicator, and what decoding looks at."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.cake import CAKE  # noqa: E402

WINDOW, KERNEL, GAMMA = 16, 5, 200.0


def smoothed(row):
    """Means of five neighbours, zeros beyond the ends."""
    padded = np.pad(row, KERNEL // 2)
    return np.array([padded[place : place + KERNEL].mean() for place in range(len(row))])


def indicator(weights, window, gamma):
    """Of the rows before the window: (kv_heads, rows). weights: one sequence's, (heads, window, time)"""
    heads = []
    for one in weights:
        before = one[:, :-window]
        heads.append(smoothed(before.mean(0) + (gamma * before.var(0, ddof=1) if gamma else 0)))
    return np.mean([heads[:2], heads[2:]], axis=1)


@pytest.mark.parametrize("layer", [0, 1])
def test_rows_of_a_prompt_are_scored_by_mean_and_variance(answered, prompt_view, layer):
    """The window's own rows come first."""
    ours = CAKE(window=WINDOW).score(prompt_view(layer)).numpy()
    assert np.isinf(ours[..., -WINDOW:]).all()
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        expected = indicator(weights[:, -WINDOW:], WINDOW, GAMMA)
        np.testing.assert_allclose(ours[sequence, :, :-WINDOW], expected, rtol=1e-3)


@pytest.mark.parametrize("layer", [0, 1])
def test_in_decoding_the_newest_query_alone_looks(answered, prompt_view, layer):
    """By its attention, without a variance."""
    ours = CAKE(window=WINDOW).score(prompt_view(layer, arrived=1)).numpy()
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        expected = indicator(weights[:, -1:], WINDOW, 0)
        np.testing.assert_allclose(ours[sequence, :, :-WINDOW], expected, rtol=1e-3)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(("spatial", "temporal"), [(1.0, 1.0), (1.6, 0.4)])
def test_layers_weigh_entropy_times_variance(answered, prompt_view, layer, spatial, temporal):
    """Summed over heads, each sequence by itself."""
    ours = CAKE(window=WINDOW, spatial=spatial, temporal=temporal).weigh(prompt_view(layer)).numpy()
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        entropy = variance = 0.0
        for head in weights[:, -WINDOW:, :-WINDOW]:
            entropy -= (head * np.log(head + 1e-10)).sum()
            variance += sum(head[:, row].var(ddof=1) for row in range(head.shape[1]))
        np.testing.assert_allclose(ours[sequence], entropy ** (1 / spatial) * variance ** (1 / temporal), rtol=1e-3)
