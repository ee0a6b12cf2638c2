"""Idempotency keys and ETags: nothing happens twice, nothing is changed that somebody changed meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.doors.rest.running import running

from memspan.doors.rest.answers import KEPT_S, LEASE_S, Answers, Call
from memspan.doors.rest.state import State

THREADS = 20


@pytest.fixture
def post(client, scope):
    """Posts to a route of this scope, under a name."""

    def post(path, body, name=None, **headers):
        named = {"idempotency-key": name} if name else {}
        return client.post(f"/v1/{path}", params={"scope": scope}, json=body, headers={**named, **headers})

    return post


def turns(client, scope):
    return client.get("/v1/stats", params={"scope": scope}).json()["turns"]


def test_the_same_call_is_done_once(client, post, scope):
    """The second answer is the first one, and says that it is."""
    first, again = (post("remember", {"text": "Said now."}, "one") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
    assert turns(client, scope) == 1


def test_the_same_name_for_another_body_is_refused(client, post, scope):
    """And nothing is done; another scope, or another route, has names of its own."""
    assert post("remember", {"text": "first"}, "one").status_code == 201
    other = post("remember", {"text": "second"}, "one")
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    assert turns(client, scope) == 1
    elsewhere = client.post(
        "/v1/remember", params={"scope": f"{scope}/b"}, json={"text": "second"}, headers={"idempotency-key": "one"}
    )
    assert elsewhere.status_code == 201
    assert post("undo", {}, "one").status_code == 200


def test_a_call_that_failed_may_be_made_again_under_its_name(post):
    """A refusal is not kept."""
    wrong = {"turns": [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]}
    assert post("remember", wrong, "one").status_code == 409
    assert post("remember", wrong, "one").status_code == 409
    assert post("remember", {"text": "a"}, "one").status_code == 201


def race(server, scope, path, body, name=None):
    """The answers to THREADS equal calls, each over a connection of its own, at the same moment."""
    headers = {"idempotency-key": name} if name else {}

    def call(_):
        with server.client() as client:
            return client.post(f"/v1/{path}", params={"scope": scope}, json=body, headers=headers)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def test_of_twenty_equal_calls_at_once_one_is_done(open_server, client, scope):
    """All are answered the same; without a name each is a turn of its own (the check can fail)."""
    answers = race(open_server, scope, "remember", {"text": "Said by twenty."}, "race")
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert turns(client, scope) == 1
    race(open_server, f"{scope}/b", "remember", {"text": "Said by twenty."})
    assert turns(client, f"{scope}/b") == THREADS


def test_of_twenty_corrections_with_one_etag_one_is_made(open_server, client, post, scope):
    """The others are told that it was changed since."""
    (id,) = post("remember", {"text": "The bus leaves at nine."}).json()["ids"]
    tag = client.get(f"/v1/items/{id}", params={"scope": scope}).headers["etag"]

    def correct(number):
        with open_server.client() as mine:
            body = {"text": f"The bus leaves at {number}."}
            path = f"/v1/items/{id}/correct"
            return mine.post(path, params={"scope": scope}, json=body, headers={"if-match": tag}).status_code

    with ThreadPoolExecutor(THREADS) as pool:
        told = sorted(pool.map(correct, range(THREADS)))
    assert told == [200] + [412] * (THREADS - 1)


def test_an_etag_stays_until_the_item_changes(client, post, scope):
    """304 while it is that; If-Match lets a change through once; * fits anything that is there."""
    (id,) = post("remember", {"text": "Green."}).json()["ids"]
    path, query = f"/v1/items/{id}", {"scope": scope}
    tag = client.get(path, params=query).headers["etag"]
    same = client.get(path, params=query, headers={"if-none-match": f'"x", {tag}'})
    assert (same.status_code, same.content) == (304, b"")
    pinned = client.post(f"{path}/pin", params=query, headers={"if-match": tag})
    assert pinned.headers["etag"] == client.get(path, params=query).headers["etag"] != tag
    late = client.post(f"{path}/unpin", params=query, headers={"if-match": tag})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    assert client.get(path, params=query).json()["state"]["pinned"]
    assert client.post(f"{path}/unpin", params=query, headers={"if-match": "*"}).status_code == 200
    assert client.get(path, params=query, headers={"if-none-match": tag}).status_code == 304


def test_what_was_answered_holds_no_text_and_goes_with_what_is_forgotten(open_server, client, post, scope):
    """Neither the words nor, after forget, the ids are in the file of answers."""
    said = "A zebra named Quagmire lives upstairs."
    (id,) = post("remember", {"text": said}, "one").json()["ids"]
    held = files(open_server)
    assert id.encode() in held and b"Quagmire" not in held
    assert post("forget", {"ids": [id]}).json()["items"] == 1
    assert id.encode() not in files(open_server)


def files(server):
    """All bytes of the file of keys and answers, with its log."""
    names = (f"{server.settings.place}.doors{end}" for end in ("", "-wal"))
    held = b""
    for name in names:
        with open(name, "rb") as file:
            held += file.read()
    return held


@pytest.fixture
def state(tmp_path):
    file = State(tmp_path / "answers")
    yield file
    file.close()


CALL = Call("", "acme", "remember", "one", b"{}")


def test_an_answer_is_kept_for_a_day(state):
    """Then the name is free."""
    moment = [1000.0]
    answers = Answers(state, lambda: moment[0])
    done = []

    def act(at):
        done.append(at)
        return 200, b"%d" % len(done)

    assert answers.once(CALL, act).body == b"1"
    moment[0] += KEPT_S - 1
    assert answers.once(CALL, act).body == b"1"
    moment[0] += 2
    assert answers.once(CALL, act).body == b"2"


def test_a_call_whose_worker_died_is_done_at_its_first_moment(state):
    """So that a text said now is the same turn, whether or not the first try had written it."""
    moment = [1000.0]
    answers = Answers(state, lambda: moment[0])
    assert answers._begin(CALL) == 1000.0
    moment[0] += LEASE_S + 1
    assert answers.once(CALL, lambda at: (201, b"%d" % at)).body == b"1000"


SHORT_LEASE = """
from memspan.doors.rest import answers
answers.LEASE_S = 0.2
"""
DYING = """
import os
from memspan.text.memory import Memory
inner = Memory.remember
def dying(self, what, **how):
    inner(self, what, **how)
    os._exit(9)
Memory.remember = dying
"""


@pytest.mark.slow
def test_a_worker_that_dies_between_writing_and_answering_does_not_make_it_two(tmp_path):
    """The retry, after the lease, finds the turn that was written."""
    place, name = tmp_path / "m.mem", {"idempotency-key": "one"}
    with running(place, prelude=DYING) as server:
        with server.client() as client, pytest.raises(httpx.TransportError):
            client.post("/v1/remember?scope=a", json={"text": "Said now."}, headers=name)
        assert server.process.wait(timeout=30) == 9
    with running(place, prelude=SHORT_LEASE) as server, server.client() as client:
        made = client.post("/v1/remember?scope=a", json={"text": "Said now."}, headers=name)
        assert (made.status_code, made.json()["added"], made.json()["known"]) == (201, 0, 1)
        assert turns(client, "a") == 1
