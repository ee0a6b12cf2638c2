"""LangChain's retriever over a memory.

Source: langchain-core 1.x, `BaseRetriever`.
Ours differs: documents carry the id, score, time and sources of what was recalled.
"""

from typing import Any

from memspan.core.clock import iso
from memspan.core.errors import MissingExtra
from memspan.core.records import Hit, Recall

try:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ImportError as missing:
    raise MissingExtra("langchain", "a retriever needs LangChain", "pip install langchain-core") from missing


class MemspanRetriever(BaseRetriever):
    """Recall as documents, best first.

    memory: a memspan Memory;  k: at most so many;  tokens: what they may cost together, None = no limit
    options: what else recall() takes, like {"quality": "high"} or {"as_of": "2024-01-01"}

    Metadata of a document: id, score, rank, at, speaker, role, session, kind, trust, status, sources, confidence of the
    whole recall, suspect, standing, and meta of the turn.
    """

    memory: Any
    k: int = 10
    tokens: int | None = None
    options: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Document]:
        found: Recall = self.memory.recall(query, tokens=self.tokens, limit=self.k, **self.options)
        shown = {hit.id for hit in found.hits}
        standing = [_document(hit, found, standing=True) for hit in found.standing if hit.id not in shown]
        return [*standing, *(_document(hit, found, standing=False) for hit in found.hits)]


def _document(hit: Hit, found: Recall, *, standing: bool) -> Document:
    told = {
        "id": hit.id,
        "score": hit.score,
        "rank": hit.rank,
        "at": None if hit.at is None else iso(hit.at),
        "speaker": hit.speaker,
        "role": hit.role,
        "session": hit.session,
        "kind": hit.kind,
        "trust": hit.trust,
        "status": hit.status,
        "sources": list(hit.sources),
        "confidence": found.confidence,
        "suspect": hit.suspect,
        "standing": standing,
        "meta": dict(hit.meta),
    }
    return Document(page_content=hit.text, metadata=told, id=hit.id)
