"""Elastic Cache against loops: what stays of a prompt, what merges into it, which place is given up while writing."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.elastic_cache import ElasticCache  # noqa: E402

TIME, SINKS = 96, 4
SIZES = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 64, "initializer_range": 0.3,
}  # fmt: skip


def cut(view, room):
    """What stays of a view, and the rows that are kept in its place."""
    policy = ElasticCache()
    scores = policy.score(view).masked_fill(~view.present, -torch.inf)
    kept = policy.select(scores, torch.tensor([room, room]), view)
    return kept, policy.rewrite(view, kept)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("room", [24, 60])
def test_rows_merge_into_the_nearest_that_stay(answered, prompt_view, layer, room):
    """Ranked by column sums over all heads; first four and last stay; every other row is averaged into a neighbour."""
    attentions = answered("inputs")["attentions"][layer]
    mass = attentions.reshape(2, 2, 2, TIME, TIME).sum((2, 3))
    view = prompt_view(layer, figures={"mass": torch.from_numpy(mass)})
    kept, merged = cut(view, room)
    for row in range(2):
        importance = attentions[row].sum((0, 1))
        rest = np.arange(SINKS, TIME - 1)
        best = rest[np.argsort(-importance[rest])[: room - SINKS - 1]]
        stay = sorted({*range(SINKS), *best.tolist(), TIME - 1})
        for head in range(2):
            assert np.flatnonzero(kept[row, head]).tolist() == stay
            for before, after in zip((view.keys, view.values), merged, strict=True):
                groups = {place: [] for place in stay}
                for place in range(TIME):
                    groups[min(stay, key=lambda one: (abs(one - place), one))].append(before[row, head, place].numpy())
                for place, rows in groups.items():
                    np.testing.assert_allclose(after[row, head, place], np.mean(rows, axis=0), rtol=1e-4, atol=1e-5)


def test_absent_rows_do_not_merge(prompt_view):
    """A head with fewer rows gets what it would get without the columns it lacks."""
    mass = torch.rand((2, 2, TIME), generator=torch.Generator().manual_seed(0))
    view = prompt_view(0, figures={"mass": mass}, seen=torch.tensor([70, 70]))
    short = replace(
        view, keys=view.keys[:, :, :70], values=view.values[:, :, :70], positions=view.positions[:, :, :70],
        figures={"mass": mass[:, :, :70]},
    )  # fmt: skip
    padded = replace(view, positions=view.positions.masked_fill(view.positions >= 70, -1))
    (kept, merged), (expected, wanted) = cut(padded, 20), cut(short, 20)
    assert torch.equal(kept[:, :, :70], expected) and not kept[:, :, 70:].any()
    for one, other in zip(merged, wanted, strict=True):
        torch.testing.assert_close(one[:, :, :70][expected], other[expected])


def test_one_fixed_place_is_given_up_while_writing():
    """Token by token, in all layers and heads: the row before the newest ones goes; nothing merges."""
    model, room, distance = new_llama(SIZES, 3), 20, 6
    ids = torch.randint(64, (1, 80), generator=torch.Generator().manual_seed(1))
    policy = ElasticCache(distance=distance)
    with torch.no_grad(), kv.compress(model, policy, Budget(tokens=room)) as cache:
        model(ids[:, :60], past_key_values=cache)
        held = [cache.view(layer).positions[0].tolist() for layer in range(2)]
        rows = cache.view(1).keys[:, :, 0].clone()
        for place in range(60, 80):
            model(ids[:, place : place + 1], past_key_values=cache)
            for layer in range(2):
                for head in held[layer]:
                    head.append(place)
                    del head[room - distance]
                assert cache.view(layer).positions[0].tolist() == held[layer]
        assert torch.equal(cache.view(1).keys[:, :, 0], rows)
