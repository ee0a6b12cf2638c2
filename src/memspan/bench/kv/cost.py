"""What the cost models foretell for this machine, beside what is measured: bytes of a cache, time of a decode step."""

from collections.abc import Callable
from math import ceil
from time import perf_counter
from typing import Any

import torch

from memspan.bench.kv.race import SETTINGS, Run, Runner, raced, stand_in
from memspan.bench.kv.settings import KEEP_ALL, System
from memspan.plan.cache import Codec, ModelShape, cache_bytes, weight_bytes
from memspan.plan.device import Device
from memspan.plan.theoretical_peak import decode_floor_s, decode_flops, prefill_floor_s

BITS = 32
PAGE = 16
ROUNDS, TURNS = 1, 4
Result = dict[str, Any]  # Any: what json.dumps takes
RAW = Codec(name="32-bit", key_bits=BITS, value_bits=BITS)
INT4 = Codec(name="int4", key_bits=4, value_bits=4, key_group=PAGE, value_group=64)
_KEEP = System(name=KEEP_ALL, kind="baseline")
_INT4 = System(name="int4", kind="codec", codec="int4")
_SNAP = System(name="snapkv", kind="memspan", method="snapkv")


def predicted(
    tokens: int, *, seed: int, rounds: int = ROUNDS, turns: int = TURNS, say: Callable[[str], None] = lambda note: None
) -> Result:
    """The machine as a device, and a row a cache: `bytes` and `step_ms`, each foretold, measured and their ratio."""
    device, model = here(), stand_in(seed)
    shape = shape_of(sum(one.numel() for one in model.parameters()))
    cases = [(_KEEP, 1.0, ceil(tokens / part), RAW) for part in (8, 4, 2, 1)]
    cases += [(_SNAP, 0.25, tokens, RAW), (_INT4, 1.0, tokens, INT4)]
    runners = [Runner(system, budget, length) for system, budget, length, _ in cases]
    runs = raced(model, runners, rounds=rounds, turns=turns, seed=seed, say=say)
    return {
        "device": {"memory_bandwidth": round(device.bandwidth), "operations": round(device.flops)},
        "weights_bytes": round(weight_bytes(shape, BITS)),
        "rows": [
            _row(device, shape, runner, codec, run)
            for runner, (*_, codec), run in zip(runners, cases, runs, strict=True)
        ],
    }


def shape_of(params: int) -> ModelShape:
    """The timed model as the cost models see one."""
    names = {"layers": "num_hidden_layers", "heads": "num_attention_heads", "kv_heads": "num_key_value_heads"}
    numbers = {name: SETTINGS[theirs] for name, theirs in names.items()}
    return ModelShape(head_dim=SETTINGS["head_dim"], params=params, **numbers)


def here(megabytes: int = 256, size: int = 1024, times: int = 5) -> Device:
    """This machine, by a sum over many numbers and a product of matrices, best of some tries.

    megabytes: of the numbers;  size: of the square matrices
    """
    numbers, square = torch.ones(megabytes * 2**18), torch.ones(size, size)
    reading = _best(lambda: numbers.sum(), times)
    product = _best(lambda: square @ square, times)
    bandwidth = numbers.nbytes / reading
    return Device(
        name="here", memory=numbers.nbytes, bandwidth=bandwidth, flops=2 * size**3 / product, link=bandwidth,
        source="measured",
    )  # fmt: skip


def _best(work: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        began = perf_counter()
        work()
        found.append(perf_counter() - began)
    return min(found)


def _row(device: Device, shape: ModelShape, runner: Runner, codec: Codec, run: Run) -> Result:
    rows = ceil(runner.tokens * runner.budget)
    kv = cache_bytes(shape, rows, codec)
    floor = max(decode_floor_s(device, weight_bytes(shape, BITS), kv), decode_flops(shape, rows) / device.flops)
    prefill = prefill_floor_s(device, shape, runner.tokens)
    return {
        "cache": runner.system.name,
        "kept": runner.budget,
        "tokens": runner.tokens,
        "bytes_predicted": round(kv),
        "bytes_measured": run.resident_bytes,
        "step_ms_predicted": round(floor * 1000, 3),
        "step_ms_measured": round(run.step_s * 1000, 3),
        "step_ratio": round(run.step_s / floor, 2),
        "prefill_s_predicted": round(prefill, 3),
        "prefill_s_measured": round(run.prefill_s, 3),
    }
