"""What runs in a peer's own process: requests as JSON lines on stdin, replies on stdout. Standard library only.

    python -I serve.py ADAPTER.py

An adapter ends with PEER, a class made with (folder, embed), whose methods are the operations below. A fault is not
caught: the traceback goes to stderr, the process ends, and whoever asked sees both.
"""

import json
import os
import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

Request = dict[str, Any]  # Any: what JSON can hold
Embed = Callable[[list[str]], list[list[float]]]
AT_HOME = {"127.0.0.1", "::1", "localhost"}
_ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
_NAME = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0}
"""Events of Python's audit that lead out of the machine, and which argument says where to."""


def stay_home(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse every way out to the network, so that nothing is fetched and nobody is told."""
    if event in _NAME:
        host = arguments[_NAME[event]]
    elif event in _ADDRESS and isinstance(arguments[_ADDRESS[event]], tuple):  # others are no network
        host = arguments[_ADDRESS[event]][0]
    else:
        return
    if host is not None and (host.decode() if isinstance(host, bytes) else host) not in AT_HOME:
        raise ConnectionRefusedError(f"a peer is measured offline and may not call {host!r}")


class Vectors:
    """The vectors that came with a request, as the embedding function a peer is given."""

    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = {}

    def put(self, texts: list[str], packed: str) -> None:
        """Keep these texts only. packed: float32, one row a text, little-endian, in base64"""
        numbers = array("f", b64decode(packed))
        if sys.byteorder == "big":
            numbers.byteswap()
        dim = len(numbers) // max(len(texts), 1)
        rows = numbers.tolist()
        # peers strip what they embed
        self._rows = {text.strip(): rows[at * dim : (at + 1) * dim] for at, text in enumerate(texts)}

    def embed(self, texts: list[str]) -> list[list[float]]:
        """One row a text. KeyError where a peer embeds what it was not given."""
        return [self._rows[text.strip()] for text in texts]


class Server:
    """One peer, one store at a time."""

    def __init__(self, make: Any, packages: list[str]) -> None:  # Any: an adapter's class
        self._make, self._packages, self._vectors = make, packages, Vectors()
        self._peer: Any = None
        self._folder = Path()

    def answer(self, request: Request) -> Any:
        """What one request is answered with."""
        if "vectors" in request:
            self._vectors.put(request["texts"], request["vectors"])
        operation: Callable[[Request], Any] = getattr(self, f"do_{request['op']}")
        return operation(request)

    def do_open(self, request: Request) -> dict[str, str]:
        """An empty store in that folder; versions of what runs."""
        self._folder = Path(request["folder"])
        self._peer = self._make(str(self._folder), self._vectors.embed)
        return {name: metadata.version(name) for name in self._packages}

    def do_remember(self, request: Request) -> int:
        """Put texts under ids; how many."""
        self._peer.remember(request["ids"], request["texts"])
        return len(request["ids"])

    def do_recall(self, request: Request) -> list[str]:
        """At most k ids, best first."""
        found: list[str] = self._peer.recall(request["texts"][0], request["k"])
        return found

    def do_elsewhere(self, request: Request) -> list[str]:
        """Ids found in another scope of the same store."""
        found: list[str] = self._peer.elsewhere(request["texts"][0])
        return found

    def do_bytes(self, request: Request) -> int:
        """Size of the files of the store, after it was saved where that is a call of its own."""
        if hasattr(self._peer, "save"):
            self._peer.save()
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())

    def do_rss(self, request: Request) -> int:
        """Most memory this process ever held [bytes], 0 where the system does not say.

        Not by getrusage, which counts what the parent held before this program began.
        """
        status = Path("/proc/self/status")
        if not status.exists():
            return 0
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])

    def do_call(self, request: Request) -> Any:
        """What a method gives that only this adapter has."""
        return getattr(self._peer, request["name"])(**request["given"])

    def do_close(self, request: Request) -> None:
        """Let go of the store."""
        self._peer.close()
        self._peer = None


def _requests() -> Iterator[Request]:
    for line in sys.stdin.buffer:
        yield json.loads(line)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, even where a peer is in the middle of something."""
    while os.getppid() == parent:
        sleep(1)
    os._exit(1)


def adapter(path: Path) -> Any:
    """The class a file offers as PEER."""
    spec = spec_from_file_location(f"adapter_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PEER


def main(path: str, *packages: str) -> None:
    """Serve until stdin ends. packages: whose versions are told"""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a peer prints must not stand among the replies
    sys.addaudithook(stay_home)
    Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    server = Server(adapter(Path(path)), list(packages))
    for request in _requests():
        replies.write(json.dumps({"reply": server.answer(request)}).encode() + b"\n")
        replies.flush()
    os._exit(0)  # peers leave threads behind


if __name__ == "__main__":
    main(*sys.argv[1:])
