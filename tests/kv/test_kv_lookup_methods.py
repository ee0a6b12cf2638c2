"""The methods that look pages up, in a model: exact with room for all, a row as alone, questions that come late."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import DynamicCache  # noqa: E402

import memspan  # noqa: E402
from memspan import Budget, kv  # noqa: E402
from memspan.core.registry import load  # noqa: E402
from memspan.kv.policy import Lookup  # noqa: E402
from memspan.testing.kv_tasks import VOCABULARY, answers, needle  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402

POLICIES = {
    name: replace(load("kv", name)(), local=8) for name in memspan.methods("kv") if issubclass(load("kv", name), Lookup)
}


@pytest.fixture(scope="module")
def model():
    return circuit()


def read(model, cache, ids, cuts, mask=None):
    """Logits of all tokens, read in pieces that end at `cuts`."""
    out, begin = [], 0
    with torch.no_grad():
        for end in [*cuts, ids.shape[1]]:
            given = {}
            if mask is not None:
                places = (mask.cumsum(-1) - 1).clamp(min=0)[:, begin:end]
                given = {"attention_mask": mask[:, :end], "position_ids": places}
            out.append(model(ids[:, begin:end], past_key_values=cache, **given).logits)
            begin = end
    return torch.cat(out, 1)


def drawn(batch, time):
    return torch.randint(0, VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", POLICIES)
def test_with_room_for_all_it_is_the_stock_cache(model, name):
    """In pieces and token by token, while pages leave."""
    ids, cuts = drawn(2, 72), (40, 58, *range(59, 72))
    wanted = read(model, DynamicCache(), ids, cuts)
    with kv.compress(model, POLICIES[name], Budget(ratio=1.0), slots=4) as cache:
        assert (read(model, cache, ids, cuts) - wanted).abs().max() < 1e-4
        assert all(layer.segments[0].table.shape[-1] > 8 for layer in cache.engine.layers)


@pytest.mark.parametrize("name", POLICIES)
def test_a_padded_row_is_the_row_alone(model, name):
    """At half the room."""
    ids, mask, cuts = drawn(2, 72), torch.ones(2, 72, dtype=torch.long), (50, 60, *range(61, 72))
    mask[1, :19] = 0
    with kv.compress(model, POLICIES[name], Budget(ratio=0.5), slots=4) as cache:
        together = read(model, cache, ids, cuts, mask)
    with kv.compress(model, POLICIES[name], Budget(ratio=0.5), slots=4) as cache:
        alone = read(model, cache, ids[1:, 19:], [cut - 19 for cut in cuts])
    assert (together[1, 19:] - alone[0]).abs().max() < 1e-4


def right(model, policy, ratio):
    """Share of questions answered that come after the cache was cut."""
    task = needle(batch=24, context=160, aware=False)
    with kv.compress(model, policy, Budget(ratio=ratio), slots=4) as cache:
        return answers(model, task, lambda: cache).float().mean().item()


def test_questions_that_come_late_are_answered(model):
    """With a quarter of the rows, nearly as well as with all; what evicts cannot."""
    whole = right(model, None, 1.0)
    assert whole > 0.7
    assert right(model, "snapkv", 0.25) < 0.4 * whole
    for name, least in (("spe_cache", 0.8), ("hcattention", 0.8), ("s3_attention", 0.5), ("zoomr", 0.5)):
        assert right(model, POLICIES[name], 0.25) >= least * whole
