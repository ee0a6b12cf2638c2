"""CORM against a loop over queries and keys."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.corm import CORM  # noqa: E402

TIME, GROUP = 96, 2


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(("window", "newest"), [(16, 8), (4, 16), (32, 32)])
def test_what_no_recent_query_cared_for_goes(answered, prompt_view, layer, window, newest):
    """A key stays where one of the last queries of its group's heads gives it 1 / t or more, or where it is recent."""
    attentions, policy, view = (
        answered("inputs")["attentions"][layer],
        CORM(window=window, newest=newest),
        prompt_view(layer),
    )
    kept = policy.select(policy.score(view), torch.tensor([TIME, TIME]), view).numpy()
    expected = np.zeros_like(kept)
    for row, head in np.ndindex(2, 2):
        for key in range(TIME):
            cared = any(
                attentions[row, GROUP * head + member, query, key] >= 1 / (query + 1)
                for query in range(TIME - window, TIME)
                for member in range(GROUP)
            )
            expected[row, head, key] = cared or key >= TIME - newest
    np.testing.assert_array_equal(kept, expected)
    assert kept.any(-1).all() and not kept.all()


def test_a_budget_bounds_it(prompt_view):
    """The most cared for stay; heads that keep fewer than the room keep those."""
    policy, view = CORM(window=16, newest=4), prompt_view(0)
    scores = policy.score(view)
    kept = policy.select(scores, torch.tensor([10, 90]), view)
    assert (kept.sum(-1)[0] == 10).all() and (kept.sum(-1)[1] < 90).all()
    assert (scores[0].masked_fill(~kept[0], torch.inf).amin(-1) >= scores[0].masked_fill(kept[0], 0).amax(-1)).all()
