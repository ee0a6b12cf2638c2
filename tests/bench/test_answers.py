"""Answers of a model in a run: scored from the context, from the gold and from nothing; nothing is asked twice."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from memspan.bench.answerer import Answerer, Judge
from memspan.bench.answers import Answers
from memspan.bench.cases import Question, Unit
from memspan.core.errors import ModelFailed

UNITS = {"u0": Unit("u0", "The kite is made of paper."), "u1": Unit("u1", "It rains.")}
ASKED = Question(id="q", text="What is the kite made of?", gold=frozenset({"u0"}), visible=2, answers=("paper",))


@pytest.fixture
def model():
    """A server that answers "paper" where the context says so, and judges by equality; it counts what it is asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][0]["content"]
            asked.append(prompt)
            if "Verdict:" in prompt:
                said = "yes" if "Answer: paper" in prompt else "no"
            else:
                said = "paper" if "made of paper" in prompt else "no information available"
            usage = {"prompt_tokens": 10, "completion_tokens": 2}
            body = json.dumps({"choices": [{"message": {"content": said}}], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"openai:tiny@http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_context_gold_and_nothing_stand_apart(model, tmp_path):
    spec, asked = model
    answers = Answers(tmp_path / "a", Answerer.of(spec), Judge.of(spec))
    found = answers.scores("", ASKED, UNITS, ["u1"])
    assert [found[f"LLM EM{one}"] for one in ("", " oracle", " nothing")] == [0.0, 1.0, 0.0]
    assert [found[f"LLM judged{one}"] for one in ("", " oracle", " nothing")] == [0.0, 1.0, 0.0]
    assert answers.scores("", ASKED, UNITS, ["u0"])["LLM F1"] == 1.0
    facts = answers.facts()
    assert facts["answerer"] == facts["judge"] == spec
    assert facts["calls"] == len(asked) and facts["tokens_in"] == 10 * len(asked)


def test_nothing_is_asked_twice_not_even_by_the_next_run(model, tmp_path):
    spec, asked = model
    first = Answers(tmp_path / "a", Answerer.of(spec)).scores("", ASKED, UNITS, ["u0"])
    before = len(asked)
    (tmp_path / "a").write_text((tmp_path / "a").read_text("utf-8") + '{"key": "torn', "utf-8")
    again = Answers(tmp_path / "a", Answerer.of(spec))
    assert again.scores("", ASKED, UNITS, ["u0"]) == first
    assert (len(asked), again.calls) == (before, 0)
    again.scores("", ASKED, UNITS, ["u1"])
    assert Answers(tmp_path / "a", Answerer.of(spec)).scores("", ASKED, UNITS, ["u1"])["LLM EM"] == 0.0
    assert len(asked) == before + 1


def test_a_question_without_answers_is_not_asked(model, tmp_path):
    spec, asked = model
    unanswered = Question(id="q", text="?", gold=frozenset({"u0"}), visible=2)
    assert Answers(tmp_path / "a", Answerer.of(spec)).scores("", unanswered, UNITS, ["u0"]) == {} and not asked


def test_a_server_that_is_not_there_is_named(tmp_path):
    nobody = Answers(tmp_path / "a", Answerer.of("openai:m@http://127.0.0.1:9/v1"))
    with pytest.raises(ModelFailed, match="cannot be reached"):
        nobody.scores("", ASKED, UNITS, ["u0"])
