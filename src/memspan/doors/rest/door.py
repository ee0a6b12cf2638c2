"""What a worker holds: the open memories, the keys, the requests that were answered."""

from pathlib import Path

from memspan.doors.memories import Memories
from memspan.doors.rest.keys import Keys
from memspan.doors.rest.settings import Settings
from memspan.doors.rest.state import State
from memspan.text.memory import Memory

PROBE = "memspan-ready"


class Door:
    """The parts behind the routes. settings: of the server;  secret: key of an encrypted memory"""

    def __init__(self, settings: Settings, secret: bytes | None = None) -> None:
        self.settings, self._secret = settings, secret
        self.state = State(settings.state_path)
        self.keys = Keys(self.state)
        self.memories = Memories(self._open)

    def _open(self, scope: str) -> Memory:
        return Memory(self.settings.place, scope=scope, setting=self.settings.setting, key=self._secret)

    def probe(self) -> None:
        """Read from the memory. Raises a StoreError where that cannot be done."""
        with self.memories.of(PROBE) as memory:
            next(memory.turns(limit=1), None)

    def close(self) -> None:
        """Let go of all files."""
        self.memories.close()
        self.state.close()


def secret_in(path: str | None) -> bytes | None:
    """The key that a file holds, without its line end."""
    return None if path is None else Path(path).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
