"""memspan: memory that spans sessions, context and weights.

Importing this package does nothing but bind names; each loads its part on first use.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers see the names, the interpreter does not load them
    from memspan import kv as kv
    from memspan.core import errors as errors
    from memspan.core.budget import Budget as Budget
    from memspan.core.budget import Cost as Cost
    from memspan.core.changes import Change as Change
    from memspan.core.changes import Patch as Patch
    from memspan.core.changes import State as State
    from memspan.core.records import Hit as Hit
    from memspan.core.records import Link as Link
    from memspan.core.records import Recall as Recall
    from memspan.core.records import Record as Record
    from memspan.core.records import Turn as Turn
    from memspan.core.registry import load as load
    from memspan.core.registry import methods as methods
    from memspan.text.async_memory import AsyncMemory as AsyncMemory
    from memspan.text.memory import Memory as Memory

__version__ = "0.1.0"

_HOME = {
    "AsyncMemory": "text.async_memory",
    "Budget": "core.budget",
    "Change": "core.changes",
    "Cost": "core.budget",
    "Hit": "core.records",
    "Link": "core.records",
    "Memory": "text.memory",
    "Patch": "core.changes",
    "Recall": "core.records",
    "Record": "core.records",
    "State": "core.changes",
    "Turn": "core.records",
    "load": "core.registry",
    "methods": "core.registry",
}
_MODULES = {"errors": "core.errors", "kv": "kv"}
__all__ = [
    *("AsyncMemory", "Budget", "Change", "Cost", "Hit", "Link", "Memory", "Patch", "Recall", "Record", "State"),
    *("Turn", "errors", "kv", "load", "methods"),
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"memspan.{_MODULES[name]}")
    if name in _HOME:
        return getattr(import_module(f"memspan.{_HOME[name]}"), name)
    raise AttributeError(f"module 'memspan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
