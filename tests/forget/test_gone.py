"""T6: what was forgotten is shown by no call, is not learned again, and has left no trace in the order of the rest."""

import json
import unicodedata
from dataclasses import replace

import pytest
from tests.forget.canaries import Dense

from memspan import Change, Link, Memory, Record, Turn
from memspan.core.errors import CannotUndo, UnknownId
from memspan.text.store import doctor

SECRET = "Zoë Quillfeather keeps the vault code 4711-8802 under the third flagstone."
MARKS = ("quillfeather", "4711-8802", "flagstone")
TOLD = [
    ("Ann", "I moved to Basel last spring and work at the museum."),
    ("Ben", "The museum has a garden behind the old wall."),
    ("Ann", "My bike is red, and I always take it to the garden."),
    ("Ben", "Remind me of the vault when we talk about the garden."),
    ("Ann", "We keep the keys of the museum under the roof."),
]
QUESTIONS = ["Where is the vault code?", "What is under the flagstone?", "garden museum", "Who keeps keys?", "Basel"]


class Ticking:
    """A clock that goes on by one second a look."""

    def __init__(self):
        self.now = 1.7e9

    def __call__(self):
        self.now += 1.0
        return self.now


def opened(folder, scope="a", clock=None, name="m.mem"):
    return Memory(folder / name, scope=scope, embedders=[Dense()], clock=clock or Ticking())


def told(memory):
    return [
        memory.remember(text, speaker=who, session=f"s{number // 3}", at=1.6e9 + 1000 * number).ids[0]
        for number, (who, text) in enumerate(TOLD)
    ]


def all_said(memory, folder):
    """Everything that any call gives out, as one text in small letters."""
    said = []
    for question in (*QUESTIONS, SECRET):
        for more in ({}, {"history": True}, {"known_at": 1.7e9 + 9}, {"as_of": 1.65e9}, {"tokens": None, "limit": 50}):
            found = memory.recall(question, **more)
            said += [repr(replace(found, question="")), found.context]
    said += [repr(memory.changes()), repr(memory.records()), repr(memory.links()), repr(list(memory.turns()))]
    said += [repr(memory.sessions()), repr(memory.stats()), repr(memory.receipts()), repr(memory.check())]
    said += [repr(memory.history(turn.id)) for turn in memory.turns()]
    memory.export(folder / "out.jsonl")
    return "\n".join([*said, (folder / "out.jsonl").read_text()]).lower()


def shown(memory, folder):
    return [mark for mark in MARKS if mark in all_said(memory, folder)]


def secretly(memory):
    """The secret with all that can hang on it; its ids."""
    first = memory.remember(SECRET, speaker="Ann", session="s1", at=1.6e9 + 2500).ids[0]
    second = memory.correct(first, SECRET.replace("third", "fourth"), reason="not the third flagstone")
    record = Record(id="r-flagstone", kind="fact", text="The code 4711-8802 is there", sources=(second,))
    memory.apply([Change("add", record), Change("add", Link(source="r-flagstone", target=second, kind="about"))])
    memory.pin(second)
    memory.reflect()
    return first, second


def test_no_call_shows_it(tmp_path):
    """Recall at any moment, changes, history, records, links, export, receipts: nothing, also after any care."""
    memory = opened(tmp_path)
    told(memory)
    ids = secretly(memory)
    assert set(shown(memory, tmp_path)) == set(MARKS)
    memory.forget(ids[0])
    for care in ("nothing", "reflect", "rebuild", "reembed", "reopen"):
        if care == "reopen":
            memory.close()
            memory = opened(tmp_path)
        elif care != "nothing":
            getattr(memory, care)()
        assert shown(memory, tmp_path) == []
        for wanted in (*ids, "r-flagstone"):
            with pytest.raises(UnknownId):
                memory.history(wanted)
    with pytest.raises(UnknownId):
        memory.get(ids[0])
    memory.close()


def test_no_undo_brings_it_back(tmp_path):
    """Undoing the forgetting, or what it had emptied, is refused; undoing what stands is not."""
    with opened(tmp_path) as memory:
        told(memory)
        before = len(list(memory.turns()))
        ids = secretly(memory)
        operations = {event.operation for event in memory.changes()}
        receipt = memory.forget(ids[1])
        with pytest.raises(CannotUndo, match="forgotten is gone"):
            memory.undo(receipt.operation)
        for operation in sorted(operations, reverse=True):
            try:
                memory.undo(operation)
            except CannotUndo:
                continue
        assert shown(memory, tmp_path) == []
        assert len(list(memory.turns())) == before


VARIANTS = {
    "same": SECRET,
    "upper": SECRET.upper(),
    "spaced": "  " + SECRET.replace(" ", "\t  ") + "\n",
    "unpunctuated": SECRET.replace(".", "").replace("-", " "),
    "quoted": f"“{SECRET}”!",
    "decomposed": unicodedata.normalize("NFD", SECRET),
    "full width": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in SECRET),
    "zero width": SECRET.replace("vault", "va\u200bult"),
}


@pytest.mark.parametrize("form", VARIANTS)
def test_the_same_words_are_refused(tmp_path, form):
    """In other case, spacing, punctuation or Unicode form, by anybody, in any session, in bulk or alone."""
    with opened(tmp_path) as memory:
        memory.forget(memory.remember(SECRET, speaker="Ann", session="s1").ids[0])
        assert memory.remember(VARIANTS[form]).added == 0
        bulk = memory.remember(
            [Turn("before"), Turn(VARIANTS[form], speaker="Ben", role="tool", session="x", id="mine")]
        )
        assert (bulk.added, bulk.refused) == (1, ("mine",))


@pytest.mark.parametrize("care", ["reopen", "rebuild", "reflect", "doctor"])
def test_an_old_export_does_not_bring_it_back(tmp_path, care):
    """Whatever was done to the file since."""
    memory = opened(tmp_path)
    told(memory)
    ids = secretly(memory)
    memory.export(tmp_path / "old.jsonl")
    old = [json.loads(line) for line in (tmp_path / "old.jsonl").read_text().splitlines()]
    memory.forget(ids[0])
    count = len(list(memory.turns()))
    if care in ("rebuild", "reflect"):
        getattr(memory, care)()
    else:
        memory.close()
        if care == "doctor":
            doctor.repair(tmp_path / "m.mem")
        memory = opened(tmp_path)
    done = memory.remember(Turn(**line) for line in old)
    assert (done.added, set(done.refused)) == (0, set(ids))
    assert len(list(memory.turns())) == count
    assert shown(memory, tmp_path) == []
    memory.close()


def answers(memory):
    """All that a question shows, but the time it took."""
    found = []
    for question in QUESTIONS:
        for more in ({}, {"tokens": None, "limit": 50}, {"history": True}, {"as_of": 1.65e9}, {"tokens": 60}):
            recall = memory.recall(question, **more)
            hits = [replace(hit, seen_at=None) for hit in (*recall.hits, *recall.standing)]
            found.append(repr((hits, recall.confidence, recall.cost.tokens)))
    return found


@pytest.mark.parametrize("place", [0, 2, 5], ids=["first", "in the middle", "last"])
@pytest.mark.parametrize("reopened", [False, True], ids=["open", "reopened"])
def test_the_order_of_the_rest_does_not_tell(tmp_path, place, reopened):
    """A scope in which it was stored and forgotten answers as one in which it never was, score for score."""
    with opened(tmp_path, name="plain.mem") as plain:
        told(plain)
        plain.reflect()
        expected = answers(plain)
    memory, other = opened(tmp_path), opened(tmp_path, scope="b")
    told(other)
    theirs = answers(other)
    for number, (who, text) in enumerate([*TOLD[:place], ("Ann", SECRET), *TOLD[place:]]):
        early = number - (number > place)
        memory.remember(text, speaker=who, session=f"s{early // 3}", at=1.6e9 + 1000 * early + 500 * (number == place))
    memory.recall("vault code")
    memory.forget(query="flagstone", confirm=memory.forget(query="flagstone", dry_run=True).digest)
    memory.reflect()
    if reopened:
        memory.close()
        memory = opened(tmp_path)
    assert answers(memory) == expected
    assert answers(other) == theirs
    assert other.remember(SECRET).added == 1
    memory.close()
    other.close()


def test_records_with_other_living_sources_are_made_from_those_only(tmp_path):
    """After the next reflect(); until then what cited the forgotten turn is gone."""
    with opened(tmp_path, name="plain.mem") as plain:
        told(plain)
        plain.reflect()
        expected = {(record.id, record.kind, record.text, record.sources) for record in plain.records()}
    with opened(tmp_path) as memory:
        told(memory)
        (mixed,) = memory.remember(SECRET, speaker="Ann", session="s1", at=1.6e9 + 4500).ids
        memory.reflect()
        assert any(mixed in record.sources for record in memory.records())
        assert all(record.sources for record in memory.records())
        memory.forget(mixed)
        assert not any(mixed in record.sources for record in memory.records())
        memory.reflect()
        assert {(record.id, record.kind, record.text, record.sources) for record in memory.records()} == expected
        assert shown(memory, tmp_path) == []


def test_what_an_assistant_said_back_goes_with_it(tmp_path):
    """Its words are the forgotten ones; what the user said himself stays."""
    with opened(tmp_path) as memory:
        told(memory)
        mine = memory.remember(SECRET, speaker="Ann", session="s1").ids[0]
        memory.recall("Where is the vault code?", tokens=None)
        memory.remember(f"As you said, {SECRET}", role="assistant", session="s1")
        assert memory.forget(mine).items == 2
        assert shown(memory, tmp_path) == []


def test_a_correction_that_was_undone_or_not_believed_goes_too(tmp_path):
    """They carry the id and the meta of what they were to replace; so do corrected records."""
    with opened(tmp_path) as memory:
        mine = memory.remember(Turn(SECRET, id="quillfeather", meta={"note": "flagstone"})).ids[0]
        (plain,) = memory.remember("Plain talk.").ids
        memory.correct(mine, "It is elsewhere.")
        memory.undo()
        memory.correct(mine, "It is not so.", role="tool")
        memory.apply(
            [
                Change(
                    "add", Record(id="r", kind="fact", text="no matter", sources=(plain,), payload={"at": "4711-8802"})
                )
            ]
        )
        memory.correct("r", "It does not matter.")
        memory.undo()
        assert memory.forget(mine).items == 3
        assert memory.forget("r").items == 2
        assert shown(memory, tmp_path) == []
        assert [turn.id for turn in memory.turns()] == [plain] and memory.records() == []
