"""CompressKV against loops written from the authors' code: scores, shares of layers, heads found, errors measured."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.budget import allocate  # noqa: E402
from memspan.kv.methods.compresskv import CompressKV, _error  # noqa: E402

WINDOW, KERNEL = 8, 5


def smoothed(row):
    """Means of five neighbours, zeros beyond the ends."""
    padded = np.pad(row, KERNEL // 2)
    return np.array([padded[place : place + KERNEL].mean() for place in range(len(row))])


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(("heads", "first"), [(((3, 0), (1,)), 4), (((2, 1, 0), (1, 3, 2)), 2), ((), 4)])
def test_chosen_heads_choose_for_all(answered, prompt_view, layer, heads, first):
    """The window's sum of each chosen head, smoothed, then their mean; one list for both kv heads."""
    ours = CompressKV(heads=heads, first=first).score(prompt_view(layer)).numpy()
    chosen = heads[layer][:first] if heads else range(4)
    assert np.isinf(ours[..., -WINDOW:]).all()
    for sequence, weights in enumerate(answered("inputs")["attentions"][layer].astype(float)):
        expected = np.mean([smoothed(weights[head, -WINDOW:, :-WINDOW].sum(0)) for head in chosen], axis=0)
        for kv_head in (0, 1):
            np.testing.assert_allclose(ours[sequence, kv_head, :-WINDOW], expected, rtol=1e-4)


def test_a_row_is_known_by_its_place_where_heads_hold_different_rows(prompt_view):
    """The first kv head lacks the first thirty rows, the second the next thirty: the others come from both."""
    view = prompt_view(0)
    rows = torch.stack((torch.arange(30, 96), torch.cat((torch.arange(30), torch.arange(60, 96)))))
    index = rows.expand(2, -1, -1)
    parts = {
        name: getattr(view, name).gather(2, index[..., None].expand(-1, -1, -1, 16)) for name in ("keys", "values")
    }
    cut = prompt_view(0, positions=index, **parts)
    ours = CompressKV(kernel=1).score(cut)
    torch.testing.assert_close(ours[:, 0, -36:], ours[:, 1, -36:])
    each = [CompressKV(kernel=1, heads=(heads,)).score(cut) for heads in ((0, 1), (2, 3))]
    torch.testing.assert_close(ours[:, 0, :30], each[0][:, 0, :30] / 2)
    torch.testing.assert_close(ours[:, 1, :30], each[1][:, 1, :30] / 2)


def test_heads_of_another_model_are_refused(prompt_view):
    """Too few layers, or a head that is not there."""
    for heads in (((0,),), ((0,), (4,))):
        with pytest.raises(UsageError, match="find them on this model"):
            CompressKV(heads=heads).score(prompt_view(1))


def published(shares, total, least, most):
    """Rows of each layer as the authors' code gives them out, before it repairs the sum."""
    extra = np.round(np.array(shares) * (total - least * len(shares)))
    return np.clip(least + extra, least, most)


@pytest.mark.parametrize("errors", [(0.1, 0.2, 0.3, 0.4), (0.02, 0.03, 0.05, 0.9), (0.25, 0.25, 0.25, 0.25)])
@pytest.mark.parametrize("mean", [64, 512, 20])
def test_layers_share_by_error_beyond_a_base(errors, mean):
    """32 rows each, the rest by error, three times the mean at most; where nothing is clipped, rows are the same."""
    method, count, seen = CompressKV(errors=errors), len(errors), 4096
    apart = method.apart(mean)
    weights = method.layers(mean - apart, count, seen)
    floors, caps = [0] * count, [seen - apart] * count
    ours = [apart + rows for rows in allocate((mean - apart) * count, weights, caps=caps, floors=floors)]
    theirs = published(errors, mean * count, min(32, mean), 3 * mean)
    assert sum(ours) == mean * count
    assert max(ours) <= 3 * mean and min(ours) >= min(32, mean)
    if theirs.max() < 3 * mean:
        assert np.abs(ours - theirs).max() <= 1


def test_errors_of_another_model_are_refused():
    """One for each layer."""
    with pytest.raises(UsageError, match="2 layers for a model of 3"):
        CompressKV(errors=(0.5, 0.5)).layers(64, 3, 100)


def test_the_error_of_a_layer_is_relative_and_of_its_projected_output(answered, prompt_view):
    """Of the last three queries, where of the first 90 rows each kv head has but some; six later ones are all there."""
    steps, late = 3, 6
    seen, random = answered("inputs"), np.random.default_rng(0)
    kept = random.random((2, 2, 96 - late)) < 0.5
    width = random.standard_normal((5, 4 * 16))
    expected = 0.0
    for sequence in range(2):
        for step in range(96 - steps, 96):
            whole, cut = [], []
            for head in range(4):
                values = seen["values"][1, sequence, head // 2].astype(float)
                weights = seen["attentions"][1, sequence, head, step].astype(float)
                stay = weights * np.append(kept[sequence, head // 2], np.ones(late))
                whole.append(weights @ values)
                cut.append(stay @ values / stay.sum())
            whole, cut = (width @ np.concatenate(part) for part in (whole, cut))
            expected += np.linalg.norm(cut - whole) / (np.linalg.norm(whole) + 1e-5)
    ours = _error(prompt_view(1), torch.from_numpy(kept), steps, lambda rows: rows @ torch.from_numpy(width).float().T)
    np.testing.assert_allclose(float(ours), expected, rtol=1e-4)
