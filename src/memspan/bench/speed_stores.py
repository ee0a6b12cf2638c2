"""The two stores that the speed run compares: memspan, and what a user would otherwise write."""

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from memspan.bench.cases import Unit
from memspan.core.errors import MissingExtra, MissingModel
from memspan.core.registry import load
from memspan.core.tokens import estimate
from memspan.text.index.words import STOP_WORDS

TOKENS = 1000


class Ours:
    """memspan: Memory as it comes, recall packed to 1,000 tokens."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "speed.mem"
        self._memory: Any = None

    def load(self) -> None:
        """Import what it needs."""
        import_module("memspan.text.memory")

    def open(self) -> None:
        """Open the file."""
        self._memory = import_module("memspan.text.memory").Memory(self._path, scope="speed")

    def remember(self, units: Sequence[Unit]) -> None:
        """One durable transaction."""
        self._memory.remember([unit.turn() for unit in units])

    def recall(self, question: str) -> object:
        """Embedding, ranking, packing and rendering."""
        return self._memory.recall(question, tokens=TOKENS)

    def remarks(self) -> dict[str, object]:
        """Nothing is left out."""
        return {"query_embedding": "within recall"}

    def close(self) -> None:
        """Close the file."""
        self._memory.close()


class Diy:
    """SQLite FTS5 (Porter) with its own bm25(), and a NumPy cosine over 384 numbers a turn; best 50 of each, fused by
    reciprocal rank, packed to 1,000 tokens. Same file settings as memspan.

    Vectors of turns are random, and take no time to make: MiniLM would take 1.4 to 3.6 ms a turn. The question's vector
    is MiniLM's where its model is built, and then its time is stated; else random too.
    """

    DIM = 384
    BEST = 50

    def __init__(self, folder: Path) -> None:
        self._path = folder / "diy.db"
        self._rng = np.random.default_rng(7)
        self._embed_s: list[float] = []

    def load(self) -> None:
        """numpy and apsw are there already."""

    def open(self) -> None:
        """Open the file; vectors are read into memory, as a script would."""
        self._db = apsw.Connection(str(self._path))
        self._db.execute("pragma journal_mode=wal; pragma synchronous=full")
        self._db.execute("create table if not exists turn(id integer primary key, text, session, speaker, at, vector)")
        self._db.execute("create virtual table if not exists word using fts5(text, content='', tokenize='porter')")
        count = self._db.execute("select count(*) from turn").get
        rows = self._db.execute("select vector from turn order by id")
        blob = b"".join(row[0] for row in rows)
        self._vectors = np.frombuffer(blob, np.float32).reshape(count, self.DIM)

    def remember(self, units: Sequence[Unit]) -> None:
        """One durable transaction."""
        vectors = [self._vector() for _ in units]
        with self._db:
            for unit, vector in zip(units, vectors, strict=True):
                row = (f"{unit.speaker}: {unit.text}", unit.session, unit.speaker, unit.at, vector.tobytes())
                self._db.execute("insert into turn(text, session, speaker, at, vector) values(?,?,?,?,?)", row)
                self._db.execute("insert into word(rowid, text) values(?,?)", (self._db.last_insert_rowid(), row[0]))

    def _vector(self) -> NDArray[np.float32]:
        vector = self._rng.standard_normal(self.DIM, dtype=np.float32)
        return vector / np.float32(np.linalg.norm(vector))

    def recall(self, question: str) -> list[str]:
        """Both legs, fused, fetched and packed."""
        ranks: dict[int, float] = {}
        for leg in (self._words(question), self._near(question)):
            for rank, row in enumerate(leg):
                ranks[row] = ranks.get(row, 0.0) + 1 / (60 + rank)
        best = sorted(ranks, key=lambda row: -ranks[row])[: self.BEST]
        texts = dict(self._db.execute(f"select id, text from turn where id in ({','.join(map(str, best))})"))
        return _packed([texts[row] for row in best])

    def _words(self, question: str) -> list[int]:
        asked = {word for word in question.lower().replace("?", "").split() if word not in STOP_WORDS}
        match = " OR ".join(f'"{word}"' for word in asked if word.isalnum())
        if not match:
            return []
        rows = self._db.execute(
            "select rowid from word where word match ? order by bm25(word) limit ?", (match, self.BEST)
        )
        return [row[0] for row in rows]

    def _near(self, question: str) -> list[int]:
        if not len(self._vectors):
            return []
        start = perf_counter()
        vector = self._embedder.embed([question])[0] if self._embedder else self._vector()
        self._embed_s.append(perf_counter() - start)
        cosines = self._vectors @ vector
        best = np.argpartition(-cosines, min(self.BEST, len(cosines) - 1))[: self.BEST]
        return [int(place) + 1 for place in best[np.argsort(-cosines[best])]]

    @cached_property
    def _embedder(self) -> Any:  # Any: an Embedder, or None
        try:
            return load("embed", "onnx")()
        except (MissingExtra, MissingModel):
            return None

    def remarks(self) -> dict[str, object]:
        """What the comparison leaves out."""
        if not self._embedder:
            return {"query_embedding": "left out: random vectors stand in for MiniLM's"}
        return {"query_embedding": f"MiniLM, {np.median(self._embed_s) * 1000:.2f} ms of each recall"}

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _packed(texts: Sequence[str]) -> list[str]:
    """Texts until the budget is used, skipping what does not fit."""
    room, chosen = TOKENS, []
    for text in texts:
        if (cost := estimate(text)) <= room:
            room -= cost
            chosen.append(text)
    return chosen
