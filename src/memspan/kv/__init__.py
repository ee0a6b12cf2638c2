"""What a model holds while it reads and writes: its KV cache, under a budget.

    with kv.compress(model, method="snapkv", budget=Budget(ratio=0.25)) as cache:
        model.generate(**inputs, past_key_values=cache)

Importing this package loads no torch.
"""

from importlib import import_module

from memspan.core.errors import MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers see the names, the interpreter does not load them
    from memspan.kv.compressing import compress as compress
    from memspan.kv.policy import Lookup as Lookup
    from memspan.kv.policy import Policy as Policy
    from memspan.kv.signals import Needs as Needs
    from memspan.kv.signals import View as View

_HOME = {"compress": "compressing", "Lookup": "policy", "Needs": "signals", "Policy": "policy", "View": "signals"}
__all__ = ["Lookup", "Needs", "Policy", "View", "compress"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'memspan.kv' has no attribute {name!r}")
    try:
        return getattr(import_module(f"memspan.kv.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("memspan"):
            raise
        raise MissingExtra("kv", f"memspan.kv.{name}") from error
