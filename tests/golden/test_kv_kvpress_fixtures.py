"""The numbers of kvpress that our methods are compared with are whole and agree with themselves."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).with_name("kvpress")
LAYERS, BATCH, HEADS, KV_HEADS, TIME, DIM = 2, 2, 4, 2, 96, 16
PER_HEAD = {
    **dict.fromkeys(["streaming", "knorm", "snapkv_w16", "tova", "h2o", "keydiff", "expected", "leverage"], (50, 25)),
    **dict.fromkeys(["noncausal", "noncausal_padded", "compactor"], (50, 25)),
    "snapkv_w32": (75, 50),
}
RAGGED = {"adakv": (50, 25), "pyramidkv": (50, 25), "chunkkv": (50, 30)}
SCORED = [(name, percent) for name, some in (PER_HEAD | RAGGED).items() for percent in some]
SELECTED = [(name, percent) for name, percent in SCORED if name != "chunkkv"]
CLEAR = 5e-6
CHUNK = 10


@cache
def load(name):
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def test_every_file_is_there_and_described():
    """The README names each file, and together they are small."""
    files = {path.stem: path.stat().st_size for path in FOLDER.glob("*.npz")}
    assert set(files) == {"inputs", "think", *PER_HEAD, *RAGGED}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in files if f"\n| {name} |" not in readme] == []
    assert sum(files.values()) < 1.5e6


def test_the_inputs_fit_together():
    """Attention is the causal softmax of the queries on the keys, and turning back the keys gives those before RoPE."""
    seen = load("inputs")
    queries, keys = seen["queries"], np.repeat(seen["keys"], HEADS // KV_HEADS, axis=2)
    assert queries.shape == (LAYERS, BATCH, HEADS, TIME, DIM)
    assert seen["values"].shape == seen["keys"].shape == (LAYERS, BATCH, KV_HEADS, TIME, DIM)
    logits = np.where(np.tri(TIME, dtype=bool), queries @ keys.swapaxes(-1, -2) / DIM**0.5, -np.inf)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    np.testing.assert_allclose(seen["attentions"], weights / weights.sum(-1, keepdims=True), atol=2e-6)
    angles = np.tile(np.outer(np.arange(TIME), seen["inv_freq"]), 2)
    for name in ("keys", "queries"):
        before = seen[f"{name}_before_rope"]
        half = np.concatenate((-before[..., DIM // 2 :], before[..., : DIM // 2]), axis=-1)
        np.testing.assert_allclose(before * np.cos(angles) + half * np.sin(angles), seen[name], atol=2e-5)


def test_no_token_stands_twice_in_a_row():
    """Equal tokens would tie in the first layer."""
    assert [len(set(row)) for row in load("inputs")["tokens"].tolist()] == [TIME] * BATCH


@pytest.mark.parametrize(("name", "percent"), SCORED)
def test_scores_and_kept_sets_have_their_shapes(name, percent):
    """Finite float32 scores; bool sets that are neither empty nor all."""
    score, kept = (load(name)[f"{part}_{percent}"] for part in ("score", "kept"))
    assert score.shape == kept.shape == (LAYERS, BATCH, KV_HEADS, TIME)
    assert (score.dtype, kept.dtype) == (np.float32, np.bool_)
    assert np.isfinite(score).all()
    assert kept.any(-1).all() and not kept.all(-1).any()


@pytest.mark.parametrize(("name", "percent"), SELECTED)
def test_what_stays_scores_higher_than_what_goes(name, percent):
    """By a margin that float32 cannot blur."""
    score, kept = (load(name)[f"{part}_{percent}"] for part in ("score", "kept"))
    lowest, highest = np.where(kept, score, np.inf).min(-1), np.where(kept, -np.inf, score).max(-1)
    assert (lowest - highest).min() >= CLEAR


@pytest.mark.parametrize(("name", "percent"), [pair for pair in SCORED if pair[0] in PER_HEAD])
def test_every_head_keeps_its_share(name, percent):
    """Exactly that percent of 96 tokens."""
    assert set(load(name)[f"kept_{percent}"].sum(-1).ravel().tolist()) == {TIME * percent // 100}


@pytest.mark.parametrize("percent", [50, 25])
def test_adakv_spreads_one_sum_over_uneven_heads(percent):
    """The heads of a layer share a pool, differ, and none falls under the safeguard; the pool's best stay."""
    score, kept = load("adakv")[f"score_{percent}"], load("adakv")[f"kept_{percent}"]
    lengths, share = kept.sum(-1), TIME * percent // 100
    assert (lengths.sum(-1) == KV_HEADS * share).all()
    assert (lengths[..., 0] != lengths[..., 1]).any()
    assert lengths.min() >= int(share * 0.2)
    lowest = np.where(kept, score, np.inf).min((-1, -2))
    assert (lowest > np.where(kept, -np.inf, score).max((-1, -2))).all()


def test_the_pyramid_narrows_and_its_layers_add_up():
    """Early layers keep more; two layers keep twice the share; so do the rows of the table, to rounding."""
    for percent in (50, 25):
        first, last = load("pyramidkv")[f"kept_{percent}"].sum(-1)
        assert (first > last).all()
        assert (first + last == 2 * TIME * percent // 100).all()
    settings, budgets = load("pyramidkv")["table_settings"], load("pyramidkv")["table_budgets"]
    assert (np.diff(budgets) <= 0).all() and (budgets[:, 0] > budgets[:, -1]).any()
    assert np.abs(budgets.mean(1) - settings[:, 0] * settings[:, 3]).max() <= 0.5


@pytest.mark.parametrize("percent", [50, 30])
def test_chunkkv_keeps_whole_chunks_the_best_on_average(percent):
    """Both heads keep the same chunks, so many of ten as asked for."""
    score, kept = load("chunkkv")[f"score_{percent}"], load("chunkkv")[f"kept_{percent}"]
    starts = np.arange(0, TIME, CHUNK)
    lengths = np.minimum(CHUNK, TIME - starts)
    stay = np.add.reduceat(kept, starts, axis=-1, dtype=int)
    assert (stay[:, :, 0] == stay[:, :, 1]).all()
    assert set(np.unique(stay / lengths)) == {0.0, 1.0}
    assert ((stay[:, :, 0] > 0).sum(-1) == len(starts) * percent // 100).all()
    means = np.add.reduceat(score.sum(2), starts, axis=-1) / lengths
    whole = stay[:, :, 0] > 0
    assert (np.where(whole, means, np.inf).min(-1) - np.where(whole, -np.inf, means).max(-1)).min() >= CLEAR


def test_think_prunes_the_weakest_channels():
    """As many as asked, those with the least mean square of window queries times mean square of keys."""
    seen = load("inputs")
    queries = (seen["queries"][..., -32:, :] ** 2).mean(-2).reshape(LAYERS, BATCH, KV_HEADS, -1, DIM).mean(3)
    order = np.argsort(queries * (seen["keys"] ** 2).mean(-2), axis=-1)
    for percent, gone in ((30, 4), (50, 8)):
        expected = np.zeros((LAYERS, BATCH, KV_HEADS, DIM), dtype=bool)
        np.put_along_axis(expected, order[..., :gone], True, axis=-1)
        np.testing.assert_array_equal(load("think")[f"pruned_{percent}"], expected)


@pytest.mark.parametrize("name", ["leverage", "compactor"])
def test_the_sketch_is_recorded(name):
    """Normal numbers, before the division by the root of their count."""
    sketch = load(name)["sketch"]
    assert sketch.shape == (LAYERS, BATCH, KV_HEADS, DIM, 48)
    assert abs(sketch.mean()) < 0.05 and abs(sketch.std() - 1) < 0.05


def test_padding_leaks_into_the_default_chunks():
    """A chunk that is filled up scores otherwise than chunks that fit: the reason why there are two files."""
    assert not np.allclose(load("noncausal")["score_50"], load("noncausal_padded")["score_50"], atol=0.01)
