"""Bad input: a typed error that says what to do, and nothing stored; odd but valid input: stored and found whole."""

import json
import math
from datetime import UTC, datetime

import pytest
from tests.faults.workload import memory, turn

from memspan import Turn
from memspan.core.errors import (
    BadScope,
    BadText,
    BadTime,
    DuplicateId,
    MemspanError,
    UnknownId,
    UsageError,
)
from memspan.core.records import MAX_META_CHARS, MAX_NAME_CHARS, MAX_TEXT_CHARS


@pytest.fixture
def here(tmp_path):
    """A memory with one turn in it; after the test it holds what it should and is whole."""
    with memory(tmp_path / "a.mem") as opened:
        opened.remember(turn(0))
        yield opened
        assert opened.check().ok


BAD_TEXTS = {
    "nothing": "",
    "blank": " \n\t ",
    "NUL": "before\0after",
    "NUL alone": "\0",
    "lone high surrogate": "so \ud83d far",
    "lone low surrogate": "\udc00",
    "oversized": "x" * (MAX_TEXT_CHARS + 1),
    "bytes": b"words",
    "number": 7,
    "none": None,
}


@pytest.mark.parametrize("kind", BAD_TEXTS)
def test_a_text_that_cannot_be_stored_is_refused(here, kind):
    """BadText names the field, and the memory is as before."""
    with pytest.raises(MemspanError) as caught:
        here.remember(BAD_TEXTS[kind])
    if isinstance(BAD_TEXTS[kind], str):
        assert isinstance(caught.value, BadText)
        assert caught.value.field == "text"
    assert len(str(caught.value)) < 400
    assert here.stats().turns == 1


BAD_FIELDS = {
    "speaker": {"speaker": "a\0b"},
    "speaker's surrogate": {"speaker": "\ud800"},
    "long speaker": {"speaker": "s" * (MAX_NAME_CHARS + 1)},
    "session": {"session": "\0"},
    "long session": {"session": "s" * (MAX_NAME_CHARS + 1)},
    "role": {"role": "wizard"},
    "meta that is no JSON": {"meta": {"key": object()}},
    "large meta": {"meta": {"key": "x" * MAX_META_CHARS}},
    "meta of a surrogate": {"meta": {"\udcff": 1}},
}


@pytest.mark.parametrize("kind", BAD_FIELDS)
def test_a_field_that_cannot_be_stored_is_refused(here, kind):
    """The same for everything that goes with a text."""
    with pytest.raises(UsageError):
        here.remember("fine", **BAD_FIELDS[kind])
    assert here.stats().turns == 1


def test_meta_nested_without_end_is_refused(here):
    """Depth is limited, and says so."""
    nested = {}
    for _ in range(100_000):
        nested = {"deeper": nested}
    with pytest.raises(BadText, match="meta"):
        here.remember("fine", meta=nested)
    assert here.stats().turns == 1


def test_one_bad_turn_in_a_call_stores_none_of_it(here):
    """A call is one transaction, bad input included."""

    def some():
        yield turn(1)
        yield Turn("also \0 bad")

    with pytest.raises(BadText):
        here.remember(some())
    with pytest.raises(MemspanError):
        here.remember([turn(1), "no turn"])
    assert here.stats().turns == 1


ODD_TEXTS = {
    "largest": "y" * MAX_TEXT_CHARS,
    "one letter": "é",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈",
    "combining": "ẅ̴̛͎́h̶̪̅a̵͉͂t̷̢̛",
    "right to left": "אני גר בליסבון \u202e abc",
    "chinese": "我五月搬到了里斯本",
    "thai": "ฉันย้ายไปลิสบอน",
    "newlines": "a\r\nb\u2028c\x85d\x0be",
    "control": "\x01\x02\x1b[31mred\x7f",
    "byte order mark": "\ufeffhello",
    "SQL": "'; DROP TABLE turn; --",
    "FTS": 'NEAR("a" b, 3) OR col:* -x ^y (((',
    "noncharacter": "\uffff \U0010ffff",
    "spaces around": "  kept  ",
    "unstable lower case": "İstanbul ﬁ ß",
    "one long word": "z" * 100_000,
}
ODD_META = {"nul": "a\0b", "deep": [[[{"x": None}]]], "": 1.5, "text": "里斯本", "no": False, "large": "m" * 90_000}


def test_odd_meta_comes_back_as_it_was(here):
    """What JSON can hold is kept."""
    wanted = here.remember("fine", meta=ODD_META).ids[0]
    assert dict(here.get(wanted).meta) == ODD_META


@pytest.mark.parametrize("kind", ODD_TEXTS)
def test_an_odd_text_comes_back_letter_by_letter(here, kind):
    """Valid is valid: get, turns and recall give exactly what was stored."""
    text = ODD_TEXTS[kind]
    wanted = here.remember(text, speaker="Ann", at=1.7e9).ids[0]
    assert here.get(wanted).text == text
    assert [found.text for found in here.turns()] == [turn(0).text, text]
    assert text in {hit.text for hit in here.recall(text[:500], tokens=None)}


QUESTIONS = {
    "empty": "",
    "blank": " \n ",
    "NUL": "note \0 about",
    "surrogate": "note \ud83d about",
    "FTS": 'NEAR("note" topic, 3) OR speaker:* -x ^y (((',
    "star": "*",
    "quote": '"',
    "long": "What about topic 0? " * 5000,
    "long word": "z" * 100_000,
    "many words": " ".join(f"word{number}" for number in range(20_000)),
    "chinese": "我什么时候搬到里斯本的？",
    "emoji": "🏳️‍🌈?",
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_any_question_has_an_answer_or_a_typed_error(here, kind):
    """Whatever is asked: hits that were stored and within the budget, or an error of ours."""
    try:
        found = here.recall(QUESTIONS[kind], tokens=200)
    except UsageError:
        return
    assert {hit.text for hit in found} <= {turn(0).text}
    assert found.cost.tokens <= 200
    assert 0 <= found.confidence <= 1


def test_an_empty_memory_answers_nothing(tmp_path):
    """No hit, no error, confidence near nothing."""
    with memory(tmp_path / "a.mem") as empty:
        found = empty.recall("Where does Alice live?")
        assert (len(found), bool(found)) == (0, False)
        assert found.confidence < 0.2


@pytest.mark.parametrize("question", [None, 7, b"bytes", ["list"]])
def test_a_question_that_is_no_text_is_refused(here, question):
    """By type, at once."""
    with pytest.raises(UsageError):
        here.recall(question)


@pytest.mark.parametrize("budget", [{"tokens": -1}, {"limit": -1}, {"tokens": -0.5}])
def test_a_negative_budget_is_refused(here, budget):
    """Zero is a budget, less is a mistake."""
    with pytest.raises(UsageError):
        here.recall("note", **budget)
    assert len(here.recall("note", tokens=0)) == 0
    assert len(here.recall("note", tokens=None, limit=0)) == 0


TIMES = {
    "before 1970": (-86_400.0, "1969-12-31"),
    "antiquity": ("0001-01-01", "0001-01-01"),
    "1896": ("1896-12-21T10:00", "1896-12-21"),
    "after 2100": ("2150-06-01", "2150-06-01"),
    "the last year": ("9999-12-31", "9999-12-31"),
    "a datetime with zone": (datetime(2024, 1, 1, 23, tzinfo=UTC), "2024-01-01"),
    "a fraction": (1.5, "1970-01-01"),
}


@pytest.mark.parametrize("kind", TIMES)
def test_times_far_away_are_kept_and_found(here, kind):
    """Before 1970 and after 2100 too, and a question that names the day finds them."""
    when, day = TIMES[kind]
    wanted = here.remember("The lighthouse was lit.", at=when).ids[0]
    found = here.get(wanted)
    assert found.at is not None
    assert here.stats().first_at is not None
    assert here.recall(f"What happened on {day}?", tokens=None).hits[0].id in (wanted, here.remember(turn(0)).ids[0])


def test_minus_zero_is_a_time_like_zero(tmp_path):
    """A turn that was taken can be read again."""
    with memory(tmp_path / "a.mem") as own:
        wanted = own.remember("fine", at=-0.0).ids[0]
        assert own.get(wanted).at == 0


@pytest.mark.parametrize("when", [1 / 128, 1.7e9 + 1 / 3, 0.1 + 0.2])
def test_a_time_survives_export_and_import(tmp_path, when):
    """The same time, so that the turn is the same turn."""
    with memory(tmp_path / "a.mem") as own, memory(tmp_path / "b.mem") as other:
        wanted = own.remember("fine", at=when).ids[0]
        own.export(tmp_path / "a.jsonl")
        line = json.loads((tmp_path / "a.jsonl").read_text())
        other.remember(Turn(**line))
        assert other.get(wanted).at == own.get(wanted).at


@pytest.mark.parametrize(
    "when", [math.nan, math.inf, -math.inf, 1e18, -1e18, "yesterday", "", "2024-13-01", True, [], {}, b"2024"]
)
def test_a_time_that_is_none_is_refused(here, when):
    """BadTime, with the value seen."""
    with pytest.raises(BadTime):
        here.remember("fine", at=when)
    assert here.stats().turns == 1


def test_one_id_for_two_contents_is_refused(here):
    """In one call, over two calls, and the first one stays."""
    here.remember(Turn("first", id="mine"))
    with pytest.raises(DuplicateId):
        here.remember(Turn("second", id="mine"))
    with pytest.raises(DuplicateId):
        here.remember([Turn("third", id="other"), Turn("fourth", id="other")])
    assert here.get("mine").text == "first"
    assert here.stats().turns == 2
    assert here.remember(Turn("first", id="mine")).known == 1


def test_the_same_turn_again_is_the_same_turn(here):
    """Same scope, session, speaker, time and text; twice in one call it is two."""
    again = here.remember(turn(0))
    assert (again.added, again.known) == (0, 1)
    twice = here.remember([Turn("yes", session="s"), Turn("yes", session="s")])
    assert twice.added == 2
    assert here.remember([Turn("yes", session="s"), Turn("yes", session="s")]).added == 0
    assert here.stats().turns == 3


@pytest.mark.parametrize("wanted", ["", "nothing", "t" + "0" * 20, "\0", "x" * 10_000, "' OR 1=1"])
def test_an_id_that_is_not_there_is_unknown(here, wanted):
    """UnknownId, whatever it looks like."""
    with pytest.raises(UnknownId):
        here.get(wanted)


BAD_SCOPES = ["", " ", "/", "a//b", "a/", "/a", "..", "a/../b", ".", "a\0b", "a\nb", "\ud800", "x" * 300, "a\u200bb"]


@pytest.mark.parametrize("scope", [*BAD_SCOPES, "/".join("123456789"), None, 7, b"a"])
def test_a_scope_that_is_none_is_refused(tmp_path, scope):
    """Before any file is made."""
    with pytest.raises(BadScope):
        memory(tmp_path / "a.mem", scope=scope)
    assert not (tmp_path / "a.mem").exists()


@pytest.mark.parametrize("scope", ["unknown", "alice2", "alic", "ALICE", "alice/x", "%", "_____", "*", "álice"])
def test_a_scope_nobody_wrote_in_is_empty(here, tmp_path, scope):
    """Neither an error nor a glimpse of another one."""
    with memory(tmp_path / "a.mem", scope=scope) as other:
        assert list(other.turns()) == []
        assert other.sessions() == []
        assert len(other.recall("note about topic", tokens=None)) == 0
        with pytest.raises(UnknownId):
            other.get(next(here.turns()).id)


def test_a_turn_of_another_scope_is_refused(here):
    """It would be filed where it does not belong."""
    with pytest.raises(UsageError, match="scope"):
        here.remember(Turn("fine", scope="bob"))
    assert here.stats().turns == 1


def test_a_hundred_thousand_characters_are_asked_in_a_second(here):
    """A question of any length is bounded work."""
    from time import perf_counter

    here.remember([turn(number) for number in range(1, 200)])
    started = perf_counter()
    here.recall("What about topic 0 on May 5, 2023? " * 3000)
    assert perf_counter() - started < 1.0
