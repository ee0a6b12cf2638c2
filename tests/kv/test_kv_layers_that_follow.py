"""Layers that keep what the first of their group chose, whole runs of rows, and layers of different length."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.kv.hf import new_llama  # noqa: E402
from memspan.kv.methods.adakv import AdaKV  # noqa: E402
from memspan.kv.methods.chunkkv import ChunkKV  # noqa: E402
from memspan.kv.methods.pyramidkv import PyramidKV  # noqa: E402
from memspan.kv.methods.snapkv import SnapKV  # noqa: E402
from memspan.kv.methods.windowkv import WindowKV  # noqa: E402

LAYERS, TIME, ROOM = 5, 90, 40
GROUPED = {
    "chunkkv": ChunkKV(scores=SnapKV(window=8), reuse=2),
    "windowkv": WindowKV(suffix=8, window=6, shared=2, beta=4),
}


@pytest.fixture(scope="module")
def model():
    """Five layers with random weights."""
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 64,
    }  # fmt: skip
    return new_llama(sizes, 0)


def tokens(batch, time=TIME, seed=1):
    """Ids without meaning."""
    return torch.randint(1, 64, (batch, time), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def held(model, policy, *passes, room=ROOM, **settings):
    """Places held: for each layer, sequence and head a sorted list."""
    with kv.compress(model, policy, Budget(tokens=room), **settings) as cache:
        for ids in passes:
            model(ids, past_key_values=cache)
        return [
            [[sorted(set(head.tolist()) - {-1}) for head in sequence] for sequence in layer.positions()]
            for layer in cache.engine.layers
        ]


@pytest.mark.parametrize("policy", GROUPED.values(), ids=GROUPED)
@pytest.mark.parametrize("again", [0, 30])
def test_a_group_of_layers_keeps_the_same_rows(model, policy, again):
    """After the prompt and after what is asked later; another group keeps others."""
    layers = held(model, policy, tokens(2), *([tokens(2, again, 2)] if again else []))
    assert layers[0] == layers[1] != layers[2] == layers[3] != layers[4]
    assert all(first == second for layer in layers for first, second in layer)
    assert sum(len(layer[0][0]) for layer in layers) <= ROOM * LAYERS


def test_without_reuse_each_layer_chooses(model):
    """More ways than there would be groups of two."""
    layers = held(model, ChunkKV(scores=SnapKV(window=8)), tokens(1))
    assert len({tuple(layer[0][0]) for layer in layers}) > -(-LAYERS // 2)


@pytest.mark.parametrize("policy", GROUPED.values(), ids=GROUPED)
def test_runs_stay_whole(model, policy):
    """Beside the newest rows, which stay in any case."""
    size = getattr(policy, "chunk", None) or policy.window
    for layer in held(model, policy, tokens(3)):
        for rows in (head for sequence in layer for head in sequence):
            older = [row for row in rows if row < TIME - 8]
            assert {*range(TIME - 8, TIME)} <= set(rows)
            counts = [sum(row // size == run for row in older) for run in range((TIME - 8) // size)]
            assert set(counts) <= {0, size}


def test_windows_of_early_groups_are_more(model):
    """In even steps, and no group over its share."""
    lengths = [len(layer[0][0]) for layer in held(model, GROUPED["windowkv"], tokens(1))]
    shares = [8 + (ROOM - 8) * part for part in (1.5, 1.5, 1.0, 1.0, 0.5)]
    assert all(share * LAYERS * ROOM / sum(shares) - 7 <= rows for rows, share in zip(lengths, shares, strict=True))
    assert lengths[0] > lengths[2] > lengths[4]


def test_a_room_smaller_than_a_chunk_holds_a_part_of_one(model):
    """Of the best one, its newest rows, where nothing else has to stay."""
    (rows,) = {tuple(head) for head in held(model, ChunkKV(scores="knorm", chunk=16), tokens(1), room=6)[0][0]}
    end = min((rows[0] // 16 + 1) * 16, TIME)
    assert rows == tuple(range(end - 6, end))


def test_protected_rows_stay_without_their_chunks(model):
    """Sinks do not draw the rest of their chunk along."""
    for head in held(model, ChunkKV(scores=SnapKV(window=8)), tokens(1), sinks=2)[0][0]:
        assert {0, 1, *range(TIME - 8, TIME)} <= set(head) and not {2, 9} & set(head)
        assert ROOM - 10 < len(head) <= ROOM


@pytest.mark.parametrize("policy", [PyramidKV(beta=4), AdaKV(scores=PyramidKV(beta=4))], ids=["alone", "adakv"])
def test_a_pyramid_holds_the_budget_to_the_row(model, policy):
    """Early layers more than late ones; with AdaKV, heads differ as well."""
    layers = held(model, policy, tokens(2))
    for sequence in (0, 1):
        lengths = [sum(len(head) for head in layer[sequence]) for layer in layers]
        assert sum(lengths) == ROOM * LAYERS * 2
        assert lengths == sorted(lengths, reverse=True) and lengths[0] > 2 * lengths[-1]


@pytest.mark.parametrize("policy", [*GROUPED.values(), PyramidKV(beta=4)], ids=[*GROUPED, "pyramidkv"])
def test_a_sequence_in_company_keeps_what_it_keeps_alone(model, policy):
    """Row by row."""
    together = held(model, policy, tokens(2))
    alone = [held(model, policy, ids) for ids in tokens(2).split(1)]
    assert together == [[first[0], second[0]] for first, second in zip(*alone, strict=True)]
