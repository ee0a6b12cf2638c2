"""Kinetics: against the authors' own tables, and against loops over tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.errors import UsageError
from memspan.plan.cache import ModelShape
from memspan.plan.kinetics import Price, Thinking, attended, dense, sparse

# Qwen3-8B as their code has it: 8.19e9 weights
QWEN = ModelShape(layers=36, heads=32, kv_heads=8, head_dim=128, params=8_190_000_000)

# cost_model/aime24/{dense/aime24_qwen3-8b_dense_numTrials,block_topk/aime24_qwen3-8b_local0_block16_blocktopk64}
# _tradeoff.csv, third question: tokens generated in 32 answers, then compute and memory in 1e12 for 1 and 32 trials
DENSE = [
    6025, 5327, 5299, 5462, 6927, 7964, 5898, 8054, 5085, 4687, 6451, 5030, 4531, 6922, 5955, 7185, 6670, 5428, 6651,
    5302, 7406, 7069, 6280, 5855, 4827, 5968, 4974, 5582, 5272, 3816, 5746, 6968,
]  # fmt: skip
DENSE_COSTS = {1: (108.82316243692799, 1582.255889568), 32: (3482.3411979816956, 48487.89570969601)}
BLOCKS = [
    4650, 4838, 6842, 7386, 4599, 6114, 4761, 5591, 4458, 6358, 4427, 4957, 5919, 7726, 5159, 4528, 4860, 7222, 7713,
    6116, 6597, 5506, 6609, 6295, 7368, 8929, 4961, 6441, 4740, 4828, 6052, 7344,
]  # fmt: skip
BLOCK_COSTS = {1: (101.36881734868798, 585.959920128), 32: (3243.8021551580155, 18685.920700944)}


def mean(prices):
    """In units of 1e12, as the tables have them."""
    return tuple(sum(part) / len(prices) / 1e12 for part in zip(*((p.compute, p.memory) for p in prices), strict=True))


def prompt_of(compute):
    """The prompt's length, which the tables leave out: compute is linear in it."""
    none, one = (mean([dense(QWEN, Thinking(prompt=c, generated=g)) for g in DENSE])[0] for c in (0, 1))
    return (compute - none) / (one - none)


def test_dense_costs_are_those_of_the_authors_table():
    """The prompt that explains one column is a whole number of tokens, and gives the three others to nine digits."""
    found = prompt_of(DENSE_COSTS[1][0])
    prompt = round(found)
    assert found == pytest.approx(prompt, abs=1e-4) and 100 < prompt < 200
    for trials, costs in DENSE_COSTS.items():
        made = mean([dense(QWEN, Thinking(prompt=prompt, generated=g, trials=trials)) for g in DENSE])
        assert made == pytest.approx(costs, rel=1e-9)


def test_block_sparse_costs_are_those_of_the_authors_table_but_for_a_sign():
    """The same question, so the same prompt. The table adds what is not there yet; we subtract it."""
    prompt = round(prompt_of(DENSE_COSTS[1][0]))
    for trials, costs in BLOCK_COSTS.items():
        tasks = [Thinking(prompt=prompt, generated=g, trials=trials) for g in BLOCKS]
        made = mean([sparse(QWEN, task, budget=1024, block=16) for task in tasks])
        twice = (1024 - prompt) ** 2 * trials / 1e12
        added = (4 * twice * 36 * 32 * 128, 4 * twice * 36 * 8 * 128 * 562.5)
        # whole blocks are theirs: the search differs in the fourth digit
        assert [ours + sign for ours, sign in zip(made, added, strict=True)] == pytest.approx(costs, rel=2e-4)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 300))
def test_attended_pairs_are_counted(prompt, generated, budget):
    """Token by token; the formula takes a token's own half step, so it may differ by half a token for each."""
    pairs = sum(min(budget, prompt + done) for done in range(generated))
    assert attended(prompt, generated, budget) == pytest.approx(pairs, abs=generated / 2 + 1e-9)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 2000))
def test_sparse_is_never_dearer_than_dense_where_finding_is_free(prompt, generated, budget):
    """For one trial; equal where the budget holds everything."""
    task = Thinking(prompt=prompt, generated=generated)
    full, less = dense(QWEN, task), sparse(QWEN, task, budget=budget)
    assert less.compute <= full.compute * (1 + 1e-12) and less.memory <= full.memory * (1 + 1e-12)
    if budget >= prompt + generated:
        assert (less.compute, less.memory) == pytest.approx((full.compute, full.memory))


def test_reading_the_cache_is_most_of_long_thinking():
    """The paper's point: past a few thousand tokens memory outweighs compute, and the more so the longer."""
    shares = []
    for generated in (1_000, 8_000, 32_000):
        price = dense(QWEN, Thinking(prompt=150, generated=generated))
        shares.append(price.memory / price.total)
    assert shares == sorted(shares) and shares[-1] > 0.95
    assert Price(1.0, 2.0).total == 3.0


def test_what_cannot_be_is_refused():
    """Negative tokens, no trial, no budget."""
    for made in (
        lambda: Thinking(prompt=-1, generated=1),
        lambda: Thinking(prompt=1, generated=1, trials=0),
        lambda: sparse(QWEN, Thinking(prompt=1, generated=1), budget=0),
    ):
        with pytest.raises(UsageError):
            made()
