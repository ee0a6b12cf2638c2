"""ChunkKV agrees with kvpress on one sequence; WindowKV with loops written after the authors' description."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.chunkkv import ChunkKV  # noqa: E402
from memspan.kv.methods.snapkv import SnapKV  # noqa: E402
from memspan.kv.methods.windowkv import WindowKV  # noqa: E402
from memspan.kv.signals import Rotary, View  # noqa: E402

SUFFIX, WINDOW, TIME = 16, 8, 96


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [50, 30])
def test_the_same_chunks_stay(answered, prompt_view, percent, layer):
    """Each sequence by itself, though here they come together."""
    policy, view = ChunkKV(scores=SnapKV(window=16), chunk=10), prompt_view(layer)
    room = torch.full((len(view.keys),), TIME * percent // 100)
    kept = policy.select(policy.score(view), room, view)
    np.testing.assert_array_equal(kept.numpy(), answered("chunkkv")[f"kept_{percent}"][layer])


def worth(sums, task):
    """Of a window: sums (heads, rows)."""
    if task == "aggregate":
        return sums.mean()
    best = [sorted(head, reverse=True)[: WINDOW // 2] for head in sums.tolist()]
    return np.mean([value for head in best for value in head])


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("task", ["localise", "aggregate"])
@pytest.mark.parametrize("budget", [40, 21])
def test_the_worst_windows_go(answered, prompt_view, task, budget, layer):
    """As many as the rows beside the suffix are too many, rounded up to whole windows."""
    policy, view = WindowKV(task=task, window=WINDOW, suffix=SUFFIX), prompt_view(layer)
    ours = policy.select(policy.score(view), torch.full((len(view.keys),), budget + SUFFIX), view)
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        sums = weights[:, -SUFFIX:, :-SUFFIX].sum(1)
        scores = [worth(sums[:, at : at + WINDOW], task) for at in range(0, TIME - SUFFIX, WINDOW)]
        gone = np.argsort(scores)[: int(np.ceil((TIME - SUFFIX - budget) / WINDOW))]
        expected = np.array([row // WINDOW not in gone for row in range(TIME)])
        np.testing.assert_array_equal(ours[sequence].numpy(), np.broadcast_to(expected, ours[sequence].shape))


def test_the_two_kinds_of_task_choose_differently():
    """Half of a window that is looked at is enough to localise; a whole one that is, to aggregate."""
    keys = torch.zeros(1, 1, 20, 4)
    keys[0, 0, [8, 9, 12, 13, 14, 15], 0] = torch.tensor([3.0, 3.0, 2.8, 2.8, 2.8, 2.8])
    places = torch.arange(20)
    view = View(
        layer=0, layers=1, seen=torch.tensor([20]), keys=keys, values=keys, positions=places.expand(1, 1, 20),
        queries=torch.tensor([1.0, 0, 0, 0]).expand(1, 2, 4, 4), query_positions=places[None, -4:], figures={},
        scaling=1.0, rotary=Rotary(torch.ones(2)), arrived=20,
    )  # fmt: skip
    for task, begin in (("localise", 8), ("aggregate", 12)):
        policy = WindowKV(task=task, window=4, suffix=4)
        kept = policy.select(policy.score(view), torch.tensor([8]), view)
        assert kept[0, 0].nonzero().flatten().tolist() == [*range(begin, begin + 4), *range(16, 20)]


def test_a_last_window_that_is_short_counts_by_its_own_rows(prompt_view):
    """Its mean is over what it has."""
    view = prompt_view(0)
    policy = WindowKV(suffix=13)  # 83 rows before it: ten windows and three rows
    scores = policy.score(view)
    sums = torch.softmax(_logits(view), -1)[..., :83].sum(2)
    torch.testing.assert_close(scores[:, 0, 80], sums[..., 80:83].mean((1, 2)), rtol=1e-4, atol=1e-6)


def _logits(view):
    """Of the last 13 queries, (batch, heads, 13, time)."""
    keys = view.keys.repeat_interleave(view.group, dim=1)
    logits = view.queries[:, :, -13:] @ keys.transpose(-1, -2) * view.scaling
    later = view.positions[:, :1, None, :] > view.query_positions[:, None, -13:, None]
    return logits.masked_fill(later, -torch.inf)
