"""mem0: its own Memory over its own local Qdrant, told word for word (infer=False), so that no LLM is called.

The embedder is the one part replaced: `Memory.embedding_model` becomes an EmbeddingBase that hands out our vectors.
Construction wants an OpenAI key and never uses it. Threshold and scoring are mem0's defaults; it fetches 4 * top_k.
"""

from typing import Any

USER, STRANGER = "bench", "elsewhere"


class Mem0:
    """One collection, one user."""

    def __init__(self, folder: str, embed: Any) -> None:
        from mem0 import Memory
        from mem0.embeddings.base import EmbeddingBase

        class Given(EmbeddingBase):  # type: ignore[misc]
            """Our vectors."""

            def embed(self, text: str, memory_action: str | None = None) -> list[float]:
                row: list[float] = embed([text])[0]
                return row

        store = {"collection_name": "bench", "path": f"{folder}/qdrant", "embedding_model_dims": 384, "on_disk": True}
        unused = {"provider": "openai", "config": {"api_key": "unused"}}
        self._memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store},
                "embedder": unused,
                "llm": unused,
                "history_db_path": f"{folder}/history.db",
            }
        )
        self._memory.embedding_model = Given()

    def remember(self, ids: list[str], texts: list[str]) -> None:
        """One add a turn: its API takes one memory at a time where nothing is inferred."""
        for name, text in zip(ids, texts, strict=True):
            self._memory.add(text, user_id=USER, metadata={"turn": name}, infer=False)

    def recall(self, text: str, k: int) -> list[str]:
        """As it ranks."""
        return self._search(text, k, USER)

    def elsewhere(self, text: str) -> list[str]:
        """For another user."""
        return self._search(text, 3, STRANGER)

    def _search(self, text: str, k: int, user: str) -> list[str]:
        found = self._memory.search(text, filters={"user_id": user}, top_k=k)["results"]
        return [one["metadata"]["turn"] for one in found]

    def close(self) -> None:
        """Vectors and history."""
        self._memory.vector_store.client.close()
        self._memory.close()


PEER = Mem0
