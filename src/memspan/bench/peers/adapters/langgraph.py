"""LangGraph: InMemoryStore with an index over the field "text", with our embedding function. Nothing on disk."""

from typing import Any

NAMESPACE, STRANGER = ("bench", "memories"), ("elsewhere", "memories")


class LangGraph:
    """One namespace."""

    def __init__(self, folder: str, embed: Any) -> None:
        from langgraph.store.memory import InMemoryStore

        self._store = InMemoryStore(index={"dims": 384, "embed": embed, "fields": ["text"]})

    def remember(self, ids: list[str], texts: list[str]) -> None:
        """One put a turn, as its tools do."""
        for name, text in zip(ids, texts, strict=True):
            self._store.put(NAMESPACE, name, {"text": text})

    def recall(self, text: str, k: int) -> list[str]:
        """By cosine."""
        return [item.key for item in self._store.search(NAMESPACE, query=text, limit=k)]

    def elsewhere(self, text: str) -> list[str]:
        """In another namespace."""
        return [item.key for item in self._store.search(STRANGER, query=text, limit=3)]

    def close(self) -> None:
        """Nothing to let go of."""


PEER = LangGraph
