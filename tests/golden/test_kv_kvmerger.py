"""KVMerger against a loop over each head's rows."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.kvmerger import KVMerger  # noqa: E402

TIME, NEWEST = 96, 8


def sets_of(keys, room):
    """Runs of places: cut before the newest ones, and then where neighbours are least alike."""
    alike = [np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairwise(keys)]
    begins = {0, *range(TIME - NEWEST, TIME)}
    for place in np.argsort(alike) + 1:
        if len(begins) < room:
            begins.add(int(place))
    ordered = [*sorted(begins), TIME]
    return [list(range(one, other)) for one, other in pairwise(ordered)]


def merged(rows, keys, pivot, members):
    """The average of the members, by a Gaussian of the distance from the pivot."""
    away = [np.linalg.norm(keys[pivot] - keys[one]) for one in members]
    sigma = np.mean(away) / np.sqrt(2)
    weights = np.exp(-np.square(away) / (2 * sigma**2)) if sigma else np.ones(len(away))
    return sum(weight * rows[one] for weight, one in zip(weights, members, strict=True)) / weights.sum()


@pytest.fixture
def view(answered, prompt_view):
    """Of a layer, with keys that come in runs of like ones, and the attention its rows received."""

    def of(layer):
        mass = answered("inputs")["attentions"][layer].reshape(2, 2, 2, TIME, TIME).sum((2, 3))
        plain = prompt_view(layer)
        keys = plain.keys + 0.7 * torch.roll(plain.keys, 1, 2) + 0.5 * torch.roll(plain.keys, 2, 2)
        return replace(plain, keys=keys, figures={"mass": torch.from_numpy(mass)})

    return of


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("room", [20, 48, 95])
def test_runs_of_like_keys_become_their_pivot(view, layer, room):
    """As many sets as rows that fit; the most attended member stays, and holds the average of keys and of values."""
    policy, seen = KVMerger(newest=NEWEST), view(layer)
    kept = policy.select(policy.score(seen), torch.tensor([room, room]), seen)
    new_keys, new_values = policy.rewrite(seen, kept)
    for row, head in np.ndindex(2, 2):
        keys, values = seen.keys[row, head].numpy(), seen.values[row, head].numpy()
        mass = seen.figures["mass"][row, head].numpy()
        sets = sets_of(keys, room)
        pivots = [max(members, key=lambda one: mass[one]) for members in sets]
        assert np.flatnonzero(kept[row, head]).tolist() == pivots and len(pivots) == room
        for pivot, members in zip(pivots, sets, strict=True):
            for rows, after in ((keys, new_keys), (values, new_values)):
                expected = merged(rows, keys, pivot, members)
                np.testing.assert_allclose(after[row, head, pivot], expected, rtol=1e-3, atol=1e-4)


def test_absent_rows_join_no_set(view):
    """Columns without a row change nothing."""
    policy, seen = KVMerger(newest=4), view(0)
    padded = replace(seen, positions=seen.positions.masked_fill(seen.positions >= 70, -1), seen=torch.tensor([70, 70]))
    parts = {name: getattr(seen, name)[:, :, :70] for name in ("keys", "values", "positions")}
    short = replace(padded, **parts, figures={"mass": seen.figures["mass"][:, :, :70]})
    results = []
    for one in (padded, short):
        scores = policy.score(one).masked_fill(~one.present, -torch.inf)
        kept = policy.select(scores, torch.tensor([30, 70]), one)
        results.append([kept[:, :, :70], *(rows[:, :, :70][kept[:, :, :70]] for rows in policy.rewrite(one, kept))])
        assert kept.sum(-1).tolist() == [[30, 30], [70, 70]]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_a_row_that_has_to_stay_is_its_own_pivot(view):
    """Whatever its neighbours received."""
    policy, seen = KVMerger(newest=0), view(0)
    scores = policy.score(seen)
    scores[:, :, [10, 11, 50]] = torch.inf
    kept = policy.select(scores, torch.tensor([12, 12]), seen)
    assert kept[:, :, [10, 11, 50]].all() and (kept.sum(-1) == 12).all()
