"""Systems by name. A file here is one system (full_context.py is "full-context"); it ends with SYSTEM."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from memspan.bench.cases import Ask
from memspan.core.errors import UnknownMethod
from memspan.core.records import Turn

Kind = Literal["memspan", "ablation", "baseline", "peer", "control"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a table says of a system. vectors: whether it looks into the file of vectors, see bench/vectors.py"""

    name: str
    title: str
    kind: Kind
    vectors: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """What a context holds: ids of ranked turns, and of standing instructions in a block of their own.

    tokens: what all of it costs, by the estimate that every system is charged with
    """

    ranked: tuple[str, ...]
    standing: tuple[str, ...] = ()
    tokens: int = 0


class System(Protocol):
    """Something that remembers turns and ranks them for a question. It is made anew for each case.

    title, kind, vectors: as in Facts
    """

    title: str
    kind: Kind
    vectors: bool

    def remember(self, turns: Sequence[Turn]) -> None:
        """Take in turns; called again as time goes on."""
        ...

    def recall(self, ask: Ask, k: int) -> list[str]:
        """At most k ids of turns, best first."""
        ...

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """What would be put before a model within that budget."""
        ...

    def elsewhere(self, ask: Ask) -> list[str]:
        """Ids found in another scope of the same store, to which nothing was written: there must be none."""
        ...

    def bytes_on_disk(self) -> int:
        """0 where it keeps nothing on disk."""
        ...

    def close(self) -> None: ...


MakeSystem = Callable[[Path], System]


def known() -> list[str]:
    """Names of all systems.

    >>> "bm25" in known()
    True
    """
    return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[!_]*.py"))


SLOW = ("full-high",)
"""Asked for by name only: it takes as long as two others and tells little more."""


def usual() -> list[str]:
    """Names of the systems that a run of everything asks."""
    return [name for name in known() if name not in SLOW]


def load(name: str) -> MakeSystem:
    """What makes the system: give it an empty folder. Raises UnknownMethod where there is none of that name."""
    if name not in known():
        raise UnknownMethod("bench system", name, known())
    make: MakeSystem = import_module(f"{__name__}.{name.replace('-', '_')}").SYSTEM
    return make


def facts(name: str) -> Facts:
    """What it is; nothing is started. Raises UnknownMethod where there is none of that name.

    >>> facts("bm25")
    Facts(name='bm25', title='BM25', kind='baseline', vectors=False)
    """
    made: Any = load(name)  # Any: the class behind the call
    return Facts(name, made.title, made.kind, made.vectors)
