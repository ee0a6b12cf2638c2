"""A stop: calls in flight are answered, nothing acknowledged is lost, and it is no failure."""

import signal
import socket
import threading
import time

import pytest
from tests.doors.rest.running import running

from memspan import Memory

CALLS = 50
# each write takes a while, so that the stop comes into the middle of all of them
SLOW = """
import time
from memspan.text.memory import Memory
inner = Memory.remember
def slow(self, what, **how):
    time.sleep(0.05)
    return inner(self, what, **how)
Memory.remember = slow
"""


def send(server, number):
    """A socket on which one remember was sent."""
    wire = socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)
    body = b'{"text": "Call %d."}' % number
    head = b"POST /v1/remember?scope=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    wire.sendall(head + b"content-length: %d\r\n\r\n%s" % (len(body), body))
    return wire


@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_calls_that_run_are_answered_before_it_stops(tmp_path, how):
    """Fifty that were sent, one while it stops already; each acknowledged turn is in the file."""
    place, heard = tmp_path / "m.mem", []
    with running(place, prelude=SLOW, rate=0) as server:
        wires = [send(server, number) for number in range(CALLS)]
        time.sleep(0.2)
        server.process.send_signal(how)

        def hear(wire):
            heard.append(wire.makefile("rb").readline())
            wire.close()

        threads = [threading.Thread(target=hear, args=(wire,)) for wire in wires]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.process.wait(timeout=60) == 0
        assert server.errors() == ""
    assert heard == [b"HTTP/1.1 201 Created\r\n"] * CALLS
    with Memory(place, scope="a", read_only=True) as memory:
        assert {turn.text for turn in memory.turns()} == {f"Call {number}." for number in range(CALLS)}


@pytest.mark.slow
def test_several_workers_stop_as_one(tmp_path):
    """Their children end too."""
    with running(tmp_path / "m.mem", workers=2, rate=0) as server:
        for number in range(20):
            wire = send(server, number)
            assert wire.makefile("rb").readline() == b"HTTP/1.1 201 Created\r\n"
            wire.close()
        assert server.stop() == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.settings.port), timeout=5)
