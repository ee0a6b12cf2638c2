"""txtai: Embeddings with hybrid=True (its BM25 and vectors, its fusion) and content, saved into the folder.

Vectors come through its documented method "external". The index lives in memory; what it saves at the end is what
it keeps on disk, and nothing is durable before. It has no scopes: one object is one index.
"""

from typing import Any


class Txtai:
    """One index."""

    def __init__(self, folder: str, embed: Any) -> None:
        import numpy
        from txtai import Embeddings

        def transform(texts: Any) -> Any:
            return numpy.array(embed(list(texts)), dtype=numpy.float32)

        self._embeddings = Embeddings(
            method="external", transform=transform, content=True, hybrid=True, backend="numpy"
        )
        self._folder, self._filled = f"{folder}/txtai", False

    def remember(self, ids: list[str], texts: list[str]) -> None:
        """One index or upsert for all of them."""
        documents = [(name, text, None) for name, text in zip(ids, texts, strict=True)]
        if self._filled:
            self._embeddings.upsert(documents)
        elif documents:
            self._embeddings.index(documents)
            self._filled = True

    def recall(self, text: str, k: int) -> list[str]:
        """By its hybrid score."""
        return [one["id"] for one in self._embeddings.search(text, k)] if self._filled else []

    def elsewhere(self, text: str) -> list[str]:
        """Nothing: it has one scope."""
        return []

    def save(self) -> None:
        """Onto the disk."""
        if self._filled:
            self._embeddings.save(self._folder)

    def close(self) -> None:
        """Close the index."""
        self._embeddings.close()


PEER = Txtai
