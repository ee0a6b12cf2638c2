"""TRIM-KV against loops written from the paper's formulas: the gate, what is retained, gated attention, the order."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from memspan.kv.methods.trim_kv import TRIMKV, gated_attention, new_gate, retention  # noqa: E402

WIDTH, UNITS, KV_HEADS, TIME = 12, 7, 2, 9


def numbers(*shape, seed=0):
    """Normal ones."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gate():
    """One with large weights, so that its outcome depends on the input."""
    made = new_gate(WIDTH, KV_HEADS, UNITS)
    made.inward.mul_(50)
    made.outward.mul_(50)
    made.inner.add_(0.3)
    made.bias.sub_(9)
    return made


def test_the_gate_is_a_small_network_and_a_log_sigmoid():
    """silu between; one number a kv head."""
    one, hidden = gate(), numbers(2, TIME, WIDTH)
    ours = one.log_beta(hidden).numpy()
    inward, inner, outward, bias = (
        part.numpy().astype(float) for part in (one.inward, one.inner, one.outward, one.bias)
    )
    for sequence in range(2):
        for place in range(TIME):
            units = inward @ hidden[sequence, place].numpy().astype(float) + inner
            out = outward @ (units / (1 + np.exp(-units))) + bias
            np.testing.assert_allclose(ours[sequence, :, place], -np.log1p(np.exp(-out)), rtol=1e-4, atol=1e-6)


def test_a_new_gate_forgets_next_to_nothing():
    """log sigmoid(10) a token, give or take."""
    log_beta = new_gate(WIDTH, KV_HEADS).log_beta(numbers(2, TIME, WIDTH))
    assert float(log_beta.max()) < 0 and float(log_beta.min()) > 2 * np.log(1 / (1 + np.exp(-10)))


def test_gated_attention_multiplies_logits_by_what_is_left():
    """beta_i^(t - i) times q_t k_i, then softmax over i <= t."""
    queries, keys, values = (numbers(1, heads, TIME, 4, seed=heads) for heads in (4, 2, 2))
    log_beta = -numbers(1, KV_HEADS, TIME, seed=3).abs() / 5
    kept = retention(log_beta)
    ours = gated_attention((queries, keys, values), kept, 0.5).numpy()
    for head in range(4):
        group = head // 2
        for now in range(TIME):
            left = np.array([np.exp(float(log_beta[0, group, row])) ** (now - row) for row in range(now + 1)])
            np.testing.assert_allclose(kept[0, group, now, : now + 1].numpy(), left, rtol=1e-5)
            assert (kept[0, group, now, now + 1 :] == 0).all()
            logits = 0.5 * left * (keys[0, group, : now + 1] @ queries[0, head, now]).numpy()
            weights = np.exp(logits) / np.exp(logits).sum()
            expected = weights @ values[0, group, : now + 1].numpy()
            np.testing.assert_allclose(ours[0, head, now], expected, rtol=1e-4, atol=1e-6)


def test_rows_go_in_the_order_of_age_times_log_beta(prompt_view):
    """As the newest token sees them."""
    log_beta = -numbers(2, 2, 96).abs()
    ours = TRIMKV().score(prompt_view(0, figures={"log_beta": log_beta})).numpy()
    for row in range(96):
        np.testing.assert_allclose(ours[..., row], (95 - row) * log_beta[..., row].numpy(), rtol=1e-6)


def test_without_gates_the_newest_stay(prompt_view):
    """Every row has the same rate."""
    view = prompt_view(0)
    figures = TRIMKV().observe(view)
    scores = TRIMKV().score(prompt_view(0, figures=figures))
    assert bool((scores.diff(dim=-1) > 0).all())
    assert float(figures["log_beta"][0, 0, 0]) == pytest.approx(-np.log1p(np.exp(-10)), rel=1e-4)
