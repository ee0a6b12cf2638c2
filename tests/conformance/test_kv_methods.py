"""Every KV-cache method keeps every invariant, or says here why not."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import memspan  # noqa: E402
from memspan.testing import kv_checks  # noqa: E402

DECLARED = {
    ("random", "heads_may_change_places"): "each head draws lots of its own, by its number",
    ("compactor", "heads_may_change_places"): "each head has a sketch of its own, drawn by its number",
}
"""Failures that belong to a method, with the reason; each has to fail."""


def _cases():
    for name in memspan.methods("kv"):
        for check in kv_checks.checks():
            reason = DECLARED.get((name, check.__name__))
            marks = [pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)] if reason else []
            yield pytest.param(name, check, id=f"{name}-{check.__name__}", marks=marks)


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_a_method_keeps_the_contract(name, check):
    policy = kv_checks.named(name)
    if reason := kv_checks.why_not(check, policy):
        pytest.skip(reason)
    check(policy)
