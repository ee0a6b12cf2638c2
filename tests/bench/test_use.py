"""The rule reader, the scores of answers, and a named model behind a real local server."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.bench.answerer import ANSWER, JUDGE, Answerer, Judge, Model, fingerprint
from memspan.bench.cases import Question, Unit
from memspan.bench.use import call, choose, exact, f1, filled, locomo_f1, read, said, use_scores
from memspan.core.errors import ModelFailed, UsageError

UNITS = {
    "old": Unit("old", "I live in Rome.", speaker="Ann", at=1.0),
    "new": Unit("new", "I live in Oslo.", speaker="Ann", at=2.0),
    "other": Unit("other", "I live in Bonn.", speaker="Bea", at=3.0),
    "talk": Unit("talk", "What a day!", speaker="Ann", at=4.0),
}


def ask(**fields):
    """A question about where Ann lives now."""
    given = {"gold": frozenset({"new"}), "answers": ("Oslo",), "reads": r"^Ann: I live in (\w+)"}
    return Question(id="q", text="Where does Ann live?", visible=4, **given | fields)


@pytest.mark.parametrize(
    ("ids", "answer"),
    [
        (["talk", "new", "old"], "Oslo"),
        (["old", "new"], "Rome"),
        (["other", "new"], "Oslo"),
        (["talk", "other"], None),
        (["gone", "new"], "Oslo"),
        ([], None),
    ],
)
def test_the_first_unit_that_states_it_answers(ids, answer):
    """In the order of the context; a speaker can be part of the rule; no unit, no answer."""
    assert read(ask(), UNITS, ids) == answer


def test_a_rule_may_also_start_at_the_words():
    """Without the speaker before them; without a rule nothing is read."""
    assert read(ask(reads=r"^I live in (\w+)"), UNITS, ["other"]) == "Bonn"
    assert read(ask(reads=""), UNITS, ["new"]) is None


def test_use_has_its_two_controls():
    """The context may mislead; the gold alone never does here, and nothing answers nothing."""
    row = use_scores(ask(), UNITS, ["old", "new"])
    assert row == {"EM": 0.0, "F1": 0.0, "EM oracle": 1.0, "EM nothing": 0.0}
    assert use_scores(ask(), UNITS, ["new", "old"])["EM"] == 1.0
    assert use_scores(ask(answers=()), UNITS, ["new"]) == {} == use_scores(ask(reads=""), UNITS, ["new"])


CALL = Question(
    id="q",
    text="Book the usual one.",
    gold=frozenset({"b", "c"}),
    visible=4,
    answers=("fare=flex; seat=aisle",),
    reads=r"seat (?:= )?(?P<seat>aisle|window)|fare (?:= )?(?P<fare>flex|saver)",
)
SAID = {
    "a": Unit("a", "seat window", at=1.0),
    "b": Unit("b", "seat aisle", at=2.0),
    "c": Unit("c", "fare flex", at=1.0),
    "d": Unit("d", "fare saver", at=0.0),
}


@pytest.mark.parametrize(
    ("ids", "got", "scores"),
    [
        ("abcd", {"seat": "aisle", "fare": "flex"}, (1.0, 1.0, 1.0, 1.0)),
        ("dcba", {"seat": "aisle", "fare": "flex"}, (1.0, 1.0, 1.0, 1.0)),
        ("ac", {"seat": "window", "fare": "flex"}, (0.0, 0.5, 0.5, 0.5)),
        ("b", {"seat": "aisle"}, (0.0, 1.0, 0.5, 2 / 3)),
        ("", {}, (0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_call_is_filled_from_the_latest_word(ids, got, scores):
    """Whatever the order; scored parameter by parameter and as a whole."""
    assert filled(CALL, SAID, list(ids)) == got
    row = use_scores(CALL, SAID, list(ids))
    assert (row["EM"], row["param precision"], row["param recall"], row["param F1"]) == pytest.approx(scores)
    assert (row["EM oracle"], row["EM nothing"]) == (1.0, 0.0)


def test_the_request_itself_comes_before_memory():
    """What is asked for in so many words needs no memory, and none overrules it."""
    full = Question(**{**{n: getattr(CALL, n) for n in CALL.__slots__}, "text": "Book it: seat = aisle, fare = flex."})
    assert use_scores(full, SAID, ["a", "d"])["EM"] == use_scores(full, SAID, [])["EM"] == 1.0


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.from_regex(r"[\w :]{1,12}", fullmatch=True)))
def test_a_call_survives_being_written_down(parameters):
    """Written and read back, nothing is lost."""
    assert call(said(parameters)) == parameters


@pytest.mark.parametrize(
    ("answer", "golds", "em", "score"),
    [
        ("The Old Town!", ["old town"], 1.0, 1.0),
        ("in old town", ["old town", "harbour"], 0.0, 0.8),
        ("a the", ["x"], 0.0, 0.0),
        (None, ["x"], 0.0, 0.0),
        ("x", [], 0.0, 0.0),
    ],
)
def test_exact_match_and_token_f1(answer, golds, em, score):
    """SQuAD's: case, articles and punctuation make no difference, the best right answer counts."""
    assert exact(answer, golds) == em and f1(answer, golds) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "golds", "category", "score"),
    [
        ("she was running", ["runs, she"], "single-hop", 0.8),
        ("cats", ["dogs, cat"], "multi-hop", 0.5),
        ("dogs, cats", ["dogs, cat"], "multi-hop", 1.0),
        ("yes", ["yes; she said so"], "open-domain", 1.0),
        ("It is not mentioned.", ["anything"], "adversarial", 1.0),
        ("Rome", ["Rome"], "adversarial", 0.0),
        (None, ["Rome"], "adversarial", 0.0),
    ],
)
def test_locomo_counts_stems_by_category(answer, golds, category, score):
    """Lists part by part, the first of two readings, and a refusal where nothing is known."""
    assert locomo_f1(answer, golds, category) == pytest.approx(score)


def test_a_choice_is_made_by_what_the_first_units_say():
    """Words that all choices share decide nothing; a tie is no choice."""
    options = ("she lives in Oslo", "she lives in Rome", "she lives in Bonn")
    one = ask(reads="", choices=options, answers=(options[0],))
    assert choose(one, UNITS, ["new", "old"]) == options[0] and choose(one, UNITS, ["old", "new"]) == options[1]
    assert choose(one, UNITS, []) is None and choose(one, UNITS, ["talk"]) is None
    assert use_scores(one, UNITS, ["new"]) == {"choice": 1.0} and use_scores(one, UNITS, ["talk"]) == {"choice": 0.0}
    assert use_scores(ask(choices=("Oslo", "Rome"), answers=("Oslo",)), UNITS, ["old"])["choice"] == 0.0


class Talker(BaseHTTPRequestHandler):
    """Stands in for a model: it plays back what the test wants it to say."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, dict(self.headers), body))
        status, reply = self.server.reply
        time.sleep(self.server.wait_s)
        self.send_response(status)
        with suppress(
            BrokenPipeError
        ):  # a caller that waits no longer; a traceback drawn in a thread can break an import
            self.end_headers()
            self.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

    def log_message(self, *parts):
        """Quiet."""


@pytest.fixture
def server():
    """A server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Talker) as running:
        running.heard, running.wait_s, running.reply = [], 0.0, (200, saying("Oslo"))
        running.spec = f"openai:tiny@http://127.0.0.1:{running.server_port}/v1/"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def saying(text):
    """A reply in the shape of the wire."""
    usage = {"prompt_tokens": 70, "completion_tokens": 2}
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


def test_a_model_answers_from_the_context(server):
    """The memories in order, the question, the key as a bearer token; the answer with its name, prompt and tokens."""
    got = Answerer.of(server.spec, key="sesame").answer("Where does Ann live?", [UNITS["new"], UNITS["talk"]])
    assert (got.text, got.model, got.prompt) == ("Oslo", server.spec, fingerprint(ANSWER))
    assert (got.tokens_in, got.tokens_out) == (70, 2) and 0 < got.seconds < 5
    ((path, headers, body),) = server.heard
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer sesame"
    assert body["model"] == "tiny" and body["temperature"] == 0
    (message,) = body["messages"]
    assert "[1] (1970-01-01 00:00) Ann: I live in Oslo.\n[2]" in message["content"]
    assert message["content"].endswith("Question: Where does Ann live?\nAnswer:")


def test_no_key_is_sent_where_there_is_none_and_it_is_never_shown(server):
    """Neither in the header nor in how the object prints."""
    Answerer.of(server.spec).answer("?", [])
    assert "Authorization" not in server.heard[0][1] and "(none)" in server.heard[0][2]["messages"][0]["content"]
    assert "sesame" not in repr(Answerer.of(server.spec, key="sesame"))


@pytest.mark.parametrize(
    ("words", "right"), [("Yes.", True), (" no", False), ("**Yes**, it does", True), ("Hard to say", None), ("", None)]
)
def test_a_judge_says_yes_or_no_or_nothing(server, words, right):
    """With its name and prompt, so that two judges are never mixed up."""
    server.reply = (200, saying(words))
    verdict = Judge.of(server.spec).judge("Where?", ["Oslo", "in Oslo"], "Oslo")
    assert (verdict.right, verdict.model, verdict.prompt) == (right, server.spec, fingerprint(JUDGE))
    assert "Right answers: Oslo | in Oslo" in server.heard[0][2]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((401, {"error": "bad key"}), "refused with 401 .*bad key"),
        ((200, b"<html>"), "no JSON"),
        ((200, {"choices": []}), "sent no answer but .*choices"),
        ((200, [1]), "sent no answer"),
    ],
)
def test_a_failing_server_is_told_and_keeps_the_key(server, reply, why):
    """What came instead is in the message; the key is not."""
    server.reply = reply
    with pytest.raises(ModelFailed, match=why) as caught:
        Answerer.of(server.spec, key="sesame").answer("?", [])
    assert caught.value.name == server.spec and "sesame" not in str(caught.value)


def test_a_slow_or_absent_server_is_told(server):
    """Within the time given."""
    server.wait_s = 0.3
    with pytest.raises(ModelFailed, match=r"within 0\.05 s"):
        Answerer.of(server.spec, timeout_s=0.05).answer("?", [])
    with pytest.raises(ModelFailed, match="cannot be reached"):
        Answerer.of("openai:tiny@http://127.0.0.1:1/v1", timeout_s=1).answer("?", [])


@pytest.mark.parametrize(
    "spec", ["", "gpt", "openai:tiny", "openai:@http://h", "openai:t@ftp://h", "openai:t@http://u:p@h"]
)
def test_a_spec_that_names_no_model_is_refused(spec):
    """Before anything is sent."""
    with pytest.raises(UsageError, match="openai:MODEL@"):
        Answerer.of(spec)
    with pytest.raises(UsageError, match="more than 0"):
        Model("openai:t@http://h", timeout_s=0)
