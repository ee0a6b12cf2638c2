"""Methods that score row by row agree with kvpress: the same scores, and the same rows at each budget."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.codecs.raw import Raw  # noqa: E402
from memspan.kv.methods.adakv import AdaKV  # noqa: E402
from memspan.kv.methods.h2o import H2O  # noqa: E402
from memspan.kv.methods.keydiff import KeyDiff  # noqa: E402
from memspan.kv.methods.knorm import Knorm  # noqa: E402
from memspan.kv.methods.snapkv import SnapKV  # noqa: E402
from memspan.kv.methods.streaming import Streaming  # noqa: E402
from memspan.kv.methods.tova import TOVA  # noqa: E402
from memspan.kv.store.layer import Layer  # noqa: E402

WINDOWED = {"snapkv_w16": SnapKV(window=16), "snapkv_w32": SnapKV(window=32), "tova": TOVA()}
PLAIN = {"knorm": Knorm(), "streaming": Streaming(), "keydiff": KeyDiff()}
ASKED = [(name, percent) for name in WINDOWED | PLAIN for percent in ((75, 50) if name == "snapkv_w32" else (50, 25))]


def kept(policy, view, percent):
    """Rows that stay at that share of the prompt, as the engine asks for them."""
    room = view.keys.shape[2] * percent // 100
    return policy.select(policy.score(view), torch.full((len(view.keys),), room), view)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize(("name", "percent"), ASKED)
def test_the_same_rows_stay(answered, prompt_view, name, percent, layer):
    """At every budget that kvpress was asked for."""
    ours = kept((WINDOWED | PLAIN)[name], prompt_view(layer), percent)
    np.testing.assert_array_equal(ours.numpy(), answered(name)[f"kept_{percent}"][layer])


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", WINDOWED)
def test_windows_score_the_rows_before_them_alike(answered, prompt_view, name, layer):
    """And their own rows above all, which kvpress marks by the best score and one."""
    ours, theirs = WINDOWED[name].score(prompt_view(layer)).numpy(), answered(name)["score_50"][layer]
    own = np.isinf(ours)
    np.testing.assert_allclose(np.where(own, 0, ours), np.where(own, 0, theirs), rtol=1e-4, atol=1e-7)
    assert theirs[own].min() >= theirs[~own].max() + 1 - 1e-5 and own.any() and not own.all()


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", ["knorm", "keydiff"])
def test_keys_alone_score_alike(answered, prompt_view, name, layer):
    """Minus the norm of each key; minus its cosine with the mean direction of all."""
    ours = PLAIN[name].score(prompt_view(layer)).numpy()
    np.testing.assert_allclose(ours, answered(name)["score_50"][layer], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [0, 1])
def test_attention_received_is_the_sum_where_kvpress_takes_means(answered, prompt_view, layer):
    """Of the queries that could see a row, and of the heads of its group."""
    view, rows = prompt_view(layer), Layer(16, Raw())
    rows.append(view.keys, view.values, view.query_positions, {})
    _, mass = rows.attend(view.queries, view.query_positions, view.scaling, mass=True)
    ours = H2O().score(replace(view, figures={"mass": mass}))
    means = ours.numpy() / view.group / np.arange(ours.shape[-1], 0, -1)
    np.testing.assert_allclose(means, answered("h2o")["score_50"][layer], rtol=1e-4)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("percent", [50, 25])
def test_heads_that_share_a_pool_keep_the_same_rows(answered, prompt_view, percent, layer):
    """AdaKV over SnapKV: heads of uneven length, each row the same."""
    ours = kept(AdaKV(scores=SnapKV(window=16)), prompt_view(layer), percent)
    np.testing.assert_array_equal(ours.numpy(), answered("adakv")[f"kept_{percent}"][layer])
