"""PyramidKV agrees with kvpress: the layers' budgets and the rows that stay.

kvpress counts a window that is cut off a layer's budget, and shares evenly where the last layer would hold less than
the window; the authors' code, and ours, hold the window beside the budget.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.budget import allocate  # noqa: E402
from memspan.kv.methods.pyramidkv import PyramidKV  # noqa: E402

ROWS = range(18)


@pytest.mark.parametrize("row", ROWS)
def test_budgets_fall_in_the_same_steps(answered, row):
    """Whole rows within one of kvpress's, whose sum is exact."""
    time, window, beta, share = answered("pyramidkv")["table_settings"][row]
    theirs = answered("pyramidkv")["table_budgets"][row]
    policy, room, count = PyramidKV(beta=float(beta), window=int(window)), int(time * share), len(theirs)
    weights = policy.layers(room, count, int(time))
    ours = allocate(room * count, weights, caps=[int(time)] * count, floors=[1] * count)
    assert sum(ours) == room * count
    if weights[-1] < window:
        assert set(theirs) == {round(time * share)}
        return
    np.testing.assert_allclose(ours, theirs, atol=1)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [50, 25])
def test_the_same_rows_stay(answered, prompt_view, percent, layer):
    """In layers of different length."""
    policy, view = PyramidKV(window=8, beta=2.0), prompt_view(layer)
    room = round(policy.layers(96 * percent // 100, 2, 96)[layer])
    kept = policy.select(policy.score(view), torch.full((len(view.keys),), room), view)
    np.testing.assert_array_equal(kept.numpy(), answered("pyramidkv")[f"kept_{percent}"][layer])
