"""The memories of one file, a scope each: what a server keeps open."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memspan.core.ids import check_scope

if TYPE_CHECKING:
    from memspan.text.memory import Memory

MOST_OPEN = 64


@dataclass(slots=True)
class _Open:
    memory: "Memory"
    users: int = 0


class Memories:
    """Opens a scope when it is first asked for and keeps it open.

    open: makes the memory of a scope;  most: open at most so many that nobody uses at the moment; the one unused
    longest is closed

    Safe to share between threads.
    """

    def __init__(self, open: Callable[[str], "Memory"], *, most: int = MOST_OPEN) -> None:
        self._open, self._most = open, most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Open] = OrderedDict()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._held)

    @contextmanager
    def of(self, scope: str) -> Iterator["Memory"]:
        """The memory of a scope, not closed before this ends. Raises BadScope, or what opening it raises."""
        held = self._take(check_scope(scope))
        try:
            yield held.memory
        finally:
            self._give_back(held)

    def _take(self, scope: str) -> _Open:
        with self._lock:
            if scope not in self._held:
                self._held[scope] = _Open(self._open(scope))
            self._held.move_to_end(scope)
            self._held[scope].users += 1
            return self._held[scope]

    def _give_back(self, held: _Open) -> None:
        with self._lock:
            held.users -= 1
            unused = [scope for scope, one in self._held.items() if not one.users]
            for scope in unused[: max(0, len(self._held) - self._most)]:
                self._held.pop(scope).memory.close()

    def close(self) -> None:
        """Close all of them; whoever still uses one gets ClosedStore."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].memory.close()
