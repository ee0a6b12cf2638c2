"""A model's own attention replaced for a while: to train what steers it, or to see what it would be under a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from memspan.kv.hf import Model, decoder_of, offer, shape_of, withdraw

Attend = Callable[[int, Tensor, tuple[Tensor, Tensor, Tensor], float], Tensor]


@contextmanager
def attending(model: Model, attend: Attend) -> Iterator[None]:
    """While open, a model attends by `attend(layer, hidden, (queries, keys, values), scaling)`, and gradients flow.

    attend: given what goes into a layer and its rows after RoPE, gives (batch, heads, time, dim); it masks by itself
    Meanwhile the model is called without a cache and without padding. Raises UsageError where it cannot be served.
    """
    shape_of(model)
    layers = [layer.self_attn for layer in decoder_of(model).layers]
    before = model.config._attn_implementation
    seen: dict[int, Tensor] = {}

    def see(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen[module.layer_idx] = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]

    def own(module: Any, query: Tensor, key: Tensor, value: Tensor, _: Any, scaling: float, **__: Any) -> Any:
        out = attend(module.layer_idx, seen.pop(module.layer_idx), (query, key, value), scaling)
        return out.transpose(1, 2).contiguous(), None

    name = f"memspan {id(own)}"
    offer(name, own)
    hooks = [layer.register_forward_pre_hook(see, with_kwargs=True) for layer in layers]
    try:
        model.set_attn_implementation(name)
        yield
    finally:
        model.set_attn_implementation(before)
        for hook in hooks:
            hook.remove()
        withdraw(name)
