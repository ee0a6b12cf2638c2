"""AsyncMemory: the calls of Memory as coroutines. Each runs the one body there is, in a thread."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from inspect import signature
from itertools import islice
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from memspan.core.errors import ClosedStore
from memspan.text.memory import Memory

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")

THREADS = 4
_BATCH = 100  # turns fetched by one trip into a thread


def _taking(
    _like: Callable[Concatenate[Memory, _Given], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate["AsyncMemory", _Given], None]]:
    """Gives a function the parameters of another."""
    return wraps(_like)


def _awaited(
    verb: Callable[Concatenate[Memory, _Given], _Found],
) -> Callable[Concatenate["AsyncMemory", _Given], Coroutine[Any, Any, _Found]]:
    """The verb as a coroutine with the same parameters."""

    @wraps(verb)
    async def call(self: "AsyncMemory", /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        return await self._in_thread(lambda: verb(self._opened(), *args, **kwargs))

    call.__qualname__ = f"AsyncMemory.{call.__name__}"  # said where a call was never awaited
    return call


def _streamed(
    verb: Callable[Concatenate[Memory, _Given], Iterator[_Found]],
) -> Callable[Concatenate["AsyncMemory", _Given], AsyncIterator[_Found]]:
    """The verb as an asynchronous iterator with the same parameters."""

    @wraps(verb)
    async def walk(self: "AsyncMemory", /, *args: _Given.args, **kwargs: _Given.kwargs) -> AsyncIterator[_Found]:
        found = await self._in_thread(lambda: verb(self._opened(), *args, **kwargs))
        while batch := await self._in_thread(lambda: list(islice(found, _BATCH))):
            for one in batch:
                yield one

    return walk


class AsyncMemory:
    """A memory for asyncio: the parameters and calls of Memory, each call a coroutine; turns() is iterated.

    The file is opened by `async with`, or by the first call: what opening raises is raised there.
    At most four calls run at a time, in threads of this memory; the others wait their turn.
    Callbacks (progress, judge, clock, count_tokens) are called in those threads, with the caller's context variables.

    A call that is cancelled ends at once for whoever awaits it. If it had not begun, it never begins; if it had, it is
    finished in its thread, whole, as without the cancellation. close() waits for what has begun and for what waits.

    >>> import asyncio, tempfile
    >>> async def main(place):
    ...     async with AsyncMemory(place, scope="alice") as memory:
    ...         await memory.remember("I moved to Lisbon.", speaker="Alice")
    ...         return len(await memory.recall("Where does Alice live?"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     asyncio.run(main(f"{folder}/alice.mem"))
    1
    """

    @_taking(Memory.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._open: Callable[[], Memory] = partial(Memory, *args, **kwargs)
        self._place = str(next(iter(signature(Memory).bind(*args, **kwargs).arguments.values())))
        self._memory: Memory | None = None
        self._closed, self._lock = False, threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="memspan")

    def _opened(self) -> Memory:
        with self._lock:
            if self._memory is None:
                self._memory = self._open()
            return self._memory

    async def _in_thread(self, call: Callable[[], _Found]) -> _Found:
        if self._closed:
            raise ClosedStore(self._place, "was closed; open it again")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: context.run(call))

    async def __aenter__(self) -> "AsyncMemory":
        await self._in_thread(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Async{self._memory}>" if self._memory else f"<AsyncMemory({self._place!r}), not open>"

    async def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown()
        if self._memory is not None:
            self._memory.close()

    # writing, in the order of Memory and Life
    remember = _awaited(Memory.remember)
    apply = _awaited(Memory.apply)
    correct = _awaited(Memory.correct)
    pin = _awaited(Memory.pin)
    hold = _awaited(Memory.hold)
    release = _awaited(Memory.release)
    expire = _awaited(Memory.expire)
    archive = _awaited(Memory.archive)
    restore = _awaited(Memory.restore)
    used = _awaited(Memory.used)
    set_capacity = _awaited(Memory.set_capacity)
    reflect = _awaited(Memory.reflect)
    undo = _awaited(Memory.undo)
    branch = _awaited(Memory.branch)
    merge = _awaited(Memory.merge)
    forget = _awaited(Memory.forget)
    # reading
    recall = _awaited(Memory.recall)
    brief = _awaited(Memory.brief)
    get = _awaited(Memory.get)
    item = _awaited(Memory.item)
    turns = _streamed(Memory.turns)
    records = _awaited(Memory.records)
    links = _awaited(Memory.links)
    sessions = _awaited(Memory.sessions)
    stats = _awaited(Memory.stats)
    export = _awaited(Memory.export)
    due = _awaited(Memory.due)
    changes = _awaited(Memory.changes)
    history = _awaited(Memory.history)
    receipts = _awaited(Memory.receipts)
    # care
    check = _awaited(Memory.check)
    rebuild = _awaited(Memory.rebuild)
    reembed = _awaited(Memory.reembed)
