"""Ctrl-C between two writes, never in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Stopping:
    """While it is entered, Ctrl-C raises KeyboardInterrupt at once, but inside `held` only when that is done.

    So the number of turns that are safe is known exactly. A process that ignores Ctrl-C goes on ignoring it.
    """

    def __init__(self) -> None:
        self._holding = self._asked = False
        self._before: object = None

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before is not signal.SIG_IGN and before is not None:
                self._before = signal.signal(signal.SIGINT, self._caught)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]
            self._before = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """A write: Ctrl-C waits until it is done."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._asked:
            raise KeyboardInterrupt

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self._holding and not self._asked:
            self._asked = True
        else:
            raise KeyboardInterrupt
