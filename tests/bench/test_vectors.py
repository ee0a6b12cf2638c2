"""The file of vectors: each text embedded once, whoever asks."""

import subprocess
import sys

import numpy as np
import pytest

from memspan.bench import vectors
from memspan.bench.cases import Case, Question, Unit
from memspan.bench.vectors import BATCH, Vectors, use, wanted
from memspan.core.errors import UsageError
from memspan.text.embed.hashing import Hashing


class Counting(Hashing):
    """Counts what it is given; fails at the text "cut"."""

    def __init__(self, dim=16):
        super().__init__(dim)
        self.seen = []

    def embed(self, texts):
        if "cut" in texts:
            raise KeyboardInterrupt
        self.seen += texts
        return super().embed(texts)


@pytest.fixture
def embedder():
    return Counting()


def test_a_text_is_embedded_once(tmp_path, embedder):
    """Within a call, between calls, and after the file was opened anew."""
    first = Vectors(tmp_path / "v", embedder)
    rows = first.of(["red", "blue", "red"])
    assert rows.tolist() == Hashing(16).embed(["red", "blue", "red"]).tolist()
    first.of(["blue"])
    first.close()
    again = Vectors(tmp_path / "v", embedder)
    assert again.of(["red"]).tolist() == rows[:1].tolist()
    assert (embedder.seen, first.embedded, again.embedded) == (["red", "blue"], 2, 0)
    assert first.mean_ms > 0 == again.mean_ms
    again.close()


def test_another_model_has_other_vectors(tmp_path):
    """The fingerprint is part of the key."""
    narrow, wide = Vectors(tmp_path / "v", Hashing(8)), Vectors(tmp_path / "v", Hashing(32))
    assert (narrow.of(["red"]).shape, wide.of(["red"]).shape) == ((1, 8), (1, 32))
    assert wide.of([]).shape == (0, 32)
    narrow.close()
    wide.close()


def test_a_cut_run_keeps_its_batches(tmp_path, embedder):
    """What was embedded before the cut is not embedded again."""
    texts = [f"text {n}" for n in range(BATCH)]
    cut = Vectors(tmp_path / "v", embedder)
    with pytest.raises(KeyboardInterrupt):
        cut.prepare([*texts, "cut"])
    cut.close()
    again = Vectors(tmp_path / "v", embedder)
    told = []
    assert again.prepare([*texts, "new", "new"], lambda done, total: told.append((done, total))) == 1
    assert (told, embedder.seen[BATCH:]) == ([(1, 1)], ["new"])
    again.close()


OTHER = """
import sys
from pathlib import Path
from memspan.bench.vectors import Vectors
from memspan.text.embed.hashing import Hashing
vectors = Vectors(Path(sys.argv[1]), Hashing(16))
vectors.prepare([f"text {n}" for n in range(int(sys.argv[2]), int(sys.argv[3]))])
vectors.close()
"""


def test_two_processes_fill_one_file(tmp_path):
    """At the same time, with texts in common."""
    ranges = (("0", "1500"), ("500", "2000"))
    running = [subprocess.Popen([sys.executable, "-c", OTHER, str(tmp_path / "v"), *one]) for one in ranges]
    assert [one.wait(60) for one in running] == [0, 0]
    after = Vectors(tmp_path / "v", Hashing(16))
    assert after.prepare([f"text {n}" for n in range(2000)]) == 0
    assert np.array_equal(after.of(["text 777"]), Hashing(16).embed(["text 777"]))
    after.close()


def test_something_else_is_not_overwritten(tmp_path):
    """A file that is no database is named and left alone."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, and more of them " * 50)
    with pytest.raises(UsageError, match="not a file of vectors"):
        Vectors(path, Hashing(16))
    assert path.read_text().startswith("my notes")


def test_a_process_names_its_file_first(tmp_path, monkeypatch):
    """And may name another one later."""
    monkeypatch.setattr(vectors, "_shared", [])
    with pytest.raises(UsageError, match="no file of vectors in this process"):
        vectors.shared()
    use(tmp_path / "a", Hashing(16))
    second = use(tmp_path / "b", Hashing(16))
    assert vectors.shared() is second
    second.close()


def test_what_a_case_needs():
    """Units as they are found, and what is asked."""
    units = [Unit("u0", "Hello.", speaker="Ann"), Unit("u1", "Rain.")]
    case = Case("c", units, [Question(id="q", text="Who?", gold=frozenset({"u0"}), visible=2)])
    assert list(wanted(case)) == ["Ann: Hello.", "Rain.", "Who?"]


def test_the_price_of_one_question(tmp_path, embedder):
    """One by one, past the file; the first call, which loads a model, is not counted."""
    some = Vectors(tmp_path / "v", embedder)
    assert some.alone_ms([]) == 0
    assert some.alone_ms(["a", "b", "c"]) > 0
    assert embedder.seen == ["a", "b", "c"]
    some.close()
