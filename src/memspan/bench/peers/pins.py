"""Which other systems are measured, in which versions, and under which licence they come."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from memspan.core.errors import UnknownMethod

ADAPTERS = Path(__file__).parent / "adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A peer. name: its key, and the file of its adapter

    packages: what pip installs, the peer first;  licence: of the peer
    shape: what of it is measured, in a few words
    wing: whose methods it is measured beside; one of "text" is a system of `memspan bench run`
    """

    name: str
    packages: tuple[str, ...]
    licence: str
    shape: str
    wing: str = "text"

    @property
    def title(self) -> str:
        """Name and version, as a table says it.

        >>> Pin(name="x", packages=("xai==1.2", "numpy==2.4.6"), licence="MIT", shape="").title
        'x 1.2'
        """
        return f"{self.name} {self.packages[0].partition('==')[2]}"

    @property
    def adapter(self) -> Path:
        """The script that its own Python runs."""
        return ADAPTERS / f"{self.name}.py"


_NUMPY = "numpy==2.4.6"
PINS: Mapping[str, Pin] = MappingProxyType(
    {
        pin.name: pin
        for pin in (
            Pin(
                name="mem0",
                packages=("mem0ai==2.2.1", "qdrant-client==1.20.0", _NUMPY),
                licence="Apache-2.0",
                shape="Memory, infer=False, local Qdrant; default install, so neither BM25 nor entities",
            ),
            Pin(
                name="langgraph",
                packages=("langgraph==1.2.22", "langgraph-checkpoint==4.3.2", _NUMPY),
                licence="MIT",
                shape="InMemoryStore with an index; what LangMem's tools sit on",
            ),
            Pin(
                name="chroma",
                packages=("chromadb==1.5.9", _NUMPY),
                licence="Apache-2.0",
                shape="PersistentClient, one collection, cosine HNSW",
            ),
            Pin(
                name="txtai",
                packages=("txtai==9.14.0", "torch==2.13.0", _NUMPY),
                licence="Apache-2.0",
                shape="Embeddings, hybrid=True, content=True, numpy backend",
            ),
            Pin(
                name="llamaindex",
                packages=("llama-index-core==0.14.25", "llama-index-retrievers-bm25==0.8.0", _NUMPY),
                licence="MIT",
                shape="VectorStoreIndex and BM25Retriever, QueryFusionRetriever by reciprocal rank",
            ),
            Pin(
                name="kvpress",
                packages=("kvpress==0.5.5", "transformers==5.2.0", "torch==2.13.0"),
                licence="Apache-2.0",
                shape="presses that compress the KV cache; the last transformers it runs on",
                wing="kv",
            ),
        )
    }
)


def pin(name: str) -> Pin:
    """The peer of that name. Raises UnknownMethod where there is none.

    >>> pin("mem0").title
    'mem0 2.2.1'
    """
    if name not in PINS:
        raise UnknownMethod("bench peer", name, PINS)
    return PINS[name]
