"""A registry without a register: a method's file name is its key.

`text/embed/static.py` ends with `METHOD = Static`; `load("embed", "static")` imports that file and nothing else.
"""

import ast
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from memspan.core.errors import MissingExtra, UnknownMethod, UsageError

# wing -> the package whose files are its methods
WINGS = {"codec": "kv.codecs", "embed": "text.embed", "kv": "kv.methods", "read": "text.read"}

# wing -> the extra that all of its methods need
EXTRAS = {"codec": "kv", "kv": "kv"}


def methods(wing: str) -> list[str]:
    """Names of all methods of a wing, sorted; nothing is imported.

    wing: "codec", "embed", "kv" or "read". Raises UsageError where there is no such wing.

    >>> "static" in methods("embed")
    True
    """
    return sorted(path.stem for path in _folder(wing).glob("*.py") if _is_method(path))


@cache
def load(wing: str, name: str) -> Any:  # Any: each wing has its own contract for a method
    """The method class.

    Raises UnknownMethod where the wing has none of that name, MissingExtra where what the wing needs is not installed.

    >>> load("embed", "hashing").__name__
    'Hashing'
    """
    if name not in (known := methods(wing)):
        raise UnknownMethod(wing, name, known)
    try:
        return import_module(f"memspan.{WINGS[wing]}.{name}").METHOD
    except ModuleNotFoundError as error:
        if wing not in EXTRAS or (error.name or "").startswith("memspan"):
            raise
        raise MissingExtra(EXTRAS[wing], f"{wing}/{name}") from error


def _folder(wing: str) -> Path:
    if wing not in WINGS:
        raise UsageError(f"no wing is called {wing!r}; there are {', '.join(sorted(WINGS))}")
    spec = find_spec(f"memspan.{WINGS[wing]}")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _is_method(path: Path) -> bool:
    source = path.read_text(encoding="utf-8")
    if "METHOD = " not in source:
        return False
    return any(
        isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "METHOD" for t in node.targets)
        for node in ast.parse(source).body
    )
