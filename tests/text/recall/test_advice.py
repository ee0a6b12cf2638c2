"""Questions for advice: their common direction, and the step towards what lies near."""

import numpy as np
import pytest

from memspan import Memory, Turn
from memspan.text.embed.hashing import Hashing
from memspan.text.embed.static import Static
from memspan.text.recall.advice import QUESTIONS, kind, towards, without


def test_the_common_direction_has_length_one_and_is_gone_afterwards():
    """What is left of a question has no part of it."""
    direction = kind(Static())
    left = without(Static().embed(["Any tips for Rome?"])[0], direction)
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-5)
    assert abs(float(left @ direction)) < 1e-6


def test_an_embedder_that_knows_no_word_has_no_direction():
    """Nothing is taken from its vectors."""

    class Silent(Hashing):
        def embed(self, texts):
            return np.zeros((len(texts), self.dim), np.float32)

    direction = kind(Silent())
    vector = np.arange(Silent().dim, dtype=np.float32)
    assert not direction.any() and (without(vector, direction) == vector).all()


def test_there_are_sixty_questions_and_no_two_are_the_same():
    """Each is about another thing."""
    assert len(set(QUESTIONS)) == len(QUESTIONS) == 60


class Rows:
    """A plane of three known rows."""

    def rows(self, units):
        return np.eye(4, dtype=np.float32)[units]


def test_a_question_moves_towards_its_nearest_rows():
    """By the step, towards what has a positive cosine; not at all for step 0 or where nothing is near."""
    query = np.array([1, 0, 0, 0], np.float32)
    cosines = np.array([0, 0.8, 0.1, -1], np.float32)
    moved = towards(Rows(), query, cosines, most=1, step=0.5)
    assert moved == pytest.approx(np.array([1, 0.5, 0, 0]) / np.sqrt(1.25), abs=1e-6)
    assert towards(Rows(), query, cosines, most=1, step=0.0) == pytest.approx(query)
    assert towards(Rows(), query, np.array([0, -1, -1, -1], np.float32), most=3, step=0.5) == pytest.approx(query)


LIKINGS = [
    "I prefer hostels with a shared kitchen.",
    "I dislike loud gyms.",
    "I avoid films with subtitles.",
    "I love spicy soups.",
    "I never buy leather shoes.",
    "I only read short novels.",
]


def test_where_likings_crowd_a_memory_meaning_ranks_them(tmp_path):
    """The lexical arm is silent, so that a liking with the question's small words does not win."""
    with Memory(tmp_path / "m.mem", scope="alice") as memory:
        memory.remember([Turn(text, session=str(n)) for n, text in enumerate(LIKINGS)])
        hits = memory.recall("Can you recommend somewhere cheap to sleep in Rome, please?").hits
    assert hits[0].text == LIKINGS[0]
    assert all(arm.added == 0 for arm in hits[0].why if arm.name == "lexical")
