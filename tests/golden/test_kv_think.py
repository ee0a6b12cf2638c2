"""ThinK drops the channels that kvpress zeroes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.think import ThinK  # noqa: E402


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [30, 50])
def test_the_same_channels_go(answered, prompt_view, percent, layer):
    """Of each head of each sequence, at both shares."""
    dropped = ThinK(share=percent / 100).note(prompt_view(layer))["dropped"]
    np.testing.assert_array_equal(dropped.numpy(), answered("think")[f"pruned_{percent}"][layer])


def test_a_channel_weighs_query_times_key(prompt_view):
    """By a loop over heads and channels, with the squares of a group's queries averaged; rows that are absent aside."""
    view = prompt_view(0)
    positions = view.positions.clone()
    positions[1, :, 60:] = -1
    view = prompt_view(0, positions=positions)
    dropped = ThinK().note(view)["dropped"].numpy()
    queries, keys = view.queries.numpy(), view.keys.numpy()
    for row, rows in enumerate((96, 60)):
        for head in range(2):
            asked = [np.mean(queries[row, 2 * head : 2 * head + 2, -32:, c] ** 2) for c in range(16)]
            weights = [a * np.mean(keys[row, head, :rows, c] ** 2) for c, a in enumerate(asked)]
            least = np.argsort(weights)[: int(16 * 0.4)]
            assert sorted(least) == np.flatnonzero(dropped[row, head]).tolist()
