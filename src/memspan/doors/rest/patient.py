"""HTTP/1.1 as uvicorn speaks it, but for clients that take their time: before a call, and at the end."""

import asyncio
import socket
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from memspan.doors.rest.limits import STOPPING
from memspan.doors.rest.replies import PROBLEM, problem

HEAD_S = 15.0
LINGER_S = 0.3
MOST_CONNECTIONS = 400


class Patient(H11Protocol):
    """A connection.

    A head that does not come in time closes it (uvicorn waits for ever). At a stop it lingers a moment where nothing
    runs on it, so that a call which is on its way is answered instead of cut off.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first call."""
        # asyncio does it, but not where workers share a socket; the body of a reply would wait 40 ms behind its head
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once a call is there, wait for the rest of its head where it is not."""
        super().data_received(data)
        if self._busy():
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Let what is on its way come in, then close."""
        STOPPING.set()
        self.loop.call_later(LINGER_S, self._close)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets a problem too."""
        told = problem(400, msg)
        headers = [(b"content-type", PROBLEM.encode()), (b"connection", b"close")]
        body = cast(bytes, told.body)
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self._busy():
            self.transport.close()

    def _close(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
