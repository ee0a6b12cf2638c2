"""What question and answer do to each other's place, and whose word a question wants."""

from memspan import Memory, Turn
from memspan.text.embed.hashing import Hashing
from memspan.text.recall.rank import word_of
from memspan.text.recall.setting import LITE

DAY = 86400.0
MAY_8 = 1683504000.0


def memory(tmp_path, turns, **more):
    made = Memory(tmp_path / "m.mem", scope="a", embedders=[Hashing()], **more)
    made.remember(turns)
    return made


def first(made, question, **more):
    return [hit.text for hit in made.recall(question, tokens=None, **more)]


def talk(role="user"):
    """Ann asks, Bo answers; then others talk of other things."""
    other = ["The tram was late.", "We painted the fence.", "A letter came.", "Rain again.", "The bakery has closed."]
    said = [("Ann", "Where did you camp with the kids?", "user"), ("Bo", "By the lake, near the old mill.", role)]
    turns = [Turn(text, speaker=who, role=kind, session="1", at=MAY_8) for who, text, kind in said]
    return turns + [Turn(text, speaker="Cy", session=str(n), at=MAY_8) for n, text in enumerate(other, start=2)]


def gains(made, question):
    hits = made.recall(question, tokens=None)
    return {hit.text: {arm.name: arm.added for arm in hit.why}.get("exchange", 0.0) for hit in hits}


def test_an_answer_takes_a_share_and_its_question_steps_back(tmp_path):
    with memory(tmp_path, talk()) as made:
        added = gains(made, "camp with the kids")
    assert added["By the lake, near the old mill."] > 0
    assert added["Where did you camp with the kids?"] < 0
    assert sum(map(bool, added.values())) == 2


def test_a_question_to_an_assistant_keeps_its_place(tmp_path):
    with memory(tmp_path, talk(role="assistant")) as made:
        assert not any(gains(made, "camp with the kids").values())


def test_whose_word_is_wanted(tmp_path):
    """Of equal words, one's own come first in a question about oneself, the assistant's in one about its advice."""
    turns = [Turn("The blue tent.", role=role, session=role, at=MAY_8) for role in ("user", "assistant")]
    with memory(tmp_path, turns) as made:
        roles = [
            [hit.role for hit in made.recall(question, tokens=None)]
            for question in ("Which tent did I buy?", "Which tent did you recommend?")
        ]
    assert roles == [["user", "assistant"], ["assistant", "user"]]


def test_what_is_told_later_is_found_by_its_day(tmp_path):
    """A turn of 8 May that tells of the day before is evidence for 7 May; so is what is asked from where one stands."""
    turns = [
        Turn("I swam in the lake yesterday.", session="1", at=MAY_8),
        Turn("I swim in the lake, I swim in the sea.", session="2", at=MAY_8 - 40 * DAY),
    ]
    with memory(tmp_path, turns, clock=lambda: MAY_8) as made:
        for question in ("Where did I swim on May 7?", "Where did I swim yesterday?"):
            assert first(made, question)[0] == "I swam in the lake yesterday."
            named = made.recall(question, tokens=None).hits[0].why
            assert any(arm.name == "date" for arm in named)
        assert not any(arm.name == "date" for arm in made.recall("Where did I swim on May 6?", tokens=None).hits[0].why)


def test_the_more_a_question_is_of_oneself_the_more_counts_the_users_word():
    """What somebody else did, what I did, what I said: ever more; what you said: the others' word alone."""
    questions = ("What did Ann do?", "What did I do?", "What did I tell you?", "What did you tell me?")
    mine, theirs = zip(*(word_of(question, LITE) for question in questions), strict=True)
    assert 0 == mine[3] < mine[0] < mine[1] < mine[2]
    assert theirs[:3] == (0, 0, 0) and theirs[3] > 0
