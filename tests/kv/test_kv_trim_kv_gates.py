"""Gates learn in seconds what a frozen model will ask for."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan import Budget, kv  # noqa: E402
from memspan.core.errors import UsageError  # noqa: E402
from memspan.kv.attending import attending  # noqa: E402
from memspan.kv.methods.trim_kv import TRIMKV, new_gate, retention, train_gates  # noqa: E402
from memspan.testing.kv_tasks import FIRST_VALUE, VALUES, answers, needle  # noqa: E402
from memspan.testing.recall_model import circuit, exam, trained  # noqa: E402

CONTEXT = 96


@pytest.fixture(scope="module")
def model():
    """The circuit."""
    return circuit()


def batches(steps, context, seed=3):
    """Needles, and a question for each."""
    random = torch.Generator().manual_seed(seed)
    return [exam(2, context, random)[0] for _ in range(steps)]


@pytest.fixture(scope="module")
def gates():
    """One for each layer, untrained but unlike."""
    made = tuple(new_gate(192, 2, 16, seed) for seed in range(2))
    for gate in made:
        gate.inward.mul_(20)
        gate.outward.mul_(20)
    return made


def retained(gates, model):
    """Rows retained at the last token of a text, summed over layers and heads."""
    rows = []

    def watched(layer, hidden, parts, scaling):
        rows.append(float(retention(gates[layer].log_beta(hidden))[:, :, -1].sum(-1).mean()))
        queries, keys, values = parts
        return torch.nn.functional.scaled_dot_product_attention(
            queries, keys, values, is_causal=True, scale=scaling, enable_gqa=True
        )

    with torch.no_grad(), attending(model, watched):
        model(batches(1, CONTEXT, seed=9)[0], use_cache=False)
    return sum(rows)


def test_training_retains_less_and_leaves_the_model_alone(model):
    """Under a strong penalty for what is beyond the budget."""
    before = {name: part.clone() for name, part in model.state_dict().items()}
    gates = train_gates(model, batches(12, CONTEXT), 8, units=16, capacity=30.0, rate=0.05)
    assert retained(gates, model) < 0.8 * retained(train_gates(model, [], 8, units=16), model)
    assert all(torch.equal(part, before[name]) for name, part in model.state_dict().items())
    assert all(part.grad is None and part.requires_grad for part in model.parameters())
    assert not any(part.requires_grad for gate in gates for part in (gate.inward, gate.inner, gate.outward, gate.bias))


@pytest.mark.slow
def test_trained_gates_keep_what_will_be_asked(tmp_path):
    """A quarter of the rows, the question not seen; values are retained longer than filler in the head that matches."""
    model = trained(tmp_path)
    gates = train_gates(model, batches(60, 256), 32, units=128, rate=1e-2)
    task = needle(batch=16, context=256, aware=False, seed=1)
    found = []
    for method in (TRIMKV(gates=gates), TRIMKV()):
        with torch.no_grad(), kv.compress(model, method, Budget(ratio=0.25)) as cache:
            found.append(answers(model, task, cache.fork).float().mean().item())
    print(f"trained {found[0]:.2f}, untrained {found[1]:.2f}")
    assert found[0] > found[1] + 0.3
    with torch.no_grad(), kv.compress(model, TRIMKV(gates=gates), Budget(ratio=1.0)) as cache:
        model(task.prompt, past_key_values=cache)
        log_beta = cache.view(1).figures["log_beta"][:, 0]
    values = (task.prompt >= FIRST_VALUE) & (task.prompt < FIRST_VALUE + VALUES)
    assert float(log_beta[values].median()) > float(log_beta[~values].median())


@torch.no_grad()
@pytest.mark.parametrize("buffer", [1, 8])
def test_a_head_is_cut_when_its_buffer_is_full(model, gates, buffer):
    """It never holds more than room + buffer - 1 rows after a token."""
    ids = needle(batch=2, context=CONTEXT, aware=False, seed=2).prompt
    held = []
    with kv.compress(model, TRIMKV(gates=gates, buffer=buffer), Budget(tokens=30)) as cache:
        model(ids, past_key_values=cache)
        for step in range(20):
            model(ids[:, step : step + 1], past_key_values=cache)
            held.append(cache.lengths()[0].max().item())
    assert max(held) == 30 + buffer - 1 and min(held) == 30


def test_gates_of_another_model_are_refused(model, gates):
    """One for each layer."""
    with (
        kv.compress(model, TRIMKV(gates=gates[:1])) as cache,
        pytest.raises(UsageError, match="1 gates for a model of 2"),
    ):
        model(needle(batch=1, context=40, aware=False).prompt, past_key_values=cache)
