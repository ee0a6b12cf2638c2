"""How much one caller gets: calls a second, bytes of a body, and time to send them."""

import asyncio
import threading
from collections import OrderedDict
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

MOST_CALLERS = 10_000
BURST_S = 2.0
LOOK_S = 0.25
STOPPING = threading.Event()  # set when this process was told to stop


class Rates:
    """A bucket of tokens for each caller. rate: calls a second, 0 = any number

    >>> rates = Rates(1.0)
    >>> [rates.wait("alice", at=0.0) for _ in range(3)], rates.wait("bob", at=0.0)
    ([0.0, 0.0, 1.0], 0.0)
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str, at: float | None = None) -> float:
        """0 where the call may be made, else after how long to come again [s]. at: now, by a clock of its own"""
        if not self.rate:
            return 0.0
        moment = monotonic() if at is None else at
        most = max(1.0, self.rate * BURST_S)
        left, before = self._left.get(caller, (most, moment))
        left = min(most, left + (moment - before) * self.rate)
        allowed = left >= 1
        self._left[caller] = (left - 1 if allowed else left, moment)
        self._left.move_to_end(caller)
        if len(self._left) > MOST_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self.rate


class Intake:
    """What `receive` gives, but for a body that is too large or too slow.

    most: bytes that may come;  wait_s: until all of it is there, or, where it `flows`, until there is more [s]
    Raises HTTPException out of a call: 413, 408, or 503 where the server is to stop in the middle of what flows.
    """

    def __init__(self, receive: Receive, most: int, wait_s: float, *, flows: bool) -> None:
        self._receive, self._most, self._wait_s, self._flows = receive, most, wait_s, flows
        self._taken, self._more = 0, True
        self._until = monotonic() + wait_s

    async def __call__(self) -> Message:
        if not self._more:
            return await self._receive()
        message = await self._next()
        self._taken += len(message.get("body", b""))
        self._more = bool(message.get("more_body", False))
        if self._taken > self._most:
            raise HTTPException(413, too_large(self._most))
        return message

    async def _next(self) -> Message:
        until = monotonic() + self._wait_s if self._flows else self._until
        while (left := until - monotonic()) > 0:
            if self._flows and STOPPING.is_set():
                raise HTTPException(503, "the server is stopping; send the rest again", {"retry-after": "1"})
            try:
                async with asyncio.timeout(min(left, LOOK_S) if self._flows else left):
                    return await self._receive()
            except TimeoutError:
                continue
        raise HTTPException(408, f"no more of the body came within {self._wait_s:g} s")


def too_large(most: int) -> str:
    """What is said of a body that is."""
    return f"the body has more than {most:,} bytes; send less at once, or stream it to /v1/import"
