"""Baselines against numbers worked out apart."""

import math

import pytest

from memspan.bench import vectors
from memspan.bench.cases import Ask
from memspan.bench.systems import facts, known, load
from memspan.core.errors import UnknownMethod
from memspan.core.records import Turn
from memspan.core.tokens import estimate
from memspan.text.embed.hashing import Hashing

TEXTS = ["The cat sat.", "A cat and a dog.", "Rain all day."]


@pytest.fixture
def turns():
    return [Turn(text, id=f"u{n}") for n, text in enumerate(TEXTS)]


def test_bm25_is_the_formula(tmp_path, turns):
    """cat in 2 of 3 turns, lengths 2 (cat sat), 2 (cat dog), 2 (rain day); dog in one."""
    system = load("bm25")(tmp_path)
    system.remember(turns[:2])
    system.remember(turns[2:])
    cat, dog = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    assert system.scores("cats, dogs, cat?").tolist() == pytest.approx([cat, cat + dog, 0.0])
    assert system.recall(Ask("cats, dogs"), 5) == ["u1", "u0"]


def test_bm25_normalises_by_length(tmp_path):
    """b .75, k1 1.2: lengths 1 and 3 around a mean of 2."""
    system = load("bm25")(tmp_path)
    system.remember([Turn("kite", id="a"), Turn("kite wind string", id="b")])
    idf = math.log(1 + 0.5 / 2.5)
    short, long = (idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * length / 2)) for length in (1, 3))
    assert system.scores("kite").tolist() == pytest.approx([short, long])


ABLATIONS = ["default-no-dates", "default-no-dense", "default-no-lexical", "default-no-rules", "default-no-window"]


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """A file of vectors with words hashed to places: no model."""
    monkeypatch.setattr(vectors, "_shared", [])
    used = vectors.use(tmp_path / "vectors", Hashing(256))
    yield used
    used.close()


@pytest.mark.usefixtures("hashed")
@pytest.mark.parametrize("name", ["bm25", "dense", "recent", "default", "minilm", "rrf", *ABLATIONS])
def test_every_system_ranks_and_packs(tmp_path, turns, name):
    """Before anything is remembered, and after."""
    system = load(name)(tmp_path)
    try:
        assert system.recall(Ask("Who has a cat?"), 2) == []
        assert system.pack(Ask("Who has a cat?"), 500).ranked == ()
        system.remember(turns)
        ranked = system.recall(Ask("Who has a cat?"), 2)
        assert 1 <= len(ranked) <= 2
        assert set(ranked) <= {"u0", "u1", "u2"}
        assert set(system.pack(Ask("Who has a cat?"), 500).ranked) <= {"u0", "u1", "u2"}
    finally:
        system.close()


def test_recent_is_the_newest_first(tmp_path, turns):
    """Whatever is asked."""
    system = load("recent")(tmp_path)
    system.remember(turns)
    assert system.recall(Ask("anything"), 2) == ["u2", "u1"]


def test_unknown_systems_are_named(tmp_path):
    """With the nearest name there is."""
    baselines = {"bm25", "dense", "full-context", "minilm", "nothing", "recent", "rrf"}
    assert {"default", "full", *baselines, *ABLATIONS} <= set(known())
    with pytest.raises(UnknownMethod, match="Did you mean 'bm25'"):
        load("bm52")


def test_every_system_says_what_it_is():
    """Title and kind, without being made; the titles differ."""
    said = [facts(name) for name in known()]
    assert {one.kind for one in said} <= {"memspan", "ablation", "baseline", "peer", "control"}
    assert {one.name for one in said if one.kind == "ablation"} == set(ABLATIONS)
    assert len({one.title for one in said}) == len(said)


def test_the_controls_frame_the_rest(tmp_path, turns):
    """One has nothing; the other has all of it at its full price, whatever the budget."""
    ask = Ask("Who has a cat?")
    nothing, everything = load("nothing")(tmp_path), load("full-context")(tmp_path)
    for control in (nothing, everything):
        control.remember(turns)
    assert (nothing.recall(ask, 3), nothing.pack(ask, 500).ranked, nothing.pack(ask, 500).tokens) == ([], (), 0)
    packed = everything.pack(ask, 1)
    assert packed.ranked == ("u2", "u1", "u0")
    assert packed.tokens == sum(estimate(text) for text in TEXTS) > 1


def test_rrf_adds_the_reciprocal_ranks(tmp_path, hashed, turns):
    """By words: u1 (cat, dog) before u0 (cat); by vectors the order is that of the cosines."""
    system = load("rrf")(tmp_path)
    system.remember(turns)
    question = "a cat and a dog"
    cosines = hashed.of(TEXTS) @ hashed.of([question])[0]
    dense = {place: rank for rank, place in enumerate(sorted(range(3), key=lambda place: -cosines[place]), 1)}
    words = {1: 1, 0: 2}
    expected = [sum(1 / (60 + rank[place]) for rank in (words, dense) if place in rank) for place in range(3)]
    assert system.scores(question).tolist() == pytest.approx(expected)


def _ranked(name, folder, turns, question):
    folder.mkdir()
    system = load(name)(folder)
    try:
        system.remember(turns)
        hits = system._memory.recall(question, tokens=None, limit=9)
        return [hit.id for hit in hits], {why.name for hit in hits for why in hit.why if why.added}
    finally:
        system.close()


TALK = [
    Turn("Which lake did you swim in?", speaker="Ann", session="s", at="2024-05-01", id="asked"),
    Turn("Konstanz, it was cold.", speaker="Bob", session="s", at="2024-05-01", id="answered"),
    Turn("My sister swims too.", speaker="Bob", session="t", at="2024-07-01", id="later"),
]


def test_an_ablation_takes_out_what_it_names(tmp_path):
    """Each arm and boost speaks in lite and is silent where it was taken out."""
    question = "Which lake did Bob swim in, in July 2024?"
    _, whole = _ranked("default", tmp_path / "lite", TALK, question)
    assert {"lexical", "static", "date", "speaker"} <= whole
    gone = {
        "default-no-dates": {"date"},
        "default-no-lexical": {"lexical"},
        "default-no-dense": {"static"},
        "default-no-rules": {"date", "speaker", "user"},
    }
    for name, arms in gone.items():
        _, left = _ranked(name, tmp_path / name, TALK, question)
        assert left == whole - arms, name


def test_without_a_window_a_neighbour_lends_no_words(tmp_path):
    """The answer shares no word with the question; its neighbour does."""
    chat = [*TALK[:2], *(Turn(f"Nothing new, number {n}.", session=f"n{n}", id=f"n{n}") for n in range(30))]
    lite, _ = _ranked("default", tmp_path / "lite", chat, "lake")
    alone, _ = _ranked("default-no-window", tmp_path / "alone", chat, "lake")
    assert lite[:2] == ["asked", "answered"]
    assert alone[0] == "asked"
    assert alone[1] != "answered"
