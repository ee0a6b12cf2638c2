"""The newer of two claims about the same comes first."""

import numpy as np
import pytest

from memspan.text.recall.newest import LOOKED_AT, newer_first

OLD = "Ada Byron is an engineer based in Berlin."
NEW = "Ada Byron is an engineer based in Rome."
OTHER = "Ada Byron was taught by Mary Somerville."
ASKED = "Which city is Ada Byron based in?"


def no_vectors(units):
    return np.zeros((len(units), 0), np.float32)


def never(units):
    raise AssertionError("no vectors were needed")


def order(*told, question=ASKED, vectors=no_vectors):
    """Texts in the new order; told: (text, time), best first."""
    texts = {unit: text for unit, (text, _) in enumerate(told)}
    moved = newer_first(list(texts), texts, [at for _, at in told], question, vectors)
    assert sorted(moved) == list(texts)
    return [texts[unit] for unit in moved]


def test_the_newer_claim_comes_directly_before_the_older():
    """From anywhere among the best to the place before what it overtakes."""
    gauss, mary = "Carl Gauss measured the kingdom of Hanover.", "Mary Somerville is a translator."
    assert order((gauss, 1), (OLD, 1), (mary, 1), (NEW, 2)) == [gauss, NEW, OLD, mary]


@pytest.mark.parametrize("at", [1.0, 0.5, float("nan")])
def test_what_is_not_later_stays(at):
    """Told at the same moment, earlier, or nobody knows when."""
    assert order((OLD, 1), (NEW, at)) == [OLD, NEW]


def test_a_newer_claim_about_something_else_stays():
    """Neither a name nor a third of the words are shared."""
    assert order((OLD, 1), ("Carl Gauss measured the kingdom of Hanover.", 2))[0] == OLD


def test_it_comes_before_the_nearest_only():
    """A newer claim far down passes the claim it is nearest to, not the ones before that."""
    told = [(OTHER, 1), *((f"Ada Byron owns engine number {n}.", 1) for n in "abcdef"), (OLD, 1), (NEW, 2)]
    assert order(*told, question="Ada Byron") == [OTHER, *(text for text, _ in told[1:7]), NEW, OLD]


def test_of_two_newer_claims_only_the_nearest_passes():
    """What is newer but further from the older claim than another newer one stays behind."""
    further = "Ada Byron is fond of a city in Italy."
    assert order((OLD, 1), (further, 2), (NEW, 3)) == [NEW, OLD, further]
    assert order((OLD, 1), (further, 2)) == [further, OLD]


def test_a_newer_claim_that_does_not_answer_the_question_stays():
    """What the older one has of the question, the newer must have a part of."""
    asked = "Who repaired the mill in Kent?"
    older, newer = "Ada Byron repaired the mill in Kent.", "Ada Byron won a medal."
    assert order((older, 1), (newer, 2), question=asked) == [older, newer]


def test_among_the_first_it_also_comes_before_the_second_nearest():
    """One of the first six passes two, and goes before the better placed of them."""
    assert order((OTHER, 1), (OLD, 1), (NEW, 2), question="Ada Byron") == [NEW, OTHER, OLD]


def test_vectors_decide_where_words_do_not():
    """Nearest is by cosine and shared words together."""
    rows = [("Ada Byron paints.", 1), ("Ada Byron sails.", 1)]
    rows += [(f"Row {n} of the table is blank.", 1) for n in range(5)] + [("Ada Byron rows.", 2)]
    near = lambda units: np.array([[1.0, 0.0] if unit in (1, 7) else [0.0, 1.0] for unit in units], np.float32)  # noqa: E731
    assert order(*rows, question="Ada Byron", vectors=near)[:3] == [rows[0][0], rows[7][0], rows[1][0]]


def test_chats_are_not_even_compared():
    """Without two claims of different times no vector is asked for."""
    chat = [("I'm in Rome now!", 2), ("I was in Berlin.", 1), (OLD, 1), (OTHER, 1)]
    assert order(*chat, vectors=never) == [text for text, _ in chat]


def test_only_the_best_are_compared():
    """A unit past the first LOOKED_AT stays where it is."""
    told = [(OLD, 1), *((f"Row {n} of the table is blank.", 1) for n in range(LOOKED_AT - 1)), (NEW, 2)]
    assert order(*told) == [text for text, _ in told]


def test_somebody_elses_thing_is_not_newer_news_of_mine():
    """The same words about Pernille's parcels and about mine; told of mine again, it is."""
    mine, hers = "My parcels are left at the laundry.", "Pernille's parcels are left at the tailor now."
    again = "My parcels are left at the tailor now."
    asked = "Where are my parcels left?"
    assert order((mine, 1.0), (hers, 2.0), question=asked) == [mine, hers]
    assert order((mine, 1.0), (again, 2.0), question=asked) == [again, mine]
