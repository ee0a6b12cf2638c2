"""Every KV-cache method keeps every invariant, or says here why not; every codec is as exact as it says."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import memspan  # noqa: E402
from memspan.kv.policy import KeepAll  # noqa: E402
from memspan.testing import kv_checks, kv_trials  # noqa: E402

DECLARED = {
    ("random", "heads_may_change_places"): "each head draws lots of its own, by its number",
    ("compactor", "heads_may_change_places"): "each head has a sketch of its own, drawn by its number",
}
"""Failures that belong to a method, with the reason; each has to fail."""
LONG = {"holds_its_budget_while_writing", "holds_a_budget_in_bytes", "forks_go_on_by_themselves"}
"""Checks that take longest; of each method but these they are run with the slow tests only."""
ALWAYS_LONG = {"snapkv", "adakv", "h2o", "cake", "infllm"}

EXACT = {
    "raw": (0.0, 0.0),
    "dfloat11": (0.0, 0.0),
    "int8": (0.01, 0.01),
    "int4": (0.08, 0.06),
    "int2": (0.35, 0.3),
    "nuq": (0.06, 0.05),
    "unrotated": (0.06, 0.05),
    "channels": (0.5, 0.0),
}
"""Error of keys and of values that a codec may leave, as a part of their norm."""


def _cases():
    for name in memspan.methods("kv"):
        for check in kv_checks.checks():
            reason = DECLARED.get((name, check.__name__))
            marks = [pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)] if reason else []
            if check.__name__ in LONG and name not in ALWAYS_LONG:
                marks.append(pytest.mark.slow)
            yield pytest.param(name, check, id=f"{name}-{check.__name__}", marks=marks)


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_a_method_keeps_the_contract(name, check):
    policy = kv_trials.named(name)
    if reason := kv_checks.why_not(check, policy):
        pytest.skip(reason)
    check(policy)


@pytest.mark.parametrize("name", memspan.methods("codec"))
def test_a_codec_is_as_exact_as_declared(name):
    """Rows of a real cache come back within its bound, read in one piece and in steps, and the newest as they were."""
    keys, values = EXACT[name]
    dtype = torch.bfloat16 if name == "dfloat11" else torch.float32
    held = []
    for codec in (name, None):
        with kv_trials.opened(KeepAll(), memspan.Budget(ratio=1.0), dtype=dtype, codec=codec) as cache:
            for ids in kv_trials.tokens(2, 120).split((96, 1, 23), dim=1):
                cache.model(ids, past_key_values=cache)
            layer = cache.engine.layers[0]
            assert layer.segments or codec in ("raw", None), "nothing was coded"
            held.append((*layer.dense(), layer.positions()))
    (*got, places), (*stock, wanted) = held
    assert torch.equal(places, wanted)
    for one, other, bound in zip(got, stock, (keys, values), strict=True):
        assert float((one - other).float().norm() / other.float().norm()) <= bound
        assert torch.equal(one[:, :, -16:], other[:, :, -16:])
