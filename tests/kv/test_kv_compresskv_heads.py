"""Retrieval heads found on the circuit are those that were set by hand; with them a layer chooses well."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.methods.compresskv import CompressKV, Recall, find_heads, layer_errors  # noqa: E402
from memspan.testing.kv_tasks import answers, needle  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402


@pytest.fixture(scope="module")
def model():
    """Its first two heads of layer 1 find the needle; its other heads do nothing."""
    return circuit()


def run(seed, batch=8, context=128):
    """Questions, and where the asked needle lies."""
    task = needle(batch=batch, context=context, aware=True, seed=seed)
    answer = task.turns[0][1]
    starts = (task.prompt.unfold(1, 3, 1) == answer[:, None]).all(-1).float().argmax(1)[:, None]
    places = torch.arange(task.prompt.shape[1])
    return Recall(task.prompt, (places >= starts - 1) & (places < starts + 3), answer)


def test_the_matching_heads_are_found(model):
    """In the layer that matches; the other layer's heads look elsewhere, and the order of equals is that of heads."""
    heads = find_heads(model, [run(1), run(2)], first=2)
    assert len(heads) == 2 and set(heads[1]) == {0, 1}


def test_a_model_that_finds_nothing_is_refused(model):
    """Wrong answers are no evidence."""
    one = run(1)
    wrong = Recall(one.prompt, one.span, torch.zeros_like(one.answer))
    with pytest.raises(UsageError, match="found none"):
        find_heads(model, [wrong])


def test_unanswered_questions_do_not_count(model):
    """A batch of which half was answered ranks heads as the answered half does."""
    one, none = run(1, batch=4), run(2, batch=4)
    both = Recall(*(torch.cat(parts) for parts in zip(
        (one.prompt, one.span, one.answer), (none.prompt, none.span, torch.zeros_like(none.answer)), strict=True
    )))  # fmt: skip
    assert find_heads(model, [both]) == find_heads(model, [one])


def test_errors_are_shares_and_fall_on_the_layer_that_needs_far_rows(model):
    """The copying layer looks one and two tokens back, which its window keeps; with all rows nothing is lost."""
    method = CompressKV(heads=((0, 1), (2, 3)))
    first, second = layer_errors(model, [run(1)], method, room=24)
    assert first + second == pytest.approx(1.0)
    assert second > 0.9
    assert layer_errors(model, [run(1)], method, room=130) == (0.5, 0.5)


@torch.no_grad()
def right(model, method, **budget):
    """Share of questions answered."""
    with kv.compress(model, method, Budget(**budget)) as cache:
        return answers(model, needle(batch=8, context=128, aware=True, seed=5), cache.fork).float().mean().item()


def test_the_right_heads_choose_better_than_the_wrong_ones(model):
    """At an eighth of the rows."""
    found = right(model, CompressKV(heads=((0, 1), (0, 1))), ratio=0.2)
    wrong = right(model, CompressKV(heads=((0, 1), (2, 3))), ratio=0.2)
    assert found > 0.6 > 0.4 > wrong


@torch.no_grad()
def test_all_heads_of_a_layer_keep_the_same_rows_and_layers_their_share(model):
    """And the layers' rows add up."""
    ids = needle(batch=2, context=200, aware=True).prompt
    with kv.compress(model, CompressKV(errors=(0.3, 0.7)), Budget(tokens=64)) as cache:
        model(ids, past_key_values=cache)
        views = [cache.view(layer) for layer in (0, 1)]
    for view in views:
        assert torch.equal(view.positions[:, 0], view.positions[:, 1])
    rows = [view.positions.shape[-1] for view in views]
    assert rows[0] < rows[1] and sum(rows) == 128
