"""Structural heads found beforehand on the circuit."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from memspan.kv.methods.hack import find_structural  # noqa: E402
from memspan.testing.kv_tasks import needle  # noqa: E402
from memspan.testing.recall_model import circuit  # noqa: E402


def test_the_heads_that_move_with_the_query_are_found():
    """In layer 0 kv head 0 looks one and two tokens back; kv head 1 spreads over all rows."""
    prompts = [needle(batch=4, context=96, aware=False, seed=seed).prompt for seed in (1, 2)]
    assert find_structural(circuit(), prompts) == ((0,), (0,))
    assert find_structural(circuit(), prompts, share=1.0) == ((0, 1), (0, 1))
