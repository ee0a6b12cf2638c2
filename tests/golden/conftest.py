"""What kvpress saw and what it answered, as our methods see it."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).with_name("kvpress")


@cache
def kvpress(name):
    """The arrays of one file."""
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


@pytest.fixture
def answered():
    """`answered(name)`: the arrays of one file of kvpress's answers."""
    return kvpress


@pytest.fixture
def prompt_view():
    """`prompt_view(layer, **changes)`: a layer as it stands after the prompt of the fixtures, with all queries."""
    torch = pytest.importorskip("torch")
    from memspan.kv.signals import Rotary, View

    def view(layer, **changes):
        seen = kvpress("inputs")
        keys, values, queries = (torch.from_numpy(seen[name][layer]) for name in ("keys", "values", "queries"))
        batch, kv_heads, time, dim = keys.shape
        places = torch.arange(time)
        parts = {
            "layer": layer, "layers": len(seen["keys"]), "seen": torch.full((batch,), time), "keys": keys,
            "values": values, "positions": places.expand(batch, kv_heads, time), "queries": queries,
            "query_positions": places.expand(batch, time), "figures": {}, "scaling": dim**-0.5,
            "rotary": Rotary(torch.from_numpy(seen["inv_freq"])), "arrived": time,
        }  # fmt: skip
        return View(**(parts | changes))

    return view
