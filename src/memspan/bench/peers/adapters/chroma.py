"""Chroma: PersistentClient, one collection with cosine distance, with our embedding function; telemetry off."""

from typing import Any

MOST = 5000
"""Documents of one add; the client refuses more than about 5,400."""


class Chroma:
    """One collection."""

    def __init__(self, folder: str, embed: Any) -> None:
        import chromadb
        from chromadb.config import Settings

        class Given(chromadb.EmbeddingFunction):  # type: ignore[misc]
            """Our vectors."""

            def __init__(self) -> None:
                pass

            def __call__(self, input: Any) -> Any:
                return embed(list(input))

        self._client = chromadb.PersistentClient(path=f"{folder}/chroma", settings=Settings(anonymized_telemetry=False))
        cosine = {"hnsw": {"space": "cosine"}}
        self._turns, self._other = (
            self._client.create_collection(name, embedding_function=Given(), configuration=cosine)
            for name in ("bench", "elsewhere")
        )

    def remember(self, ids: list[str], texts: list[str]) -> None:
        """One add for all of them."""
        for start in range(0, len(ids), MOST):
            self._turns.add(ids=ids[start : start + MOST], documents=texts[start : start + MOST])

    def recall(self, text: str, k: int) -> list[str]:
        """By cosine, approximate."""
        return self._query(self._turns, text, k)

    def elsewhere(self, text: str) -> list[str]:
        """In another collection."""
        return self._query(self._other, text, 3)

    def _query(self, collection: Any, text: str, k: int) -> list[str]:
        found: list[str] = collection.query(query_texts=[text], n_results=k, include=[])["ids"][0]
        return found

    def close(self) -> None:
        """Close the client."""
        self._client.close()


PEER = Chroma
