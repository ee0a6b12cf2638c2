"""LlamaIndex: VectorStoreIndex and BM25Retriever, fused by QueryFusionRetriever with reciprocal ranks, no LLM.

The recipe of its documentation for hybrid search over what lies in memory; num_queries=1, so that no LLM rewrites the
question. BM25Retriever cannot grow, so it is made anew at the first question after a write. The index lives in memory;
what it saves at the end is what it keeps on disk, and nothing is durable before. It has no scopes: one index is one
memory.
"""

from typing import Any


class LlamaIndex:
    """One index."""

    def __init__(self, folder: str, embed: Any) -> None:
        from llama_index.core import VectorStoreIndex
        from llama_index.core.embeddings import BaseEmbedding

        class Given(BaseEmbedding):  # type: ignore[misc]
            """Our vectors."""

            def _get_query_embedding(self, query: str) -> list[float]:
                row: list[float] = embed([query])[0]
                return row

            async def _aget_query_embedding(self, query: str) -> list[float]:
                return self._get_query_embedding(query)

            def _get_text_embedding(self, text: str) -> list[float]:
                return self._get_query_embedding(text)

        self._folder = f"{folder}/llamaindex"
        self._nodes: list[Any] = []
        self._index = VectorStoreIndex([], embed_model=Given())
        self._words: Any = None

    def remember(self, ids: list[str], texts: list[str]) -> None:
        """One insert for all of them."""
        from llama_index.core.schema import TextNode

        nodes = [TextNode(text=text, id_=name) for name, text in zip(ids, texts, strict=True)]
        self._index.insert_nodes(nodes)
        self._nodes += nodes
        self._words = None

    def recall(self, text: str, k: int) -> list[str]:
        """By the sum of reciprocal ranks."""
        from llama_index.core.llms import MockLLM
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever

        if not self._nodes:
            return []
        most = min(k, len(self._nodes))
        if self._words is None:
            self._words = BM25Retriever.from_defaults(nodes=self._nodes, similarity_top_k=most)
        self._words.similarity_top_k = most
        fused = QueryFusionRetriever(
            [self._index.as_retriever(similarity_top_k=most), self._words],
            llm=MockLLM(),
            num_queries=1,
            similarity_top_k=k,
            mode="reciprocal_rerank",
            use_async=False,
        )
        return [found.node.node_id for found in fused.retrieve(text)]

    def elsewhere(self, text: str) -> list[str]:
        """Nothing: it has one scope."""
        return []

    def save(self) -> None:
        """Onto the disk: vectors and nodes as JSON; the words are counted anew when loaded."""
        self._index.storage_context.persist(self._folder)

    def close(self) -> None:
        """Nothing to let go of."""


PEER = LlamaIndex
