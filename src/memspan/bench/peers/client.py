"""A peer as a system: requests go to a process of its own, replies come back or it fails, in bounded time.

One process serves the cases of a peer one after the other, for its start takes seconds; another peer ends it. The
peer ranks; our packing rule packs, as for the baselines. Clocks see the pipe too, about 0.2 ms a call.
"""

import json
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from time import perf_counter
from typing import Any

from memspan.bench import vectors
from memspan.bench.cases import Ask
from memspan.bench.peers import serve
from memspan.bench.peers.environments import default_root, look, python_of
from memspan.bench.peers.groups import end
from memspan.bench.peers.pins import Pin, pin
from memspan.bench.systems import Kind, Packed
from memspan.bench.systems._ranked import fill, keyed
from memspan.core.errors import MissingExtra, PeerFailed
from memspan.core.records import Turn
from memspan.core.tokens import estimate

LEVEL = 100
"""A peer is asked for this many turns, or a multiple where more are wanted; what is cut from it is one search."""
TOKENS_A_TURN = 10
"""So 100 turns fill a context of 1,000 tokens, the one that is timed: few turns cost less than that."""
BATCH = 64
"""Turns of one request, so that the limit of a call does not depend on the size of a case."""
LONGEST_LINE = 1 << 26
START_S = 300.0
"""For a start with nothing compiled yet, on a slow disk."""

# nothing is told to anybody, one thread does the work, and nothing of the user's environment comes in
_QUIET = (
    "MEM0_TELEMETRY=False ANONYMIZED_TELEMETRY=False LANGCHAIN_TRACING_V2=false LANGSMITH_TRACING=false DO_NOT_TRACK=1 "
    "HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false "
    "OPENAI_API_KEY=unused OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may take. call_s: for one request [s];  case_s: for all requests of one case [s]"""

    call_s: float = 60.0
    case_s: float = 600.0


def environment(home: Path) -> dict[str, str]:
    """The environment a peer's process sees: silence, one thread, and a home folder of its own."""
    here = {name: str(home) for name in ("HOME", "TMPDIR", "MEM0_DIR", "XDG_CACHE_HOME")}
    return here | dict(entry.split("=") for entry in _QUIET.split())


class Child:
    """A process that answers one JSON line with another.

    peer: its name in errors;  command: what to run
    """

    def __init__(self, peer: str, command: Sequence[str]) -> None:
        self.peer, self.alive = peer, True
        self._home = TemporaryDirectory(prefix="memspan-peer-", ignore_cleanup_errors=True)
        self._said = TemporaryFile()  # noqa: SIM115 (closed with the child)
        self._process = subprocess.Popen(  # noqa: S603 (an adapter of ours, by the Python that was installed for it)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=self._home.name,
            env=environment(Path(self._home.name)),
            start_new_session=True,
        )
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._replies: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        """Write and read away from the caller, who could not be woken from a full or silent pipe."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None and answers is not None
        while (request := self._requests.get()) is not None:
            try:
                asks.write(request)
                asks.flush()
                self._replies.put(answers.readline(LONGEST_LINE))
            except OSError:  # it died, or was killed
                self._replies.put(b"")
        for pipe in (asks, answers):
            with suppress(OSError):  # what was not read by anybody any more
                pipe.close()

    def ask(self, request: Mapping[str, Any], limit_s: float) -> Any:
        """Its reply. Raises PeerFailed where there is none in time, or none that can be read; then it is ended."""
        if not self.alive:
            raise PeerFailed(self.peer, "its process is gone")
        self._requests.put(json.dumps(request).encode() + b"\n")
        try:
            line = self._replies.get(timeout=max(limit_s, 0.001))
        except Empty:
            self.kill()
            raise PeerFailed(self.peer, f"no reply to {request['op']} within {limit_s:.1f} s", late=True) from None
        try:
            return json.loads(line)["reply"]
        except (ValueError, KeyError, TypeError):
            why = self._last_words() if not line else f"garbage instead of a reply: {line[:80]!r}"
            self.kill()
            raise PeerFailed(self.peer, f"{request['op']}: {why}") from None

    def _last_words(self) -> str:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return f"ended with {code}: {lines[-1][:300] if lines else 'without a word'}"

    def kill(self) -> None:
        """End the process and all it started; twice is fine."""
        if not self.alive:
            return
        self.alive = False
        end(self._process)
        self._requests.put(None)
        self._said.close()
        self._home.cleanup()


_root: list[Path] = []
_limits: list[Limits] = []
_running: dict[str, Child] = {}


def use(root: Path | None = None, limits: Limits | None = None) -> None:
    """Say where the environments lie and how long peers may take, for this process. None = the default of each"""
    _root[:] = [root or default_root()]
    _limits[:] = [limits or Limits()]


def stop() -> None:
    """End the peer that runs in this process's service; it also ends by itself when this process does."""
    while _running:
        _running.popitem()[1].kill()


def command(peer: Pin, folder: Path) -> list[str]:
    """What starts the peer from its environment."""
    names = [package.partition("==")[0] for package in peer.packages]
    return [str(python_of(folder)), "-I", str(serve.__file__), str(peer.adapter), *names]


def try_out(peer: Pin, folder: Path) -> dict[str, str]:
    """Start it once and open a store; the versions that run. Raises PeerFailed where it cannot."""
    child = Child(peer.name, command(peer, folder))
    try:
        with TemporaryDirectory(prefix="memspan-peer-") as store:
            opened: dict[str, str] = child.ask({"op": "open", "folder": store}, START_S)
            child.ask({"op": "close"}, START_S)
            return opened
    finally:
        child.kill()


def _child(name: str) -> Child:
    """The process of that peer, started where it does not run. Raises MissingExtra where it is not installed."""
    child = _running.get(name)
    if child is not None and child.alive:
        return child
    found = look(pin(name), _root[0] if _root else default_root())
    if found.why:
        raise MissingExtra("peers", f"{name}: {found.why}", f"memspan bench peers --install --only {name}")
    stop()
    _running[name] = Child(name, command(found.pin, found.folder))
    return _running[name]


class Peer:
    """Another system. A file of bench/systems says its name.

    Raises MissingExtra where it is not installed, PeerFailed from any method but close where it crashes, says what
    nobody understands, or takes longer than the limits.
    """

    kind: Kind = "peer"
    vectors = True
    name = ""
    title = ""

    def __init__(self, folder: Path) -> None:
        self._limits = _limits[0] if _limits else Limits()
        self._left = self._limits.case_s
        self._costs: dict[str, int] = {}
        self._asked: Ask | None = None
        self._found: dict[int, list[str]] = {}
        self._child = _child(self.name)
        self._versions: dict[str, str] = self._ask("open", folder=str(folder))

    def remember(self, turns: Sequence[Turn]) -> None:
        """64 turns a request."""
        self._asked = None
        for start in range(0, len(turns), BATCH):
            some = turns[start : start + BATCH]
            texts = [keyed(turn) for turn in some]
            self._costs |= {turn.id: estimate(text) for turn, text in zip(some, texts, strict=True)}
            self._ask("remember", texts, ids=[turn.id for turn in some])

    def recall(self, ask: Ask, k: int) -> list[str]:
        """Its ranking."""
        return self._ranked(ask, k)[:k]

    def pack(self, ask: Ask, tokens: int) -> Packed:
        """Its ranking, packed by our rule."""
        return fill(((one, self._costs[one]) for one in self._ranked(ask, tokens // TOKENS_A_TURN)), tokens)

    def elsewhere(self, ask: Ask) -> list[str]:
        """In another scope of the same store, where it has scopes."""
        return list(self._ask("elsewhere", [ask.text]))

    def bytes_on_disk(self) -> int:
        """The files of its store; one that is saved by a call of its own is saved now."""
        return int(self._ask("bytes"))

    def peak_rss(self) -> int:
        """Most memory its process ever held, in any case so far [bytes]; 0 where the system does not say."""
        return int(self._ask("rss"))

    def versions(self) -> dict[str, str]:
        """Packages that really run."""
        return dict(self._versions)

    def close(self) -> None:
        """Let go of the store; the process stays for the next case unless it fails at this."""
        if self._child.alive:
            with suppress(PeerFailed):
                self._ask("close")

    def _ranked(self, ask: Ask, k: int) -> list[str]:
        """At least k ids, where it finds so many; asked once for each level."""
        if ask != self._asked:
            self._asked, self._found = ask, {}
        level = LEVEL * max(1, ceil(k / LEVEL))
        if level not in self._found:
            found = list(dict.fromkeys(self._ask("recall", [ask.text], k=level)))
            if strange := [one for one in found if one not in self._costs]:
                raise PeerFailed(self.name, f"found {strange[0]!r}, which it was never given")
            self._found[level] = found
        return self._found[level]

    def _ask(self, op: str, texts: Sequence[str] | None = None, **more: Any) -> Any:  # Any: what JSON can hold
        request = {"op": op, **more}
        if texts is not None:
            rows = vectors.shared().of(texts).astype("<f4").tobytes()
            request |= {"texts": list(texts), "vectors": b64encode(rows).decode()}
        limit = min(self._limits.call_s, self._left)
        start = perf_counter()
        try:
            return self._child.ask(request, limit)
        finally:
            self._left -= perf_counter() - start
