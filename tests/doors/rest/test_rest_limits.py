"""What is not let in: other hosts and origins, too much, too fast, too slow, and what is no JSON."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from tests.doors.rest.running import running

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def tight(tmp_path_factory):
    """A server with small limits."""
    told = {
        "at_once": 2,
        "rate": 20.0,
        "body_bytes": 20_000,
        "import_bytes": 40_000,
        "wait_s": 2.0,
        "cors": ("https://notes.example",),
    }
    with running(tmp_path_factory.mktemp("tight") / "m.mem", **told) as server:
        yield server


@pytest.fixture
def slowly(tight):
    """The tight server, once its bucket is full again."""
    time.sleep(1.0)
    return tight


def is_problem(answer, status):
    """Whether it is a problem of that status, as RFC 9457 has it."""
    if (answer.status_code, answer.headers["content-type"]) != (status, "application/problem+json"):
        return False
    return answer.json()["status"] == status and bool(answer.json()["detail"])


WRONG_JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b'{"question": NaN}',
    b'{"question": "a", "tokens": 1e999}',
    b'{"question": "a", "tokens": 1' + b"0" * 400 + b"}",
    b'{"question": "a", "tokens": "5"}',
    b'{"question": "a", "tokens": -1}',
    b'{"question": "a", "limit": 1.5}',
    b'{"question": "\\ud800"}',
    b'{"question": "a", "what": 1}',
    b'{"question": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"question": "a", "as_of": "soon"}',
    b'{"question": "a", "as_of": 1e300}',
    b'{"question": "\xff"}',
    b"\x00",
]


@pytest.mark.parametrize("body", WRONG_JSON, ids=range(len(WRONG_JSON)))
def test_a_malformed_body_is_a_problem(client, scope, body):
    """Never a mistake of the server."""
    answer = client.post("/v1/recall", params={"scope": scope}, content=body, headers=JSON)
    assert is_problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "turn",
    [
        {"text": "a\0b"},
        {"text": "   "},
        {"text": "a", "speaker": "b\0"},
        {"text": "a", "role": "root"},
        {"text": "a", "at": "2024-13-01"},
        {"text": "a", "at": True},
        {"text": "a", "meta": {"big": "x" * 100_001}},
        {"text": "a", "scope": "other"},
        {"text": "a", "id": "x" * 501},
    ],
)
def test_a_turn_that_cannot_be_stored_is_a_problem(client, scope, turn):
    """And nothing was stored."""
    answer = client.post("/v1/remember", params={"scope": scope}, json={"turns": [{"text": "good"}, turn]})
    assert is_problem(answer, 422), answer.text
    assert client.get("/v1/stats", params={"scope": scope}).json()["turns"] == 0


def test_strange_but_valid_meta_comes_back(client, scope):
    """Numbers past 64 bits, deep nesting, any script."""
    deep = {"n": 1}
    for _ in range(200):
        deep = {"n": deep}
    meta = {"big": 2**70, "deep": deep, "é\u202e": ["\U0001f600", -0.0, 1e-300]}
    made = client.post("/v1/remember", params={"scope": scope}, json={"text": "odd", "meta": meta})
    assert made.status_code == 201, made.text
    (turn,) = client.get("/v1/turns", params={"scope": scope}).json()["turns"]
    assert turn["meta"]["deep"] == deep and float(turn["meta"]["big"]) == float(2**70)


@pytest.mark.parametrize(
    "scope", ["", "a//b", "a/../b", "/a", "a/", "..", "a\n", "a\u202eb", "a\0", "x" * 257, "/".join("abcdefghi")]
)
def test_a_scope_that_is_none_is_a_problem(client, scope):
    """Not one of them is made into another."""
    assert is_problem(client.get("/v1/stats", params={"scope": scope}), 422)


def test_other_routes_and_methods_are_problems(client, scope):
    """404 and 405, and no page that loads scripts from elsewhere."""
    for path in ("/v1/nothing", "/docs", "/redoc", "/v2/recall", "/V1/recall", "//v1/stats", "/v1/stats/"):
        assert is_problem(client.get(path, params={"scope": scope}), 404), path
    assert is_problem(client.put("/v1/recall", params={"scope": scope}), 405)


def test_what_is_no_http_is_a_problem(open_server):
    """And the connection is closed."""
    with socket.create_connection(("127.0.0.1", open_server.settings.port)) as wire:
        wire.sendall(b"HELLO there\r\n\r\n")
        said = wire.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 400") and b"application/problem+json" in said


def test_headers_are_bounded(client, scope):
    """Many of them, or a long one."""
    many = {f"x-{number}": "y" * 500 for number in range(40)}
    assert is_problem(client.get("/v1/stats", params={"scope": scope}, headers=many), 431)
    long = client.get("/v1/stats", params={"scope": scope}, headers={"x": "y" * 100_000})
    assert is_problem(long, long.status_code) and long.status_code in (400, 431)


def test_only_names_of_this_machine_are_answered(client, scope):
    """A page whose name was made to point here (DNS rebinding) gets nothing."""
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "0.0.0.0",
        "",
        "evil.example:8377",
    ):
        assert is_problem(client.get("/v1/stats", params={"scope": scope}, headers={"host": host}), 421), host
    for host in ("localhost", "127.0.0.1:1", "[::1]:8377", "LOCALHOST"):
        assert client.get("/v1/stats", params={"scope": scope}, headers={"host": host}).status_code == 200


def test_other_origins_are_refused(client, open_server, scope):
    """Simple requests too, which a browser sends before it asks; the own page may."""
    ask = {"params": {"scope": scope}, "json": {"text": "planted"}}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"):
        assert is_problem(client.post("/v1/remember", **ask, headers={"origin": origin}), 403), origin
    crossing = client.get("/v1/stats", params={"scope": scope}, headers={"sec-fetch-site": "cross-site"})
    assert is_problem(crossing, 403)
    own = client.post("/v1/remember", **ask, headers={"origin": open_server.url})
    assert own.status_code == 201 and "access-control-allow-origin" not in own.headers


def test_an_origin_that_was_named_may_call(slowly):
    """With the headers that its browser asks for, and no other origin with it."""
    with slowly.client() as client:
        asked = {"origin": "https://notes.example", "access-control-request-method": "POST"}
        before = client.options("/v1/recall", headers=asked)
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == "https://notes.example"
        assert "idempotency-key" in before.headers["access-control-allow-headers"]
        got = client.get("/v1/stats?scope=a", headers={"origin": "https://notes.example"})
        assert got.headers["access-control-allow-origin"] == "https://notes.example"
        other = client.get("/v1/stats?scope=a", headers={"origin": "https://notes.example.evil"})
        assert is_problem(other, 403) and "access-control-allow-origin" not in other.headers


def test_a_large_body_is_refused_told_or_not(slowly):
    """By its stated length at once, else as soon as it is passed."""
    large = b'{"question": "' + b"a" * 30_000 + b'"}'
    with slowly.client() as client:
        assert is_problem(client.post("/v1/recall?scope=a", content=large, headers=JSON), 413)
        pieces = (large[at : at + 1000] for at in range(0, len(large), 1000))
        assert is_problem(client.post("/v1/recall?scope=a", content=pieces, headers=JSON), 413)
        lines = (b'{"text": "%d %s"}\n' % (at, b"a" * 900) for at in range(50))
        torn = client.post("/v1/import?scope=a", content=lines)
        assert is_problem(torn, 413)


def test_too_many_calls_are_told_when_to_come_again(slowly):
    """429 with Retry-After; after that time they are let in."""
    with slowly.client() as client:
        answers = [client.get("/v1/stats?scope=a") for _ in range(60)]
        late = [answer for answer in answers if answer.status_code == 429]
        assert late and all(is_problem(answer, 429) for answer in late)
        assert client.get("/health").status_code == 200
        time.sleep(int(late[-1].headers["retry-after"]))
        assert client.get("/v1/stats?scope=a").status_code == 200


def test_a_slow_body_is_not_waited_for(slowly):
    """A byte now and then keeps nothing open."""
    with socket.create_connection(("127.0.0.1", slowly.settings.port)) as wire:
        head = b"POST /v1/recall?scope=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        wire.sendall(head + b"content-length: 100\r\n\r\n")
        began, stop = time.monotonic(), threading.Event()

        def trickle():
            while not stop.wait(0.2):
                try:
                    wire.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        said = wire.recv(100)
        stop.set()
        thread.join()
    assert said.startswith(b"HTTP/1.1 408") and time.monotonic() - began < 5


def test_more_at_once_than_there_is_room_for_is_told_so(slowly):
    """503 with Retry-After; those inside are answered."""
    head = b"POST /v1/recall?scope=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    body = b'{"question": "a"}'
    with slowly.client() as client, ExitStack() as stack:
        wires = [stack.enter_context(socket.create_connection(("127.0.0.1", slowly.settings.port))) for _ in range(2)]
        for wire in wires:
            wire.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body[:5])
        time.sleep(0.2)
        full = client.get("/v1/stats?scope=a")
        assert is_problem(full, 503) and full.headers["retry-after"]
        for wire in wires:
            wire.sendall(body[5:])
            assert wire.recv(100).startswith(b"HTTP/1.1 200")


def test_every_answer_is_data_and_nothing_else(client, scope):
    """No sniffing, no caching, no use by other sites."""
    headers = client.get("/v1/stats", params={"scope": scope}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers
