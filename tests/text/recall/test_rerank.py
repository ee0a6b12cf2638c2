"""Reading again: the figures against loops, the arm in the sum, what is kept and what is not, what is missing."""

import math

import numpy as np
import pytest

from memspan import Change, Memory, Record, Turn, load
from memspan.core.errors import MissingExtra, MissingModel, UsageError
from memspan.text.embed import onnx
from memspan.text.embed.hashing import Hashing
from memspan.text.embed.onnx import Read
from memspan.text.index.readings import Readings
from memspan.text.recall import rerank
from memspan.text.recall.advice import kind, without
from memspan.text.recall.rerank import BEHIND, BESIDE, LENGTH, NAME, VECTOR, WORDS, Line, Reranker


class Words(Hashing):
    """A stand-in for MiniLM: every word is a token that means itself wherever it stands."""

    def __init__(self):
        super().__init__(32)
        self.seen = []

    def read(self, texts):
        self.seen += texts
        return [self._read(text) for text in texts]

    def _read(self, text):
        words = ["[CLS]", *text.lower().replace("?", "").replace(".", "").replace(":", "").split(), "[SEP]"]
        pieces = np.array([sum(map(ord, word)) for word in words], np.int32)
        return Read(pieces, self.embed(words).astype(np.float16), self.embed([text])[0])


def looping(asked, reads, around):
    """What the reranker adds, by the definition: (texts,)."""
    shares = []
    for piece in asked.pieces:
        having = sum(piece in one.pieces for one in reads)
        shares.append(max(0.0, math.log((len(reads) + 1) / (having + 0.5))))
    shares[0] = shares[-1] = 0.0
    best = [[max(float(t @ d) for d in one.tokens.astype(float)) for t in asked.tokens.astype(float)] for one in reads]
    cosines, words = [], []
    for place, one in enumerate(reads):
        near = [
            (other, share, less) for other, share, less in zip(around[place], BESIDE, BEHIND, strict=True) if other >= 0
        ]
        row = one.vector + sum(share * reads[other].vector for other, share, _ in near)
        cosines.append(float(row @ asked.vector / np.linalg.norm(row)))
        kept = [max([own, 0, *(best[other][n] - less for other, _, less in near)]) for n, own in enumerate(best[place])]
        words.append(sum(share * like**2 for share, like in zip(shares, kept, strict=True)) / sum(shares))
    z = [(np.array(figure) - np.mean(figure)) / np.std(figure) for figure in (cosines, words)]
    long = [math.log(max(len(one.tokens), 64) / 64) for one in reads]
    return VECTOR * z[0] + WORDS * z[1] - LENGTH * np.array(long)


TEXTS = ["Ann: I bake bread", "Bob: what bread", "Ann: rye with seeds", "Bob: my dog is ill", "rain " * 126]
AROUND = [[-1, 1, -1, 2, -1, -1], [0, 2, -1, -1, -1, -1], [1, -1, 0, -1, -1, -1], [-1] * 6, [-1] * 6]


def test_the_figures_are_those_of_loops():
    """Cosine with neighbours, tokens at their best, length; z of each."""
    model = Words()
    found = Reranker(model).candidates(
        "What bread does Ann bake?", TEXTS, np.array(AROUND), Readings(), advice=False, dated=False
    )
    wanted = looping(model.read(["What bread does Ann bake?"])[0], model.read(TEXTS), AROUND)
    np.testing.assert_allclose(found.raw, wanted, atol=2e-2)  # tokens are halves
    assert found.floor == pytest.approx(float(found.raw.min()))


def test_a_time_halves_it_and_advice_is_mostly_the_vector():
    """The figures stay; advice also takes the kind of question out of the vector."""
    arguments = "Which bread?", TEXTS, np.array(AROUND), Readings()
    plain = Reranker(Words()).candidates(*arguments, advice=False, dated=False).raw
    dated = Reranker(Words()).candidates(*arguments, advice=False, dated=True).raw
    advice = Reranker(Words()).candidates(*arguments, advice=True, dated=True).raw
    long = -LENGTH * np.array([0, 0, 0, 0, math.log(2)])  # 126 words and two marks
    np.testing.assert_allclose(dated - long, (plain - long) / 2, atol=1e-6)
    words = Reranker(Words(), vector=False).candidates(*arguments, advice=True, dated=True).raw
    kept = without(Words().embed(["Which bread?"])[0], kind(Words()))
    model = Words()
    rows = [
        one.vector
        + sum(share * model.read([TEXTS[n]])[0].vector for n, share in zip(near, BESIDE, strict=True) if n >= 0)
        for one, near in zip(model.read(TEXTS), AROUND, strict=True)
    ]
    cosines = np.array([row @ kept / np.linalg.norm(row) for row in rows])
    np.testing.assert_allclose(advice - words, 3 * VECTOR * (cosines - cosines.mean()) / cosines.std(), atol=1e-4)


def test_where_the_vector_is_an_arm_already_it_is_not_added_again():
    """As in the setting full: what is left is the vector's figure."""
    arguments = "Which bread?", TEXTS, np.array(AROUND), Readings()
    both = Reranker(Words()).candidates(*arguments, advice=False, dated=False).raw
    words = Reranker(Words(), vector=False).candidates(*arguments, advice=False, dated=False).raw
    assert float((both - words).std()) == pytest.approx(VECTOR, rel=1e-4)
    assert abs(float((both - words).mean())) < 1e-6


def test_what_stands_alone_is_scored_on_the_same_line():
    """A text equal to a candidate without neighbours gets what that candidate got."""
    found = Reranker(Words()).candidates("Which dog?", TEXTS, np.array(AROUND), Readings(), advice=False, dated=False)
    np.testing.assert_allclose(found.of([TEXTS[3], TEXTS[4]]), found.raw[3:], atol=1e-5)
    assert found.of([]).shape == (0,)


def test_one_candidate_says_nothing():
    """No spread, no word; and a question of nothing but marks still works."""
    for question in ("Which dog?", ""):
        found = Reranker(Words()).candidates(
            question, ["rain"], np.full((1, 6), -1), Readings(), advice=False, dated=False
        )
        assert found.raw.tolist() == [0.0]


def test_readings_keep_the_latest_within_their_bytes():
    """Two texts of 4 tokens fit; a third sends the one unused longest away; equal texts are read once."""
    model, size = Words(), Words().read(["a b"])[0].tokens.nbytes
    readings = Readings(2 * size)
    readings.of(["a b", "c d", "a b"], model)
    assert model.seen == ["a b", "c d"]
    readings.of(["a b"], model)
    readings.of(["e f"], model)
    readings.of(["a b"], model)
    assert model.seen == ["a b", "c d", "e f"]
    assert [one.pieces.tolist() for one in readings.of(["c d", "e f"], model)] == [
        model.read([text])[0].pieces.tolist() for text in ("c d", "e f")
    ]


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """A memory whose reranker is the stand-in."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[load("embed", "hashing")()]) as made:
        made.model = Words()
        monkeypatch.setitem(made._answerer.__dict__, "_reranker", Reranker(made.model))
        made.remember([Turn(f"Number {n} is a tree in the park.", session=f"{n}", id=f"t{n}") for n in range(30)])
        made.remember([Turn("The tall oak has fallen.", speaker="Ann", session="x", id="oak")])
        yield made


def test_the_arm_is_in_the_sum_and_in_the_why(memory):
    """Line.raw is what is added; fast knows no such arm; the confidence is the fast one's."""
    fast = memory.recall("Which tall tree has fallen?", tokens=None, limit=40)
    high = memory.recall("Which tall tree has fallen?", tokens=None, limit=40, quality="high")
    assert all(NAME not in [arm.name for arm in hit.why] for hit in fast)
    before = {hit.id: hit.score for hit in fast}
    arms = {hit.id: next(arm for arm in hit.why if arm.name == NAME) for hit in high}
    assert {hit.id: hit.score for hit in high} == pytest.approx(
        {name: before[name] + arm.added for name, arm in arms.items()}, abs=1e-4
    )
    assert (high.hits[0].id, arms["oak"].rank) == ("oak", 1)
    assert high.confidence == fast.confidence
    assert "Ann: The tall oak has fallen." in memory.model.seen


def test_a_second_question_reads_no_turn_again(memory):
    """Until something is forgotten: then nothing read before is kept."""
    memory.recall("Which tree?", quality="high")
    memory.model.seen.clear()
    memory.recall("Which park?", quality="high")
    assert memory.model.seen == ["Which park?"]
    memory.forget("t3")
    memory.model.seen.clear()
    memory.recall("Which park?", quality="high")
    assert len(memory.model.seen) == 31 and not any("Number 3 " in text for text in memory.model.seen)


def test_only_the_best_are_read(memory, monkeypatch):
    """What was not read counts as the worst that was."""
    monkeypatch.setattr(rerank, "MOST", 5)
    high = memory.recall("Which tall tree has fallen?", tokens=None, limit=40, quality="high")
    added = [next(arm.added for arm in hit.why if arm.name == NAME) for hit in high]
    assert len(memory.model.seen) == 6
    assert len(added) == 31 and added.count(min(added)) >= 27


def test_records_are_read_beside_turns(memory):
    """A record that says what is asked passes the turns, on their line."""
    record = Record(id="r1", kind="fact", text="A tall ash has fallen too.", sources=("oak",))
    memory.apply([Change("add", record)])
    high = memory.recall("Which tall ash has fallen?", tokens=None, limit=3, quality="high")
    assert high.hits[0].id == "r1"
    assert [arm.name for arm in high.hits[0].why][:3] == ["lexical", "hashing", NAME]
    assert high.hits[0].why[2].added > high.hits[2].why[2].added
    only = memory.recall("Which tall ash has fallen?", kinds=("fact",), quality="high")
    assert [hit.id for hit in only] == ["r1"]


@pytest.mark.parametrize("question", ["", "  ", "\u5979\u4f4f\u5728\u54ea\u91cc?"])
def test_where_the_model_knows_no_word_nothing_is_read(memory, question):
    """An empty question, or one in a script that it was not made for, is answered as by fast."""
    high, fast = (memory.recall(question, quality=quality) for quality in ("high", "fast"))
    assert [hit.id for hit in high] == [hit.id for hit in fast]
    assert memory.model.seen == []


def test_nothing_to_rank(tmp_path, monkeypatch):
    """An empty memory, and one of which nothing is in view."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        monkeypatch.setitem(memory._answerer.__dict__, "_reranker", Reranker(Words()))
        assert not memory.recall("Which tree?", quality="high")
        memory.remember(Turn("A tree.", at=1e9))
        assert not memory.recall("Which tree?", as_of=1.0, quality="high")


def test_a_quality_there_is_not(memory):
    with pytest.raises(UsageError, match="'best': there are fast, high"):
        memory.recall("Which tree?", quality="best")


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    """Without the extra, and without the model, with what to do; fast goes on."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember("A tree.")
        monkeypatch.setattr(onnx, "find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match=r"memspan\[onnx\]"):
            memory.recall("Which tree?", quality="high")
        monkeypatch.setattr(onnx, "find_spec", lambda name: name)
        monkeypatch.setattr(onnx, "default_model_dir", lambda: tmp_path / "none")
        with pytest.raises(MissingModel, match="memspan models build"):
            memory.recall("Which tree?", quality="high")
        assert memory.recall("Which tree?")


def test_a_line_is_a_line():
    """raw is linear in the figures."""
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    line = Line(zero, zero, zero, weights=(2.0, 3.0, -1.0), means=(1.0, 2.0, 0.0), stds=(0.5, 4.0, 1.0))
    np.testing.assert_allclose(line.raw((2 * one, one, one)), 2 * (2 - 1) / 0.5 + 3 * (1 - 2) / 4 - one, rtol=1e-6)
