"""Memory that changes: corrections, history, undo, looking back, forgetting. The real store, a clock of ours."""

import itertools

import pytest

from memspan import Change, Link, Memory, Patch, Record, Turn, load
from memspan.core.errors import AlreadyCorrected, CannotUndo, Held, NotConfirmed, UnknownId, UsageError


class Ticking:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Ticking()


@pytest.fixture
def memory(tmp_path, clock):
    with Memory(tmp_path / "m.mem", scope="a", embedders=[load("embed", "hashing")()], clock=clock) as made:
        yield made


def texts(recall):
    return [hit.text for hit in recall.hits]


def said(memory, text, **more):
    return memory.remember(text, speaker="Ann", **more).ids[0]


def test_a_newer_value_of_the_same_thing_comes_first(memory, clock):
    """The old one is shown as superseded, with its end and its heir; history leaves it in its place."""
    old = said(memory, "My phone number is 555 1234.", at=10, session="1")
    new = said(memory, "My phone number is 555 9876.", at=20, session="2")
    first, second = memory.recall("What is Ann's phone number?", tokens=None).hits
    assert (first.id, first.status) == (new, "active")
    assert (second.id, second.status, second.heir, second.until) == (old, "superseded", new, 20.0)
    assert {event.what for event in memory.changes(about="1234")} == {"added", "superseded"}


def test_any_moment_can_be_asked_for(memory, clock):
    """as_of goes by when it happened, known_at by when memory learned it."""
    clock.now = 100.0
    said(memory, "My phone number is 555 1234.", at=10, session="1")
    clock.now = 200.0
    said(memory, "My phone number is 555 9876.", at=150, session="2")
    question = "What is Ann's phone number?"
    assert texts(memory.recall(question, as_of=149)) == ["My phone number is 555 1234."]
    assert memory.recall(question, as_of=149).hits[0].status == "active"
    assert texts(memory.recall(question, as_of=160))[0] == "My phone number is 555 9876."
    assert texts(memory.recall(question, known_at=199)) == ["My phone number is 555 1234."]
    assert texts(memory.recall(question, known_at=99)) == []


def test_what_a_description_leads_to_is_followed_as_of_the_moment(memory, clock):
    """From Ann's boss to the boss's phone number; after another boss to hers, and back again as of then."""
    said(memory, "Noise first.", at=1)
    said(memory, "My boss is Karen Miller.", at=10, session="1")
    said(memory, "Karen Miller's phone number is 555 1234.", at=20, session="2")
    said(memory, "Vera Stone's phone number is 555 9876.", at=30, session="3")
    said(memory, "My boss is now Vera Stone.", at=40, session="4")
    for place in range(20):
        said(memory, f"The phone number of my boss, is that number {place}?", at=50 + place, session=f"noise {place}")
    question = "What is the phone number of Ann's boss?"

    def found(**when):
        hits = memory.recall(question, tokens=None, **when)
        return {hit.text for hit in hits if any(why.name == "asked" for why in hit.why)}

    assert found() == {
        "My boss is Karen Miller.",
        "My boss is now Vera Stone.",
        "Vera Stone's phone number is 555 9876.",
    }
    assert found(as_of=35) == {"My boss is Karen Miller.", "Karen Miller's phone number is 555 1234."}
    assert found(as_of=5) == set()


def test_a_correction_replaces_and_the_past_keeps_what_it_believed(memory, clock):
    """The corrected words answer at every event time; known_at before the correction shows the old ones."""
    wrong = said(memory, "The meeting is in room four.", at=10)
    clock.now = 2000.0
    right = memory.correct(wrong, "The meeting is in room five.", reason="misheard")
    assert texts(memory.recall("Which room is the meeting in?"))[0] == "The meeting is in room five."
    assert memory.recall("meeting room", as_of=15).hits[0].id == right
    assert texts(memory.recall("Which room is the meeting in?", known_at=1500)) == ["The meeting is in room four."]
    (told,) = [event for event in memory.changes() if event.what == "corrected"]
    assert (told.id, told.heir, told.why) == (wrong, right, "misheard")
    assert [event.what for event in memory.history(right)] == ["added", "added", "corrected"]
    with pytest.raises(AlreadyCorrected):
        memory.correct(wrong, "The meeting is in room six.")
    with pytest.raises(UnknownId):
        memory.correct("nothing", "x")


def test_a_correction_back_to_the_first_words_is_a_version_of_its_own(memory):
    """Its id is new although its words are those of the first."""
    one = said(memory, "It is blue.", at=10)
    two = memory.correct(one, "It is green.")
    three = memory.correct(two, "It is blue.")
    assert len({one, two, three}) == 3
    assert memory.recall("blue green", tokens=None).hits[0].id == three


def test_a_correction_may_bring_meta_of_its_own(memory):
    """In the place of the old one's; which turn it corrects is always said."""
    one = memory.remember("It is blue.", meta={"tag": "old", "more": 1}).ids[0]
    two = memory.correct(one, "It is blue.", meta={"tag": "new"})
    assert memory.get(two).meta == {"tag": "new", "corrects": one}
    assert memory.get(memory.correct(two, "It is green.")).meta == {"tag": "new", "corrects": two}


def test_a_correction_to_forgotten_words_is_refused(memory):
    """The old version keeps its place; again=True learns the words once more."""
    one = said(memory, "The door code is 4711.", at=10)
    memory.forget(said(memory, "The door code is 9999.", at=20))
    with pytest.raises(UsageError, match="again=True"):
        memory.correct(one, "The door code is 9999.")
    assert memory.item(one)[1].heir == "" and texts(memory.recall("door code")) == ["The door code is 4711."]
    new = memory.correct(one, "The door code is 9999.", again=True)
    assert texts(memory.recall("door code"))[0] == "The door code is 9999." and memory.item(one)[1].heir == new


def test_who_is_trusted_less_contradicts_but_does_not_correct(memory):
    """Both stand, each naming the other."""
    mine = said(memory, "The door code is 4711.", at=10)
    theirs = memory.correct(mine, "The door code is 9999.", role="tool")
    hits = {hit.id: hit for hit in memory.recall("door code", tokens=None).hits}
    assert hits[mine].status == "active" and hits[mine].contradicts == (theirs,)
    assert hits[theirs].contradicts == (mine,)


def test_undo_takes_the_last_call_back_and_can_be_taken_back(memory):
    """What was added is out of the way, in its place again after undoing the undo."""
    said(memory, "I like tea.")
    said(memory, "I like coffee.")
    undone = memory.undo()
    assert (undone.verb, undone.items) == ("remember", 1)
    assert texts(memory.recall("coffee tea")) == ["I like tea."]
    memory.undo(undone.by)
    assert set(texts(memory.recall("coffee tea"))) == {"I like tea.", "I like coffee."}
    memory.undo()
    memory.undo()
    assert memory.recall("coffee tea").hits == ()
    with pytest.raises(CannotUndo):
        memory.undo()
    said(memory, "I like tea.")
    assert texts(memory.recall("coffee tea")) == ["I like tea."]


def test_undo_of_a_correction_and_of_links(memory):
    """States and links are what they were."""
    one = said(memory, "It is blue.")
    memory.correct(one, "It is green.")
    memory.undo()
    assert texts(memory.recall("blue green")) == ["It is blue."]
    assert memory.recall("blue green").hits[0].status == "active"
    memory.apply([Change("add", Link(source=one, target=one, kind="similar", weight=0.5))])
    memory.apply([Change("add", Link(source=one, target=one, kind="similar", weight=0.9))])
    memory.undo()
    assert [link.weight for link in memory.links()] == [0.5]
    memory.undo()
    assert memory.links() == []


def test_undo_does_not_touch_what_was_changed_again(memory):
    """It says so, and changes nothing."""
    one = said(memory, "It is blue.")
    memory.pin(one)
    pinning = memory.changes()[-1].operation
    memory.hold(one)
    with pytest.raises(CannotUndo, match="changed again"):
        memory.undo(pinning)
    memory.undo()
    memory.undo()
    assert [event.what for event in memory.history(one)][:3] == ["added", "pinned", "held"]


def test_forgetting_a_session_leaves_the_others(memory):
    """The receipt counts the rows, and the words are refused when they come again, in any case or spacing."""
    for number in range(3):
        said(memory, f"In session {number} we spoke of the secret garden number {number}.", session=str(number))
    receipt = memory.forget(session="1")
    assert (receipt.status, receipt.items, receipt.rows["turn"], receipt.rows["tombstone"]) == ("erased", 1, 1, 1)
    assert "garden number 1" not in " ".join(turn.text for turn in memory.turns())
    assert len(memory.recall("garden").hits) == 2
    again = memory.remember("in session 1,  we spoke of the SECRET garden number 1")
    assert (again.added, again.refused) == (0, again.ids)
    assert memory.remember("in session 1,  we spoke of the SECRET garden number 1", again=True).added == 1
    assert [r.digest for r in memory.receipts()] == [receipt.digest]
    assert memory.check().ok


def test_small_talk_forgotten_with_its_session_may_be_said_elsewhere(memory):
    """But not in the session that was forgotten; forgotten by its id, it may not be said at all."""
    one = said(memory, "Yes, thanks!", session="1")
    memory.forget(session="1")
    assert said_again(memory, "Yes, thanks!", "1") == 0
    assert said_again(memory, "Yes, thanks!", "2") == 1
    memory.forget(memory.remember(Turn("Yes, thanks!", speaker="Ann", session="2")).ids[0])
    assert said_again(memory, "Yes, thanks!", "3") == 0
    assert one not in [turn.id for turn in memory.turns()]


def said_again(memory, text, session):
    return memory.remember(Turn(text, speaker="Ann", session=session)).added


def test_forgetting_takes_all_versions_and_all_that_was_made_of_it(memory):
    """Corrections, records that cite it, links and the log's bodies go with it."""
    one = said(memory, "The password is swordfish.", at=10)
    two = memory.correct(one, "The password is marlin.", reason="swordfish was wrong")
    other = said(memory, "The sea is wide.", at=20)
    memory.apply([Change("add", Record(id="r", kind="fact", text="password marlin", sources=(two, other)))])
    memory.apply([Change("add", Link(source="r", target=other, kind="supports"))])
    receipt = memory.forget(two)
    assert receipt.rows["turn"] == 2 and receipt.rows["record"] == 1 and receipt.rows["link"] == 1
    assert [turn.id for turn in memory.turns()] == [other]
    assert memory.records() == [] and memory.links() == []
    told = memory.changes()
    assert not any("swordfish" in event.text + event.why or "marlin" in event.text + event.why for event in told)
    with pytest.raises(CannotUndo, match="forgotten is gone"):
        memory.undo()
    with pytest.raises(UnknownId):
        memory.history(one)
    assert memory.check().ok


def test_what_a_forgotten_word_replaced_holds_again(memory):
    """As if the newer one had never been said."""
    old = said(memory, "My phone number is 555 1234.", at=10)
    new = said(memory, "My phone number is 555 9876.", at=20)
    beside = said(memory, "It is raining in Rome today.", at=30)
    memory.apply([Change("set", Patch(id=beside, status="superseded", heir=new, valid_to=40))])
    memory.forget(new)
    hits = {hit.id: hit.status for hit in memory.recall("phone number rain", tokens=None).hits}
    assert hits == {old: "active", beside: "active"}


def test_what_is_on_hold_is_not_forgotten(memory):
    """By its id it is refused; in a larger selection it stays and is named."""
    one = said(memory, "This is evidence in a case.", session="s")
    said(memory, "This is not.", session="s")
    memory.hold(one, reason="case 12")
    with pytest.raises(Held):
        memory.forget(one)
    assert memory.forget(session="s").kept == (one,)
    assert [turn.id for turn in memory.turns()] == [one]
    memory.release(one)
    assert memory.forget(one).items == 1


def test_forgetting_by_a_question_needs_a_second_word(memory):
    """The dry run shows how much and gives the digest that confirms it."""
    said(memory, "My bank is in Basel.")
    said(memory, "My bank has a blue door.")
    said(memory, "The river bank is green.", session="2")
    with pytest.raises(NotConfirmed):
        memory.forget(query="my bank")
    planned = memory.forget(query="bank basel", dry_run=True)
    assert (planned.status, planned.items) == ("planned", 1)
    assert memory.stats().turns == 3
    assert memory.forget(query="bank basel", confirm=planned.digest).items == 1
    assert memory.stats().turns == 2


@pytest.mark.parametrize(
    "wrong",
    [{}, {"id": "x", "session": "s"}, {"query": "x", "everything": True}, {"since": 5, "until": 4}, {"query": "?!"}],
)
def test_a_selection_that_makes_no_sense_is_refused(memory, wrong):
    """Nothing is forgotten by accident."""
    said(memory, "I like tea.")
    with pytest.raises(UsageError):
        memory.forget(**wrong)
    assert memory.stats().turns == 1


def test_forgetting_by_time_speaker_and_source(memory):
    """Each condition narrows; time is half-open and falls back to when it was learned."""
    memory.remember([Turn(f"note {n} by {who}", speaker=who, at=n, meta={"source": f"file{n}"})
                     for n, who in itertools.product(range(4), ("Ann", "Ben"))])  # fmt: skip
    assert memory.forget(speaker="Ann", since=1, until=3).items == 2
    assert memory.forget(source="file0").items == 2
    assert sorted((turn.at, turn.speaker) for turn in memory.turns()) == [
        (1, "Ben"), (2, "Ben"), (3, "Ann"), (3, "Ben"),
    ]  # fmt: skip
    assert memory.forget(everything=True).items == 4
    assert memory.forget(everything=True).items == 0
    assert list(memory.turns()) == []


def test_another_scope_is_not_touched_and_not_told(memory, tmp_path, clock):
    """The same words stay elsewhere, and may be learned there."""
    said(memory, "The code of the safe is 4711.")
    with Memory(tmp_path / "m.mem", scope="b", embedders=[load("embed", "hashing")()], clock=clock) as other:
        theirs = other.remember("The code of the safe is 4711.").ids[0]
        memory.forget(everything=True)
        assert other.get(theirs).text == "The code of the safe is 4711."
        assert other.remember("The code of the  safe is 4711!").added == 1
        assert other.changes()[0].what == "added" and other.receipts() == []


def test_expired_is_hidden_at_once(memory, clock):
    """From its moment on; before it, it is there."""
    one = said(memory, "The offer ends soon.")
    memory.expire(one, 1500)
    assert len(memory.recall("offer").hits) == 1
    clock.now = 1500.0
    assert memory.recall("offer").hits == ()
    memory.expire(one, None)
    assert len(memory.recall("offer").hits) == 1


def test_a_clock_that_goes_back_does_not_turn_the_log_around(memory, clock):
    """Recording times never decrease; known_at still finds what was known."""
    said(memory, "I like tea.")
    clock.now = 500.0
    one = said(memory, "I like coffee.")
    memory.pin(one)
    times = [event.at for event in memory.changes()]
    assert times == sorted(times) and times[-1] == 1000.0


def test_what_is_said_back_of_a_recall_is_a_use_and_no_new_fact(memory):
    """The assistant's words are stored word for word, behind the turn they repeat, which counts a use."""
    one = said(memory, "I moved to Lisbon in May.")
    memory.recall("Where did Ann move?")
    made = memory.remember("You moved to Lisbon in May.", role="assistant", speaker="bot", meta={"n": 1})
    first, second = memory.recall("Who moved to Lisbon?", tokens=None).hits
    assert (first.id, second.id, second.status, second.heir) == (one, made.ids[0], "superseded", one)
    assert memory.get(made.ids[0]).meta == {"n": 1}
    assert [event.what for event in memory.history(one)].count("used") == 1


def test_reflecting_twice_changes_nothing_and_forgetting_takes_what_was_derived(memory, clock):
    """Episodes, days and entities cite their turns; what cites a forgotten turn goes, and is made anew without it."""
    for day in range(3):
        clock.now = 86400.0 * day + 1000
        for number in range(4):
            memory.remember(f"In part{day}x Bob told Carol story number {number}.", speaker="Ann", session=str(day))
    done = memory.reflect()
    assert done.finished and done.derived["episode"] == 3 and done.derived["day"] == 3 and done.derived["entity"] >= 2
    known = {turn.id for turn in memory.turns()}
    records = memory.records()
    assert all(record.sources and known.issuperset(record.sources) for record in records)
    assert not memory.reflect()
    receipt = memory.forget(session="1")
    assert receipt.rows["record"] >= 3
    assert not any("part1x" in record.text for record in memory.records())
    again = memory.reflect()
    assert again.finished and "part1x" not in " ".join(record.text for record in memory.records())
    assert {record.text for record in memory.records("episode")} < {record.text for record in records}
    assert {record.text.split(":")[0] for record in memory.records("entity")} >= {"Bob", "Carol"}
    assert memory.check().ok


def test_room_is_made_by_archiving_the_weakest(memory, clock):
    """What is used, pinned or new stays; what is archived can come back."""
    ids = [said(memory, f"Fact number {number} is here.") for number in range(6)]
    memory.used([ids[0]])
    memory.pin(ids[1])
    memory.set_capacity(3)
    clock.now += 86400 * 60
    ids.append(said(memory, "The newest fact is here."))
    assert memory.reflect().archived == 4
    assert {hit.id for hit in memory.recall("fact here", tokens=None).hits} == {ids[0], ids[1], ids[6]}
    memory.restore(ids[3])
    assert ids[3] in {hit.id for hit in memory.recall("fact here", tokens=None).hits}


def test_what_has_expired_is_erased_by_reflecting(memory, clock):
    """Hidden at once, gone at the next reflect, unless it is on hold."""
    one, two = said(memory, "The offer ends soon."), said(memory, "The other offer ends too.")
    memory.expire(one, 1500)
    memory.expire(two, 1500)
    memory.hold(two)
    assert memory.reflect().expired == 0
    clock.now = 1600.0
    assert memory.reflect().expired == 1
    assert [turn.id for turn in memory.turns()] == [two]
    assert memory.receipts()[0].selector == "expired"


def test_reflecting_decides_what_a_correction_replaces(memory, clock):
    """An explicit correction replaces what it names; it can be seen, and undone by its number."""
    memory.remember([Turn(f"Note {n} about the weather in town {n}.", speaker="Ann", at=n) for n in range(30)])
    old = said(memory, "The train to Porto leaves from platform four.", at=100, session="1")
    right = "Correction: the train to Porto leaves from platform nine, not platform four."
    new = said(memory, right, at=200, session="2")
    assert memory.reflect().superseded == 1
    first, second = memory.recall("Which platform does the train to Porto leave from?", tokens=None).hits[:2]
    assert (first.id, second.id, second.status) == (new, old, "superseded")
    event = next(event for event in memory.changes() if event.what == "superseded")
    assert (event.id, event.heir, event.why) == (old, new, "corrected")
    memory.undo(event.operation)
    assert all(hit.status == "active" for hit in memory.recall("train to Porto", tokens=None).hits)


def test_what_was_confirmed_is_what_goes(memory, clock):
    """Where something else would go by now, nothing does."""
    wanted = said(memory, "The kettle in the kitchen is blue.", session="1")
    plan = memory.forget(session="1", dry_run=True)
    assert plan.ids == (wanted,)
    said(memory, "The roof leaks over the table.", session="1")
    with pytest.raises(NotConfirmed):
        memory.forget(session="1", confirm=plan.digest)
    assert len(list(memory.turns())) == 2
    again = memory.forget(session="1", dry_run=True)
    receipt = memory.forget(session="1", confirm=again.digest)
    assert (receipt.items, receipt.ids) == (2, ()) and memory.receipts()[0].ids == ()


def test_reminders_fire_on_time_and_on_what_is_said(memory, clock):
    """Due until they are archived; what waits for words fires when they are said, not before."""
    clock.now = 86400.0 * 10
    tea = said(memory, "Remind me to buy tea in 3 days.")
    tap = said(memory, "When the plumber calls, remind me to ask about the tap.")
    assert memory.due() == []
    called = said(memory, "The plumber has just called.")
    (fired,) = memory.due()
    assert (fired.id, fired.what, fired.by) == (tap, "ask about the tap", called)
    clock.now += 86400.0 * 3
    assert [one.id for one in memory.due()] == [tap, tea]
    assert [one.id for one in memory.due(now=86400.0 * 12)] == [tap]
    memory.archive(tap, reason="done")
    assert [one.what for one in memory.due()] == ["buy tea"]


def test_what_was_undone_since_still_stood_then(memory, clock):
    """known_at between a correction and its undoing shows the corrected words first."""
    wrong = said(memory, "The meeting is in room four.", at=10)
    clock.now = 2000.0
    right = memory.correct(wrong, "The meeting is in room five.")
    clock.now = 3000.0
    memory.undo()
    first, second = memory.recall("Which room is the meeting in?", known_at=2500, tokens=None).hits
    assert (first.id, second.id, second.status, second.heir) == (right, wrong, "superseded", right)
    assert [hit.id for hit in memory.recall("Which room is the meeting in?", tokens=None).hits] == [wrong]


def test_what_held_until_a_moment_steps_back_after_it(memory, clock):
    """An end without an heir: before it, it holds; after it, it is shown as over."""
    one = said(memory, "The pass to the pool is valid.", at=10)
    memory.apply([Change("set", Patch(id=one, valid_to=500))])
    (hit,) = memory.recall("Is the pass valid?").hits
    assert (hit.status, hit.until, hit.heir) == ("superseded", 500.0, "")
    assert memory.recall("Is the pass valid?", as_of=400).hits[0].status == "active"
