"""HTTP/1.1 spoken as lean as it goes, so that the one who measures takes little of the processor.

One thread drives all connections; each has a script that says what to send next and hears what came back.
"""

import json
import selectors
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from memspan.core.errors import PeerFailed

HOST = "127.0.0.1"
PATIENCE_S = 60.0
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. status: 0 where the connection broke;  seconds: from the first byte sent to the last received"""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:  # Any: what JSON can hold
        """The body, read."""
        return json.loads(self.body)


class Script(Protocol):
    """One client. `ask`: the next request, None = it has enough;  `hear`: the reply to the last one"""

    def ask(self) -> bytes | None: ...

    def hear(self, reply: Reply) -> None: ...


def request(method: str, path: str, scope: str, body: Mapping[str, Any] | None = None, **query: object) -> bytes:
    """A request as it goes over the wire.

    path: its parts are quoted here;  query: beside the scope

    >>> request("GET", "/v1/stats", "a b").split(b"\\r\\n")[0]
    b'GET /v1/stats?scope=a+b HTTP/1.1'
    """
    asked = urlencode({"scope": scope, **query})
    head = f"{method} {quote(path)}?{asked} HTTP/1.1\r\nHost: {HOST}\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    sent = json.dumps(body, ensure_ascii=False).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent


class Connection:
    """One kept-alive connection that sends a request and reads its reply. link: the socket, None where it is closed"""

    def __init__(self, port: int) -> None:
        self.port = port
        self.link: socket.socket | None = None
        self._got, self._body, self._need, self._began = bytearray(), 0, 0, 0.0

    def send(self, sent: bytes) -> None:
        """Send one request, whole; connects where that is not done yet."""
        self._got, self._body, self._need = bytearray(), 0, 0
        self._began = perf_counter()
        try:
            if self.link is None:
                self.link = socket.create_connection((HOST, self.port), PATIENCE_S)
                self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.link.sendall(sent)
        except OSError:
            self.close()  # `take` says so

    def take(self) -> Reply | None:
        """What arrived, as the reply when it is whole; None = more is to come."""
        try:
            piece = self.link.recv(_CHUNK) if self.link else b""
        except OSError:
            piece = b""
        if not piece:
            self.close()
            return Reply(0, bytes(self._got), perf_counter() - self._began)
        self._got += piece
        if not self._body and (end := self._got.find(b"\r\n\r\n") + 4) > 3:
            self._body, self._need = end, end + _length(bytes(self._got[:end]))
        if not self._body or len(self._got) < self._need:
            return None
        took = perf_counter() - self._began
        return Reply(int(self._got[9:12]), bytes(self._got[self._body : self._need]), took)

    def call(self, sent: bytes) -> Reply:
        """Send and wait."""
        self.send(sent)
        while (reply := self.take()) is None:
            pass
        return reply

    def close(self) -> None:
        """Let go; the next `send` connects again."""
        if self.link is not None:
            self.link.close()
            self.link = None


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def drive(port: int, scripts: Sequence[Script]) -> None:
    """Run all scripts at once, a connection each, until none asks for more.

    Raises PeerFailed where for a minute nothing comes back at all.
    """
    idle = deque((Connection(port), script) for script in scripts)
    with selectors.DefaultSelector() as waiting:
        while idle or waiting.get_map():
            while idle:
                _begin(*idle.popleft(), waiting, idle)
            if not waiting.get_map():
                return
            heard = waiting.select(PATIENCE_S)
            if not heard:
                raise PeerFailed("the server", f"sent nothing for {PATIENCE_S:g} s", late=True)
            for key, _ in heard:
                connection, script = key.data
                if (reply := connection.take()) is not None:
                    waiting.unregister(key.fileobj)
                    script.hear(reply)
                    idle.append((connection, script))


def _begin(
    connection: Connection, script: Script, waiting: selectors.BaseSelector, idle: deque[tuple[Connection, Script]]
) -> None:
    """Send the script's next request, if it has one."""
    if (sent := script.ask()) is None:
        connection.close()
        return
    connection.send(sent)
    if connection.link is None:
        script.hear(Reply(0, b"", 0.0))
        idle.append((connection, script))
    else:
        waiting.register(connection.link, selectors.EVENT_READ, (connection, script))
