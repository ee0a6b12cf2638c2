"""What a worker holds: the open memories, the keys, the requests that were answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyio import CapacityLimiter

from memspan.core.clock import now
from memspan.doors.memories import Memories
from memspan.doors.rest.answers import Answers
from memspan.doors.rest.figures import Figures
from memspan.doors.rest.keys import Keys
from memspan.doors.rest.settings import Settings
from memspan.doors.rest.spans import Spans
from memspan.doors.rest.state import State
from memspan.text.memory import Memory

PROBE = "memspan-ready"
MOST_STREAMS = 16


class Door:
    """The parts behind the routes. settings: of the server;  secret: key of an encrypted memory"""

    clock = staticmethod(now)

    def __init__(self, settings: Settings, secret: bytes | None = None) -> None:
        self.settings, self._secret = settings, secret
        # one connection each: who waits for one of them never keeps a key from being looked up
        self._states = [State(settings.state_path) for _ in range(3)]
        self.keys, self.answers, self._items = Keys(self._states[0]), Answers(self._states[1]), self._states[2]
        self.memories = Memories(self._open)
        self._streams: CapacityLimiter | None = None
        self.spans, self.figures = Spans(), Figures(lambda: len(self.memories))

    def _open(self, scope: str) -> Memory:
        return Memory(self.settings.place, scope=scope, setting=self.settings.setting, key=self._secret)

    @contextmanager
    def alone_on_items(self) -> Iterator[None]:
        """Nobody else changes an item meanwhile, in no worker: what If-Match compared is what is changed."""
        with self._items.alone():
            yield

    def streams(self) -> CapacityLimiter:
        """Threads for uploads and exports: they wait for their clients, so they are none of those that answer calls."""
        if self._streams is None:
            self._streams = CapacityLimiter(MOST_STREAMS)
        return self._streams

    def probe(self) -> None:
        """Read from the memory. Raises a StoreError where that cannot be done."""
        with self.memories.of(PROBE) as memory:
            next(memory.turns(limit=1), None)

    def close(self) -> None:
        """Let go of all files."""
        self.memories.close()
        for state in self._states:
            state.close()


def secret_in(path: str | None) -> bytes | None:
    """The key that a file holds, without its line end."""
    return None if path is None else Path(path).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
