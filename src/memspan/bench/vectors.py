"""MiniLM vectors, each text embedded once for all systems and runs, kept in one SQLite file.

A run names the file with `use(path)` in each of its processes and fills it with `prepare`; systems then look up.
So what they do is timed without the embedder, whose price for one question alone is `alone_ms`.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

import apsw
import numpy as np
from numpy.typing import NDArray

from memspan.bench.cases import Case
from memspan.bench.systems._ranked import keyed
from memspan.core.errors import UsageError
from memspan.core.protocols import Embedder, Progress
from memspan.core.registry import load

Floats = NDArray[np.float32]
BATCH = 256
"""Texts of one transaction: what a cut run loses at most."""
WAIT_MS = 60_000


class Vectors:
    """Vectors of texts by SHA-256 of model and text. Several processes may share the file.

    path: the file, made where it is not;  embedder: None = MiniLM
    embedded, seconds: how many texts this object had to embed, and how long that took [s]
    Raises MissingExtra or MissingModel where MiniLM cannot run here, UsageError where the file is something else.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     vectors = Vectors(Path(folder, "v"), load("embed", "hashing")())
    ...     shapes = vectors.of(["a house", "a car"]).shape, vectors.of(["a car"]).shape
    ...     vectors.close()
    >>> shapes, vectors.embedded
    (((2, 64), (1, 64)), 2)
    """

    def __init__(self, path: Path, embedder: Embedder | None = None) -> None:
        self.path = path
        self.embedder: Embedder = embedder or load("embed", "onnx")()
        self.embedded, self.seconds = 0, 0.0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._base = apsw.Connection(str(path))
            self._base.set_busy_timeout(WAIT_MS)
            self._base.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            self._base.execute("CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, numbers BLOB NOT NULL)")
        except (apsw.NotADBError, apsw.CantOpenError, apsw.CorruptError) as why:
            raise UsageError(f"{path}: not a file of vectors ({why}); name another, or delete it") from None

    def of(self, texts: Sequence[str]) -> Floats:
        """Unit rows, (len(texts), dim); those not in the file are embedded and put there."""
        keys = [self._key(text) for text in texts]
        found = {key: row for key in dict.fromkeys(keys) if (row := self._read(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        rest = list(missing.items())
        for start in range(0, len(rest), BATCH):
            found |= self._embed(rest[start : start + BATCH])
        return np.stack([found[key] for key in keys]) if keys else np.zeros((0, self.embedder.dim), np.float32)

    def prepare(self, texts: Sequence[str], progress: Progress | None = None) -> int:
        """Embed those not in the file yet; how many. progress: called with (done, total) after each batch"""
        missing = {key: text for text in texts if not self._has(key := self._key(text))}
        rest = list(missing.items())
        for start in range(0, len(rest), BATCH):
            self._embed(rest[start : start + BATCH])
            if progress:
                progress(min(start + BATCH, len(rest)), len(rest))
        return len(rest)

    def alone_ms(self, texts: Sequence[str]) -> float:
        """Median time to embed one text by itself, the file left aside [ms]; 0 of no texts."""
        spent = []
        for text in texts:
            start = perf_counter()
            self.embedder.embed([text])
            spent.append(1000 * (perf_counter() - start))
        return median(spent[1:] or spent) if spent else 0.0  # the first loads the model

    @property
    def mean_ms(self) -> float:
        """Mean time a text took among those this object embedded, in batches [ms]; 0 where it embedded none."""
        return 1000 * self.seconds / self.embedded if self.embedded else 0.0

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def _key(self, text: str) -> bytes:
        return sha256(f"{self.embedder.fingerprint}\0{text}".encode()).digest()

    def _has(self, key: bytes) -> bool:
        return self._base.execute("SELECT 1 FROM vector WHERE key = ?", (key,)).fetchone() is not None

    def _read(self, key: bytes) -> Floats | None:
        row = self._base.execute("SELECT numbers FROM vector WHERE key = ?", (key,)).fetchone()
        return None if row is None else np.frombuffer(row[0], "<f4")

    def _embed(self, batch: Sequence[tuple[bytes, str]]) -> dict[bytes, Floats]:
        start = perf_counter()
        rows = self.embedder.embed([text for _, text in batch])
        self.seconds += perf_counter() - start
        self.embedded += len(batch)
        found = {key: row for (key, _), row in zip(batch, rows, strict=True)}
        with self._base:
            # another process may have been faster; the same text has the same vector
            self._base.executemany(
                "INSERT OR IGNORE INTO vector VALUES (?, ?)",
                [(key, row.astype("<f4").tobytes()) for key, row in found.items()],
            )
        return found


def wanted(case: Case) -> Iterator[str]:
    """The texts of a case that are looked up: its units as "speaker: text", and its questions."""
    yield from (keyed(unit.turn()) for unit in case.units)
    yield from (question.text for question in case.questions)


_shared: list[Vectors] = []


def use(path: Path, embedder: Embedder | None = None) -> Vectors:
    """Make this the file that systems of this process look into. Raises as Vectors."""
    vectors = Vectors(path, embedder)
    while _shared:
        _shared.pop().close()
    _shared.append(vectors)
    return vectors


def shared() -> Vectors:
    """What `use` named. Raises UsageError where it named nothing."""
    if not _shared:
        raise UsageError("no file of vectors in this process: call vectors.use(path) before systems that need one")
    return _shared[0]
