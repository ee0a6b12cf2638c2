"""The compressibility profiler: against the SVD of everything at once."""

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.kv_core import Profile, effective_rank  # noqa: E402


def chunk(seed, batch=2, heads=3, time=7, dim=5, rank=None):
    """Keys or values of one pass, of a given rank."""
    made = np.random.default_rng(seed)
    states = made.normal(size=(batch, heads, time, dim)).astype(np.float32)
    if rank is not None:
        states = states[..., :rank] @ np.random.default_rng(99).normal(size=(rank, dim)).astype(np.float32)
    return torch.from_numpy(states)


def rows(chunks, head):
    """All tokens of one head under each other; of all heads side by side where head is None."""
    stacked = np.concatenate([part.numpy().astype(np.float64).transpose(0, 2, 1, 3) for part in chunks], axis=1)
    return (
        stacked.reshape(-1, stacked.shape[2] * stacked.shape[3])
        if head is None
        else stacked[:, :, head].reshape(-1, stacked.shape[3])
    )


def reference(matrix):
    """The normalised effective rank, from numpy's SVD."""
    singular = np.linalg.svd(matrix, compute_uv=False)
    shares = singular[singular > 0] / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum())) / matrix.shape[1]


@pytest.mark.parametrize("together", [False, True])
def test_chunks_have_the_ranks_of_the_whole(together):
    """Each head by itself, and a layer's heads side by side; keys and values of other widths."""
    keys = [chunk(seed, time=5 + seed) for seed in range(4)]
    values = [chunk(seed + 10, time=5 + seed, dim=4, rank=2) for seed in range(4)]
    profile = Profile(together=together)
    for key, value in zip(keys, values, strict=True):
        profile.add(3, key, value)
    found = profile.ranks()
    heads = [None] if together else range(3)
    assert list(found) == [3] and profile.tokens(3) == 2 * (5 + 6 + 7 + 8)
    assert found[3].keys == pytest.approx([reference(rows(keys, head)) for head in heads], abs=1e-9)
    # rank-deficient: singular values that are 0 come out of X'X as about 1e-8 of the largest
    assert found[3].values == pytest.approx([reference(rows(values, head)) for head in heads], abs=1e-5)
    spectrum = profile.spectrum(3)[0].numpy()
    for index, head in enumerate(heads):
        assert spectrum[index] == pytest.approx(np.linalg.svd(rows(keys, head), compute_uv=False), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(5)), cut=st.integers(0, 5))
def test_order_and_merging_change_nothing(order, cut):
    """Two profiles of parts, merged, are the profile of all, whichever came first."""
    whole, one, two = Profile(), Profile(), Profile()
    for seed in range(5):
        whole.add(seed % 2, chunk(seed), chunk(seed + 7))
    for place, seed in enumerate(order):
        (one if place < cut else two).add(seed % 2, chunk(seed), chunk(seed + 7))
    one.merge(two)
    expected, found = whole.ranks(), one.ranks()
    assert list(found) == list(expected) == [0, 1]
    for layer, ranks in expected.items():
        assert found[layer].keys == pytest.approx(ranks.keys, rel=1e-12)
        assert found[layer].values == pytest.approx(ranks.values, rel=1e-12)
        assert one.tokens(layer) == whole.tokens(layer)


def test_merging_leaves_the_other_profile_alone():
    """What is added later to one does not show in the other."""
    one, two = Profile(), Profile()
    two.add(0, chunk(1), chunk(2))
    before = two.ranks()
    one.merge(two)
    one.add(0, chunk(3, rank=1), chunk(4))
    assert two.ranks() == before and one.ranks() != before


def test_padding_is_left_out():
    """Numbers where `present` is False do not count, whatever they are."""
    keys, values = chunk(1), chunk(2)
    present = torch.ones(2, 7, dtype=torch.bool)
    present[0, :3] = False
    padded_keys, padded_values = keys.clone(), values.clone()
    padded_keys[0, :, :3], padded_values[0, :, :3] = 1e6, -1e6
    padded, plain = Profile(), Profile()
    padded.add(0, padded_keys, padded_values, present)
    plain.add(0, keys[:1, :, 3:], values[:1, :, 3:])
    plain.add(0, keys[1:], values[1:])
    assert padded.ranks()[0].keys == pytest.approx(plain.ranks()[0].keys, rel=1e-12)
    assert padded.tokens(0) == plain.tokens(0) == 11


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_projections_are_the_best_of_their_rank(rank):
    """The error is that of numpy's truncated SVD (Eckart and Young)."""
    keys, values = [chunk(seed) for seed in range(3)], [chunk(seed + 5) for seed in range(3)]
    profile = Profile()
    for key, value in zip(keys, values, strict=True):
        profile.add(0, key, value)
    for chunks, bases in zip((keys, values), profile.projections(0, rank), strict=True):
        for head in range(3):
            matrix, basis = rows(chunks, head), bases[head].numpy()
            error = np.linalg.norm(matrix - matrix @ basis @ basis.T)
            singular = np.linalg.svd(matrix, compute_uv=False)
            assert error == pytest.approx(np.sqrt((singular[rank:] ** 2).sum()), abs=1e-6)
            assert basis.T @ basis == pytest.approx(np.eye(rank), abs=1e-9)


def test_turning_changes_nothing_and_one_direction_is_least():
    """Effective rank does not depend on the axes; the ends of its range are reached."""
    keys = chunk(1, time=50)
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]).float()
    profile = Profile()
    profile.add(0, keys, keys @ turn)
    found = profile.ranks()[0]
    assert found.values == pytest.approx(found.keys, abs=1e-5)
    flat = Profile()
    flat.add(0, chunk(1, rank=1), torch.zeros(2, 3, 7, 5))
    assert flat.ranks()[0].keys == pytest.approx([1 / 5] * 3, abs=1e-4) and flat.ranks()[0].values == (0.0,) * 3
    assert effective_rank([2.0] * 8) == pytest.approx(1.0)


def test_half_precision_is_summed_in_double():
    """bfloat16 keys, many of them: the sums lose nothing more."""
    keys = chunk(1, time=400).to(torch.bfloat16)
    profile = Profile()
    for start in range(0, 400, 16):
        profile.add(0, keys[:, :, start : start + 16], keys[:, :, start : start + 16])
    assert profile.ranks()[0].keys == pytest.approx(
        [reference(rows([keys.float()], head)) for head in range(3)], abs=1e-9
    )


def test_what_cannot_be_is_refused():
    """Other shapes, other tokens, another way of measuring, no data, numbers that are none; nothing is half added."""
    profile = Profile()
    profile.add(0, chunk(1), chunk(2))
    before, seen = profile.ranks(), profile.tokens(0)
    broken = chunk(1)
    broken[0, 0, 0, 0] = float("nan")
    for made in (
        lambda: profile.add(0, chunk(1)[0], chunk(2)[0]),
        lambda: profile.add(0, chunk(1, heads=2), chunk(2, heads=2)),
        lambda: profile.add(0, chunk(1), chunk(2, time=6)),
        lambda: profile.add(0, chunk(1), chunk(2), torch.ones(2, 6)),
        lambda: profile.add(0, chunk(1), broken),
        lambda: profile.merge(Profile(together=True)),
        lambda: profile.spectrum(1),
        lambda: profile.projections(0, 6),
        lambda: profile.projections(0, 0),
    ):
        with pytest.raises(UsageError):
            made()
    assert profile.ranks() == before and profile.tokens(0) == seen
