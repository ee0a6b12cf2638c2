"""Onnx: all-MiniLM-L6-v2 whole, in ONNX Runtime; slower than the static table, and nearer to meaning.

Source: Wang et al. 2020, "MiniLM", arXiv:2002.10957; mean pooling and unit norm as in Reimers and Gurevych 2019,
"Sentence-BERT", arXiv:1908.10084.
Ours differs: a text without one known piece gets zeros instead of the vector of an empty text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.core.card import Card
from memspan.core.errors import MissingExtra, MissingModel, UsageError
from memspan.text.embed.onnx_build import FILE_NAME
from memspan.text.embed.wordpiece import WordPiece

Floats = NDArray[np.float32]
CLS, SEP = 101, 102
LONGEST = 256
"""Tokens a text may have with [CLS] and [SEP]; the rest is cut off, as the model's authors do."""
BATCH_TOKENS = 2048
COMMAND = "memspan models build"


@dataclass(frozen=True, slots=True)
class Read:
    """A text as the model reads it, piece by piece.

    pieces: ids with [CLS] and [SEP], (n,);  tokens: what each means where it stands, (n, 384) float16, unit rows
    vector: of the whole text as `Onnx.embed` gives it, (384,)
    """

    pieces: NDArray[np.int32]
    tokens: NDArray[np.float16]
    vector: Floats


def default_model_dir() -> Path:
    """Where models lie: the user's cache folder of the platform, then memspan/models."""
    home = Path.home()
    caches = {"darwin": home / "Library" / "Caches", "win32": home / "AppData" / "Local"}
    return caches.get(sys.platform, home / ".cache") / "memspan" / "models"


class Onnx:
    """Unit vectors of 384 numbers from MiniLM. The model is loaded at the first text.

    model_dir: folder of the built model; None = `default_model_dir()`
    threads: cores one call may use, >= 1
    Raises MissingExtra where onnxruntime is not installed, MissingModel where the model was not built,
    UsageError where threads < 1.
    """

    card = Card(
        title="all-MiniLM-L6-v2 on ONNX Runtime",
        source="Wang et al. 2020, MiniLM, arXiv:2002.10957",
        year=2020,
        needs="onnx",
        failures=("reads 256 word pieces of a text",),
    )
    name = "onnx"
    dim = 384
    neighbour_weight = 0.2
    remove_common = False

    def __init__(self, model_dir: str | os.PathLike[str] | None = None, threads: int = 1) -> None:
        if threads < 1:
            raise UsageError(f"threads={threads}: at least 1 core must do the work")
        if find_spec("onnxruntime") is None:
            raise MissingExtra("onnx", "the MiniLM embedder")
        self.path = Path(model_dir or default_model_dir()) / FILE_NAME
        if not self.path.exists():
            raise MissingModel(self.path, COMMAND)
        self.threads = threads
        self.fingerprint = f"onnx:{self.path.stem}"

    def __repr__(self) -> str:
        return f"Onnx(model_dir={str(self.path.parent)!r}, threads={self.threads})"

    @cached_property
    def _session(self) -> Any:  # Any: onnxruntime has no types
        return self._opened(self.path)

    @cached_property
    def _reading_session(self) -> Any:
        """The same model, which also gives out its last layer."""
        try:
            import onnx
        except ImportError as error:
            raise MissingExtra("onnx", "reading token by token") from error
        model = onnx.load(self.path)
        last = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"][-1]
        shape = ("batch", "time", self.dim)
        model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, shape))
        return self._opened(model.SerializeToString())

    @property
    def _either(self) -> Any:
        """The session that is open, so that none is opened only for what the other can do too."""
        return self.__dict__.get("_reading_session") or self._session

    def _opened(self, model: Path | bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> WordPiece:
        return WordPiece(self._either.get_modelmeta().custom_metadata_map["vocabulary"].split("\n"))

    def embed(self, texts: Sequence[str]) -> Floats:
        """Unit rows, (len(texts), 384) float32; a text without a known piece gives a row of zeros."""
        tokenizer = self._tokenizer
        ids = [tokenizer.encode(text)[: LONGEST - 2] for text in texts]
        out = np.zeros((len(ids), self.dim), np.float32)
        known = [place for place, text in enumerate(ids) if set(text) - set(tokenizer.unknown)]
        for places in _batches(known, ids):
            out[places] = self._either.run(["vectors"], _padded([ids[place] for place in places]))[0]
        return out

    def read(self, texts: Sequence[str], longest: int = LONGEST) -> list[Read]:
        """Each text token by token; what is past `longest` tokens is cut off."""
        session = self._reading_session
        ids = [self._tokenizer.encode(text)[: longest - 2] for text in texts]
        found: list[Read | None] = [None] * len(ids)
        for places in _batches(range(len(ids)), ids):
            fed = _padded([ids[place] for place in places])
            vectors, layer = session.run(None, fed)
            for row, place in enumerate(places):
                count = len(ids[place]) + 2
                tokens = layer[row, :count]
                tokens = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
                found[place] = Read(fed["ids"][row, :count].astype(np.int32), tokens.astype(np.float16), vectors[row])
        return [one for one in found if one is not None]


def _padded(batch: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    """What the model is fed: a few texts, padded to the longest."""
    rows = np.zeros((len(batch), max(map(len, batch)) + 2), np.int64)
    for row, text in zip(rows, batch, strict=True):
        row[: len(text) + 2] = [CLS, *text, SEP]
    return {"ids": rows, "mask": (rows > 0).astype(np.float32)}


def _batches(places: Sequence[int], ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of like length, at most BATCH_TOKENS with padding; the shortest first."""
    batch: list[int] = []
    for place in sorted(places, key=lambda place: len(ids[place])):
        if batch and (len(ids[place]) + 2) * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


METHOD = Onnx
