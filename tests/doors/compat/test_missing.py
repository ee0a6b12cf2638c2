"""A shim costs nothing until it is asked for, and says what to install where its library is missing."""

import subprocess
import sys

import pytest

LIBRARIES = ("mem0", "langgraph", "langchain_core", "agents", "openai", "qdrant_client", "pydantic")
NEEDS = {
    "langgraph": ("langgraph", "pip install langgraph"),
    "langchain": ("langchain_core", "pip install langchain-core"),
}
FREE = ("mem0", "openai_agents")


def python(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_of_shims_imports_no_other_library():
    """Nor do the shims that need none: mem0's class and the session of the Agents SDK."""
    names = ", ".join(["memspan", "memspan.doors.compat", *(f"memspan.doors.compat.{name}" for name in FREE)])
    code = f"import sys, {names}; print(*(name for name in {LIBRARIES!r} if name in sys.modules))"
    assert python(code) == ""


@pytest.mark.parametrize("shim", NEEDS)
def test_a_missing_library_is_named_with_what_to_install(shim):
    """As a MissingExtra, which is an ImportError."""
    library, install = NEEDS[shim]
    code = f"""
import sys
sys.modules[{library!r}] = None
try:
    import memspan.doors.compat.{shim}
except ImportError as error:
    print(type(error).__name__, error.install)
"""
    assert python(code) == f"MissingExtra {install}"
