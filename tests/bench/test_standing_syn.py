"""standing-syn: the wishes lie where the gold says, and no word of a question gives its wish away."""

from memspan.bench.datasets import pick
from memspan.bench.datasets.standing_syn import half, wishes
from memspan.text.index.words import words

CASES = list(pick(["standing-syn"])[0].read({}))


def test_gold_is_the_turn_that_holds_the_wish():
    """Every wish stands once in one chat, said by the user, and its question sees the whole chat."""
    found = []
    for case in CASES:
        texts = {unit.id: unit for unit in case.units}
        for one in case.questions:
            (gold,) = one.gold
            (wish,) = [wish for wish in wishes() if wish["question"] == one.text]
            assert texts[gold].text.endswith(wish["wish"]) and texts[gold].role == "user"
            assert one.visible == len(case.units)
            assert one.category == ("other" if "lang" in wish else half(wish["wish"]))
            found.append(wish["wish"])
    assert sorted(found) == sorted(wish["wish"] for wish in wishes())


def test_no_question_shares_a_word_with_its_wish():
    """What finds the wish is its kind or its meaning, never a word."""
    shared = {one["wish"]: both for one in wishes() if (both := set(words(one["wish"])) & set(words(one["question"])))}
    assert shared == {}


def test_there_is_enough_of_it():
    """At least 60 English wishes in two halves, in chats of which 1,000 tokens are a few hundredths."""
    halves = [half(one["wish"]) for one in wishes() if "lang" not in one]
    assert len(halves) >= 60 and min(halves.count("dev"), halves.count("test")) >= 25
    assert all(sum(len(unit.text) for unit in case.units) / 4 > 15_000 for case in CASES)


def test_it_is_the_same_every_time():
    """Seeds are fixed: two readings give the same units."""
    again = list(pick(["standing-syn"])[0].read({}))
    assert [case.units for case in again] == [case.units for case in CASES]
