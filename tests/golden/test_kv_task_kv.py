"""Task-KV against loops written from its description: distances, scores, and who gets how many rows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.task_kv import TaskKV  # noqa: E402

WINDOW, TIME = 16, 96


@pytest.mark.parametrize("layer", [0, 1])
def test_distance_is_that_of_the_mean_outputs(answered, prompt_view, layer):
    """Of the farthest query head of each kv head."""
    ours = TaskKV(window=WINDOW).distances(prompt_view(layer)).numpy()
    seen = answered("inputs")
    for sequence in range(2):
        outputs = []
        for head in range(4):
            values = seen["values"][layer, sequence, head // 2].astype(float)
            outputs.append((seen["attentions"][layer, sequence, head, -WINDOW:] @ values).mean(0))
        away = np.linalg.norm(np.array(outputs) - np.mean(outputs, axis=0), axis=-1)
        np.testing.assert_allclose(ours[sequence], [max(away[:2]), max(away[2:])], rtol=1e-4)


def test_rows_come_in_order_of_sinks_newest_and_attention(answered, prompt_view):
    """The middle ones by the smoothed mean of the window's attention."""
    ours = TaskKV(window=WINDOW, sinks=3, newest=5).score(prompt_view(0)).numpy()
    order = np.argsort(-ours, axis=-1, kind="stable")
    assert (order[..., :3] == [0, 1, 2]).all() and (order[..., 3:8] == [95, 94, 93, 92, 91]).all()
    for sequence, weights in enumerate(answered("inputs")["attentions"][0].astype(float)):
        smooth = [np.convolve(head[-WINDOW:].mean(0), np.full(5, 0.2), mode="same") for head in weights]
        expected = [np.mean(smooth[:2], axis=0), np.mean(smooth[2:], axis=0)]
        np.testing.assert_allclose(ours[sequence][:, 3:91], np.array(expected)[:, 3:91], rtol=1e-4)


@pytest.mark.parametrize(
    ("room", "far", "near"), [(48, 62, 34), (80, 96, 64), (20, 20, 20), (30, 30, 30), (96, 96, 96)]
)
def test_far_heads_take_what_the_others_leave(prompt_view, room, far, near):
    """The others hold 4 + 16 + 14 rows, or less where the budget is less; more where far heads have all."""
    method, view = TaskKV(middle=14), prompt_view(0)
    scores = method.score(view)
    shares = method.shares(scores, torch.tensor([room, room]), view)
    first = method.distances(view).argmax(-1)
    for sequence in range(2):
        assert shares[sequence, first[sequence]] == far and shares[sequence, 1 - first[sequence]] == near
    kept = method.select(scores, torch.tensor([room, room]), view)
    assert torch.equal(kept.sum(-1), shares)
    for sequence in range(2):
        places = kept[sequence, 1 - first[sequence]].nonzero()[:, 0].tolist()
        assert set(range(4)) <= set(places) and set(range(TIME - min(16, near - 4), TIME)) <= set(places)


def test_what_has_to_stay_stays_in_near_heads_too(prompt_view):
    """Even where it is more than they would hold."""
    view, method = prompt_view(0), TaskKV(sinks=1, newest=1, middle=1)
    scores = method.score(view)
    scores[..., 40:60] = torch.inf
    assert method.shares(scores, torch.tensor([24, 24]), view).min() == 20
