"""The engine ranks as the reference does, however the memory grew."""

import random

import numpy as np
import pytest
from reference import Choices, Dense, Unit, scores

from memspan import Memory, Turn, load
from memspan.text.embed.hashing import Hashing
from memspan.text.index.fates import Moment
from memspan.text.index.words import words
from memspan.text.recall.rank import Asked, rank

_WORDS = """
garden kitchen lisbon porto guitar piano violin doctor nurse bakery flour sugar train ticket museum painting
marathon shoes coffee tea river mountain tent camping sister brother wedding party birthday cake letter phone
"""
VOCABULARY = _WORDS.split()
QUESTIONS = (
    "Where did Anna buy the piano and the guitar?",
    "What happened in May 2023?",
    "Who went to Lake Bohinj by train?",
    "camping near the river",
    "What should I bake for the birthday party? Any suggestions?",
)


class Leaning(Hashing):
    """The hashing embedder with a common direction to take out."""

    remove_common = True

    def embed(self, texts):
        rows = super().embed(texts) + 0.2
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def conversation(count: int, seed: int) -> list[Turn]:
    chance = random.Random(seed)
    turns = []
    for number in range(count):
        text = " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 25)))
        if number % 9 == 4:
            text = f"Lake {chance.choice(['Bohinj', 'Como', 'Garda'])} is {text}"
        if number % 7 == 3:
            text += " near Lake Bohinj"
        turns.append(
            Turn(
                text,
                speaker=chance.choice(["Anna", "Bert", ""]),
                role=chance.choice(["user", "assistant"]),
                session=f"s{chance.randint(0, 5)}",
                at=None if number % 11 == 0 else 1_680_000_000.0 + number * 86_400,
                id=f"t{number}",
            )
        )
    return turns


def remembered(path, turns, embedders, *, by):
    memory = Memory(path, scope="a", embedders=embedders)
    for start in range(0, len(turns), by):
        memory.remember(turns[start : start + by])
        if by < len(turns):
            memory.recall("anything")  # grows the index step by step
    return memory


def totals(memory, question):
    """Fused score of every unit, by the engine."""
    index, setting, embedder = memory._index, memory.setting, memory._embedders[0]
    index.refresh()
    texts = dict(enumerate((turn.text for turn in memory.turns()), start=1))
    vectors = {embedder.name: embedder.embed([question])[0]}
    asked = Asked(question, question, vectors, {})
    ranking = rank(index, asked, setting, lambda units: texts, 10_000, index.view(Moment(0.0)))
    return ranking, np.array([entry[0] for entry in ranking.explain(np.arange(1, index.count + 1))])


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("count", "by"), [(128, 128), (128, 1), (128, 37), (24, 24)])
def test_engine_equals_reference(tmp_path, question, count, by):
    """Every unit's sum is that of the slow reference, whether written at once or turn by turn, in a small scope too."""
    turns, embedder = conversation(count, seed=3), Leaning()
    with remembered(tmp_path / "m.mem", turns, [embedder], by=by) as memory:
        ranking, engine = totals(memory, question)
    units = [Unit(turn.text, turn.speaker, turn.role, turn.session, turn.at) for turn in turns]
    texts = [unit.indexed for unit in units]
    arm = Dense(
        embedder.embed(texts), embedder.embed([question])[0], 0.5, embedder.neighbour_weight, remove_common=True
    )
    wanted = scores(units, question, words, {"hashing": arm}, choices=Choices(least_for_common=64))
    coarse = 0.02 if count > 24 else 0.1  # int8 vectors weigh more where few units spread little
    np.testing.assert_allclose(engine, wanted["total"], atol=coarse)
    lexical = ranking.arms[0].raw[1:]
    np.testing.assert_allclose(lexical, wanted["lexical"], rtol=1e-4, atol=1e-4)


def test_index_grown_equals_index_built(tmp_path):
    """A memory reopened ranks exactly as the one that grew."""
    turns = conversation(200, seed=5)
    with remembered(tmp_path / "m.mem", turns, [Leaning()], by=1) as memory:
        grown = [[hit.id for hit in memory.recall(question, tokens=None, limit=50)] for question in QUESTIONS]
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Leaning()]) as memory:
        built = [[hit.id for hit in memory.recall(question, tokens=None, limit=50)] for question in QUESTIONS]
    assert grown == built


def test_ties_go_to_the_newest(tmp_path):
    """Of equal turns the one written last comes first."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember([Turn("tea with milk", session=str(number), id=f"t{number}") for number in range(5)])
        assert [hit.id for hit in memory.recall("tea", tokens=None, limit=5)] == ["t4", "t3", "t2", "t1", "t0"]


def test_an_instruction_stands_apart_and_applies_to_every_question(tmp_path):
    """A standing instruction is shown whatever is asked, once, and not among the hits of a packed recall."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember([Turn(f"The train leaves at {hour}.", session="s") for hour in range(9, 20)])
        rule = memory.remember("Always answer in French.", speaker="Anna").ids[0]
        recall = memory.recall("When does the train leave?", tokens=300)
    assert [hit.id for hit in recall.standing] == [rule]
    assert rule not in [hit.id for hit in recall.hits]
    assert recall.context.count("Always answer in French.") == 1


def test_advice_lifts_preferences(tmp_path):
    """An advice-seeking question finds a preference that shares no word with it."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember([Turn(f"The restaurant number {n} opens at noon", session=f"{n}") for n in range(40)])
        wish = memory.remember("I am vegan, I hate cheese.", speaker="Anna", session="x").ids[0]
        found = [hit.id for hit in memory.recall("Can you recommend a restaurant?", tokens=None, limit=10)]
        told = [hit.id for hit in memory.recall("When did the restaurant open?", tokens=None, limit=10)]
    assert found.index(wish) in (5, 6)
    assert wish not in told


@pytest.mark.parametrize(
    "question", ["", "   ", "the of and", "¿Dónde vive Ana?", "她住在哪里?", "\0\ud800?", "why " * 25_000]
)
def test_odd_questions_behave(tmp_path, question):
    """Any text is a question: it never fails, and never breaks the budget."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[load("embed", "static")()]) as memory:
        empty = memory.recall(question, tokens=200)
        assert (len(empty), empty.context, empty.confidence) == (0, "", 0.0)
        memory.remember(conversation(30, seed=1))
        assert memory.recall(question, tokens=200).cost.tokens <= 200


def test_cjk_is_found_by_its_words(tmp_path):
    """Text without spaces is searchable through pairs of characters."""
    with Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()]) as memory:
        memory.remember(
            [Turn("我搬到了里斯本", id="a"), Turn("今天天气很好", id="b"), Turn("어제 서울에서 만났어요", id="c")]
        )
        assert memory.recall("里斯本在哪里", tokens=None, limit=1).hits[0].id == "a"
        assert memory.recall("서울에서", tokens=None, limit=1).hits[0].id == "c"


def test_missing_vectors_are_said_and_made(tmp_path):
    """A file opened with another embedder says so, still recalls by words, and takes new vectors on request."""
    path = tmp_path / "m.mem"
    with Memory(path, scope="a", embedders=[Hashing()]) as memory:
        memory.remember(conversation(50, seed=2))
        before = [hit.id for hit in memory.recall("garden party", tokens=None, limit=5)]
    with pytest.warns(UserWarning, match="reembed"):
        memory = Memory(path, scope="a", embedders=[Hashing(dim=32)])
    with memory:
        assert memory.stats().without_vector == {"hashing": 50}
        assert len(memory.recall("garden party", tokens=None, limit=5)) == 5
        assert memory.reembed() == 50
        assert memory.stats().without_vector == {}
    with pytest.warns(UserWarning, match="reembed"):
        memory = Memory(path, scope="a", embedders=[Hashing()])
    with memory:
        memory.reembed()
        assert [hit.id for hit in memory.recall("garden party", tokens=None, limit=5)] == before
