"""Other systems' servers: which could be started here without a network or a model, and which not."""

from typing import Any

Result = dict[str, Any]  # Any: what json.dumps takes

TRIED = {
    "mem0": "mem0ai 2.2.1 ships no server; the one of its repository wants an LLM and PostgreSQL",
}


def statements() -> Result:
    """A sentence a system."""
    return dict(TRIED)
