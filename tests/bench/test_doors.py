"""The doors measured from outside: the small parts by hand, and a run on servers of ours."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest

from memspan.bench.doors import peers
from memspan.bench.doors.ledger import Ledger
from memspan.bench.doors.measure import DoorsPlan, goals, markdown, measure
from memspan.bench.doors.processes import Server, free_port
from memspan.bench.doors.soak import growth, residue
from memspan.bench.doors.wire import Connection, Reply, drive, request
from memspan.bench.speech import conversations
from memspan.core.errors import PeerFailed, UsageError

# -- the wire


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if body == b'{"n": "hang up"}':
            self.close_connection = True
            return
        answer = body * 20_000 if body == b'{"n": "long"}' else body
        self.send_response(201 if self.path.startswith("/made") else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""


class Echoing(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them, so that no socket is left


@pytest.fixture
def port():
    with Echoing(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_request_is_sent_and_its_reply_read(port):
    """Status and body, also one that comes in many pieces; a dropped connection is status 0 and is made anew."""
    connection = Connection(port)
    assert connection.call(request("POST", "/made", "a b", {"n": "ü"})).json() == {"n": "ü"}
    assert connection.call(request("POST", "/made", "a", {})).status == 201
    assert len(connection.call(request("POST", "/", "a", {"n": "long"})).body) == 13 * 20_000
    assert connection.call(request("POST", "/", "a", {"n": "hang up"})).status == 0
    assert connection.call(request("POST", "/", "a", {"n": 1})).status == 200
    connection.close()


def test_nobody_at_the_port_is_no_reply():
    assert Connection(free_port()).call(b"GET / HTTP/1.1\r\n\r\n").status == 0


class Counting:
    def __init__(self, count):
        self.left, self.heard = count, []

    def ask(self):
        if not self.left:
            return None
        self.left -= 1
        return request("POST", "/", "a", {"n": self.left})

    def hear(self, reply: Reply):
        self.heard.append(reply.json()["n"])


def test_scripts_run_at_once_each_in_its_order(port):
    """Every client hears its own replies, one after the other."""
    scripts = [Counting(count) for count in (5, 0, 9)]
    drive(port, scripts)
    assert [script.heard for script in scripts] == [[4, 3, 2, 1, 0], [], [8, 7, 6, 5, 4, 3, 2, 1, 0]]


def test_a_server_that_does_not_start_says_why(tmp_path):
    """The last line it wrote is in the error."""
    with Server("memspan serve", ["serve", "--no-such-option"]) as server, pytest.raises(PeerFailed, match="no-such"):
        server.await_port(free_port())


# -- the notes of a soak


def test_notes_are_known_again(tmp_path):
    """What was told lives with its versions, what was forgotten is gone with all of them, the rest is unsure."""
    path = tmp_path / "notes.jsonl"
    ledger = Ledger(path)
    for line in (
        ("send", 8), ("told", 8, "a", "zq8v0zq"), ("send", 8), ("told", 8, "b", "zq8v1zq"),
        ("send", 9), ("told", 9, "c", "zq9v0zq"), ("send", 8), ("gone", 8), ("send", 10), ("at", 5, 1, 2.5, 1000),
    ):  # fmt: skip
        ledger.note(*line)
    ledger.close()
    with path.open("a") as file:
        file.write('["told", 10, "cut')
    again = Ledger(path)
    again.close()
    assert again.gone == {"zq8v0zq": 0, "zq8v1zq": 0}
    assert (again.gone_ids, again.unsure, again.highest) == ({"a", "b"}, {10}, 10)
    assert {number: item.ids for number, item in again.living.items()} == {9: ["c"]}
    assert (again.done, again.failed, again.seconds, again.rss) == (5, 1, 2.5, [[(5, 1000)], []])


def test_residue_is_found(tmp_path):
    """A forgotten word in the bytes of the file or its log counts; a living one, and the notes, do not."""
    notes, place = tmp_path / "soak.jsonl", tmp_path / "soak.mem"
    ledger = Ledger(notes)
    for number in (1, 2, 3):
        ledger.note("told", number, f"id{number}", f"zq{number}v0zq")
    ledger.note("gone", 1, 2)
    ledger.close()
    place.write_bytes(b"\0 zq3v0zq \0 zq2v0zq \0")
    assert residue(notes, place) == 1
    (tmp_path / "soak.mem-wal").write_bytes(b"zq1v0zq")
    assert residue(notes, place) == 2


def test_growth_is_after_the_warm_up():
    """The start does not count; a steady rise does."""
    steady = [(n, 50 if n < 20 else 100) for n in range(100)]
    assert growth(steady)["rss_growth"] == 0
    rising = [(n, 1000 + n) for n in range(100)]
    assert growth(rising)["rss_growth"] == pytest.approx(60 / 1029.5, abs=1e-3)
    assert growth(rising[:3])["rss_growth"] is None


# -- a run


def test_a_part_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="grpc"):
        measure(DoorsPlan(parts=["grpc"]), ["memspan"], lambda _: None)


def test_peers_that_do_not_run_say_so():
    """A sentence each; a port where nobody listens is an error, no figure."""
    assert all("not measured" in why for why in peers.measured(None, [], []).values())
    with pytest.raises(PeerFailed, match="hindsight"):
        peers.measured(free_port(), list(islice(conversations(1), 5)), ["Why?"])


@pytest.mark.slow
def test_a_small_run_reaches_every_part(tmp_path):
    """Figures of each part, nothing wrong in the soak; stopped and called again, it goes on where it was."""
    pytest.importorskip("fastapi")
    pytest.importorskip("mcp")
    heard = []
    plan = {"records": 300, "asked": 40, "clients": 8, "seconds": 0.5, "workers": 2, "folder": tmp_path}
    result = measure(DoorsPlan(**plan, soak=1500), ["memspan", "bench", "doors"], heard.append)
    assert result["rest"]["recalls"] == 40
    assert result["clients"]["errors"] == 0 < result["clients"]["recalls"]
    assert result["mcp"]["mcp_ms_p50"] > 0
    assert {"mem0", "hindsight"} <= result["peers"].keys()
    soaked = result["soak"]
    assert (soaked["requests"], soaked["turns_before"], soaked["exit_code"]) == (1500, 300, 0)
    assert soaked["acknowledged_living"] > 20 < soaked["forgotten"]
    assert next(one for one in goals(result) if one["what"].startswith("soak: wrong"))["measured"] == 0, soaked
    assert json.loads(json.dumps(result))["goals"] and "## soak" in markdown(result)
    more = measure(DoorsPlan(**plan, soak=1600, parts=["soak"]), ["memspan"], heard.append)["soak"]
    assert (more["requests"], more["servers"], more["turns_before"], more["acknowledged_lost"]) == (1600, 2, 300, 0)
