"""Import and export: batch by batch, and what was acknowledged is there whatever happens then."""

import json
import signal
import socket
import time

import pytest
from tests.doors.rest.running import running

from memspan import Memory
from memspan.doors.rest.uploads import BATCH_TURNS

LINES = {"accept": "application/x-ndjson"}


def line(number):
    """A turn of about a hundred bytes as one line of an import."""
    return (
        json.dumps({"text": f"Number {number} was drawn. {'x' * 60}", "speaker": "Ann", "at": number}).encode() + b"\n"
    )


def lines(count):
    return b"".join(map(line, range(count)))


def test_an_import_is_counted(client, scope):
    """Sent again, it adds nothing."""
    first = client.post("/v1/import", params={"scope": scope}, content=lines(1200)).json()
    again = client.post("/v1/import", params={"scope": scope}, content=lines(1200)).json()
    assert first == {
        "read": 1200,
        "added": 1200,
        "known": 0,
        "refused": 0,
        "quarantined": 0,
        "redacted": 0,
        "done": True,
    }
    assert (again["added"], again["known"]) == (0, 1200)


def test_each_batch_is_acknowledged_in_a_line(client, scope):
    """The counts grow; the last one says that it is done."""
    answer = client.post("/v1/import", params={"scope": scope}, content=lines(1200), headers=LINES)
    told = [json.loads(one) for one in answer.text.splitlines()]
    assert [one["read"] for one in told] == [BATCH_TURNS, 2 * BATCH_TURNS, 1200, 1200]
    assert [one["done"] for one in told] == [False, False, False, True]


@pytest.mark.parametrize("headers", [{}, LINES], ids=["one answer", "lines"])
def test_a_broken_line_keeps_what_stood_before_it(client, scope, headers):
    """The problem says which line, and how much is safe."""
    body = lines(1100) + b'{"txt": 1}\n' + lines(1200)
    answer = client.post("/v1/import", params={"scope": scope, "format": "jsonl"}, content=body, headers=headers)
    told = json.loads(answer.text.splitlines()[-1])
    problem = told["problem"] if headers else told
    assert (problem["status"], problem["imported"]["added"]) == (422, 1100)
    assert problem["detail"].startswith("line 1101: ")
    assert client.get("/v1/stats", params={"scope": scope}).json()["turns"] == 1100


def test_an_id_taken_by_other_words_stops_an_import(client, scope):
    """What came before it is there."""
    body = b'{"text": "a", "id": "x"}\n{"text": "b", "id": "y"}\n{"text": "c", "id": "x"}\n'
    answer = client.post("/v1/import", params={"scope": scope, "format": "jsonl"}, content=body)
    assert (answer.status_code, answer.json()["imported"]["added"]) == (409, 2)


def test_other_formats_are_recognised_and_labelled(client, scope):
    """source and trust are noted with every turn; an unknown format is a problem."""
    query = {"scope": scope, "source": "chat.txt", "trust": "import", "session": "old"}
    told = client.post("/v1/import", params=query, content=b"Ann: hello there\nBob: hello Ann").json()
    assert told["added"] == 2
    (turn, _) = client.get("/v1/turns", params={"scope": scope}).json()["turns"]
    assert (turn["speaker"], turn["session"]) == ("Ann", "old")
    assert turn["meta"] == {"source": "chat.txt", "trust": "import"}
    unknown = client.post("/v1/import", params={"scope": scope, "format": "word"}, content=b"x")
    assert unknown.status_code == 400


def test_what_is_exported_can_be_imported_without_a_change(client, scope):
    """Equal turns with equal ids, in another scope; into the same one nothing new."""
    turns = [{"text": "Without a session."}, {"text": "With one.", "session": "s", "meta": {"n": [1, None]}, "at": 0.1}]
    client.post("/v1/remember", params={"scope": scope}, json={"turns": turns})
    exported = client.get("/v1/export", params={"scope": scope})
    assert exported.headers["content-type"] == "application/x-ndjson"
    client.post("/v1/import", params={"scope": f"{scope}/copy"}, content=exported.content)
    copied = client.get("/v1/export", params={"scope": f"{scope}/copy"})
    assert copied.content == exported.content and len(exported.content.splitlines()) == 2
    again = client.post("/v1/import", params={"scope": scope}, content=exported.content).json()
    assert (again["added"], again["known"]) == (0, 2)


class Wire:
    """An import over a bare socket, in the hand of the test."""

    def __init__(self, server, scope):
        self.socket = socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)
        head = (
            f"POST /v1/import?scope={scope}&format=jsonl HTTP/1.1\r\nhost: localhost\r\n"
            "accept: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        self._heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.socket.close()

    def send(self, body):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(body), body))

    def acknowledged(self, least=0):
        """Turns that are safe by the last line heard, once there are that many."""
        while True:
            counts = [
                json.loads(one)["read"] for one in self._heard.splitlines() if one[:1] == b"{" and one[-1:] == b"}"
            ]
            if max(counts, default=0) >= least:
                return max(counts, default=0)
            piece = self.socket.recv(65536)
            assert piece, self._heard
            self._heard += piece

    def rest(self):
        """All that is still said."""
        while piece := self.socket.recv(65536):
            self._heard += piece
        return self._heard


def test_a_torn_upload_keeps_what_was_acknowledged(open_server, client, scope):
    """And goes on where it is sent again."""
    with Wire(open_server, scope) as wire:
        wire.send(lines(3000))
        safe = wire.acknowledged(least=1000)
    time.sleep(0.3)
    assert client.get("/v1/stats", params={"scope": scope}).json()["turns"] >= safe
    told = client.post("/v1/import", params={"scope": scope}, content=lines(3000)).json()
    assert told["known"] >= safe and told["added"] + told["known"] == 3000


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 3, 7])
def test_a_killed_server_has_all_that_it_acknowledged(tmp_path, batches):
    """kill -9 in the middle: every line it counted is in the file, word for word."""
    place = tmp_path / "m.mem"
    with running(place) as server, Wire(server, "a") as wire:
        for start in range(0, 10_000, 1000):
            wire.send(b"".join(map(line, range(start, start + 1000))))
        safe = wire.acknowledged(least=batches * BATCH_TURNS)
        server.stop(signal.SIGKILL)
    with Memory(place, scope="a", read_only=False) as memory:
        texts = [turn.text for turn in memory.turns()]
        assert memory.check().ok
    assert safe <= len(texts) < 10_000
    assert texts == [json.loads(line(number))["text"] for number in range(len(texts))]


@pytest.mark.slow
def test_a_stop_ends_an_import_between_two_batches(tmp_path):
    """What was read is on disk, the client is told how much, and the exit code is 0."""
    with running(tmp_path / "m.mem") as server, Wire(server, "a") as wire:
        wire.send(lines(1500))
        wire.acknowledged(least=1000)
        server.process.send_signal(signal.SIGTERM)
        last = json.loads([one for one in wire.rest().splitlines() if one[:1] == b"{"][-1])
        assert (last["problem"]["status"], server.process.wait(timeout=30)) == (503, 0)
    with Memory(tmp_path / "m.mem", scope="a", read_only=True) as memory:
        assert memory.stats().turns == last["problem"]["imported"]["read"] >= 1000


def test_an_empty_import_and_a_bare_export(client, scope):
    """Nothing is nothing."""
    assert client.post("/v1/import", params={"scope": scope}, content=b"").json()["read"] == 0
    assert client.get("/v1/export", params={"scope": scope}).content == b""
