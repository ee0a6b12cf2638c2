"""AsyncMemory: the same calls as Memory, with the same results and errors, and none of them in the way of another."""

import asyncio
import contextvars
import inspect
import threading
from dataclasses import fields, is_dataclass
from itertools import count
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan import AsyncMemory, Memory, Turn, load
from memspan.core.errors import BadScope, ClosedStore, MemspanError
from memspan.text.async_memory import THREADS

WAIT_S = 20
EMBEDDERS = [load("embed", "hashing")()]
PUBLIC = sorted(name for name in dir(Memory) if not name.startswith("_"))


@pytest.fixture
def place(tmp_path):
    return tmp_path / "m.mem"


def opened(place, **settings):
    return AsyncMemory(place, scope="a", embedders=EMBEDDERS, **settings)


# -- the same names


def test_every_public_name_of_memory_is_there_and_no_other():
    """What Memory learns, AsyncMemory has to learn."""
    assert sorted(name for name in dir(AsyncMemory) if not name.startswith("_")) == PUBLIC
    assert len(PUBLIC) > 30


@pytest.mark.parametrize("name", [*PUBLIC, "__init__"])
def test_a_call_is_that_of_memory(name):
    """Same parameters, defaults and docstring; and it runs the method of that name."""
    ours, theirs = getattr(AsyncMemory, name), getattr(Memory, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__doc__ == theirs.__doc__
    if name not in ("close", "__init__"):
        assert ours.__wrapped__ is theirs
        assert inspect.isasyncgenfunction(ours) if name == "turns" else inspect.iscoroutinefunction(ours)


def test_what_memory_would_not_take_is_refused_at_once(place):
    """A scope left out is a TypeError before anything is opened."""
    with pytest.raises(TypeError, match="scope"):
        AsyncMemory(place)
    assert not place.exists()


# -- the same results and errors

TEXTS = ["I live in Oslo.", "I live in Rome now.", "Tea is good.", "Remind me to call Ann on Friday.", "", "nul \0"]
NTH = st.integers(0, 6)
OPERATIONS = st.one_of(
    st.tuples(st.just("remember"), st.sampled_from(TEXTS), st.fixed_dictionaries({"session": st.sampled_from("xy")})),
    st.tuples(st.just("recall"), st.sampled_from(["Where do I live?", "tea"]), st.fixed_dictionaries({})),
    st.tuples(st.sampled_from(["correct"]), NTH, st.fixed_dictionaries({"text": st.sampled_from(TEXTS)})),
    st.tuples(
        st.sampled_from(["pin", "hold", "release", "archive", "restore", "forget", "get", "item", "history"]),
        NTH,
        st.fixed_dictionaries({}),
    ),
    st.tuples(st.just("expire"), NTH, st.fixed_dictionaries({"at": st.sampled_from([None, 1005.0, "soon"])})),
    st.tuples(st.just("forget"), st.none(), st.sampled_from([{}, {"session": "x"}, {"everything": True}])),
    st.tuples(
        st.sampled_from(["undo", "reflect", "due", "changes", "receipts", "records", "links", "sessions", "turns"]),
        st.none(),
        st.fixed_dictionaries({}),
    ),
)


def plain(result):
    """A result without what differs between two files: keys, digests, sizes and times of the run."""
    if is_dataclass(result) and not isinstance(result, type):
        left_out = ("cost", "context", "digest", "bytes")
        told = {one.name: getattr(result, one.name) for one in fields(result) if one.name not in left_out}
        return type(result).__name__, {name: plain(value) for name, value in told.items()}
    return [plain(one) for one in result] if isinstance(result, list | tuple) else result


def failed(error, folder):
    return type(error), str(error).replace(folder, "")


def arguments(first, ids):
    return () if first is None else (first if isinstance(first, str) else (ids[first] if first < len(ids) else "none"),)


def in_line(operations, folder):
    ticks, ids, told = count(1000), [], []
    with Memory(f"{folder}/m.mem", scope="a", embedders=EMBEDDERS, clock=lambda: float(next(ticks))) as memory:
        for verb, first, named in operations:
            try:
                result = getattr(memory, verb)(*arguments(first, ids), **named)
                result = list(result) if verb == "turns" else result
                ids += result.ids if verb == "remember" else ()
                told.append(plain(result))
            except MemspanError as error:
                told.append(failed(error, folder))
    return told


async def awaited(operations, folder):
    ticks, ids, told = count(1000), [], []
    async with opened(f"{folder}/m.mem", clock=lambda: float(next(ticks))) as memory:
        for verb, first, named in operations:
            try:
                result = getattr(memory, verb)(*arguments(first, ids), **named)
                result = [turn async for turn in result] if verb == "turns" else await result
                ids += result.ids if verb == "remember" else ()
                told.append(plain(result))
            except MemspanError as error:
                told.append(failed(error, folder))
    return told


@settings(max_examples=15)
@given(operations=st.lists(OPERATIONS, min_size=3, max_size=12))
def test_the_same_operations_give_the_same_results_and_errors(operations):
    """Any calls in any order, against Memory itself."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert asyncio.run(awaited(operations, one)) == in_line(operations, other)


# -- side by side


def test_two_tasks_make_progress_at_once(tmp_path):
    """Each recall waits inside for the other one: run one after the other, neither would end."""
    met = threading.Barrier(2)

    def meeting(text):
        if not met.broken and text.endswith("met"):
            met.wait(WAIT_S)
        return len(text)

    async def main():
        places = [tmp_path / "1.mem", tmp_path / "2.mem"]
        async with opened(places[0], count_tokens=meeting) as one, opened(places[1], count_tokens=meeting) as two:
            await asyncio.gather(*(memory.remember("where we met") for memory in (one, two)))
            return await asyncio.gather(*(memory.recall("met") for memory in (one, two)))

    assert [len(found) for found in asyncio.run(main())] == [1, 1]


class Held:
    """A clock that stops whoever asks it, once shut."""

    def __init__(self):
        self.gate, self.asking = threading.Event(), threading.Semaphore(0)
        self.gate.set()

    def __call__(self):
        self.asking.release()
        assert self.gate.wait(WAIT_S)
        return 1000.0

    async def asked(self):
        assert await asyncio.to_thread(self.asking.acquire, timeout=WAIT_S)


async def held_memory(place):
    clock = Held()
    memory = opened(place, clock=clock)
    await memory.remember("first", session="s")
    assert clock.asking.acquire(blocking=False)
    clock.gate.clear()
    return memory, clock


def test_a_call_that_takes_long_stops_nothing_else(place):
    """While one call stands still in its thread, the loop runs and other calls of the same memory end."""

    async def main():
        memory, clock = await held_memory(place)
        slow = asyncio.create_task(memory.remember("slow"))
        await clock.asked()
        assert await memory.sessions() == ["s"]
        assert not slow.done()
        clock.gate.set()
        assert (await slow).added == 1
        await memory.close()

    asyncio.run(main())


def test_a_write_that_was_begun_is_finished(place):
    """Whoever awaits it is let go at once; the words are on disk all the same."""

    async def main():
        memory, clock = await held_memory(place)
        writing = asyncio.create_task(memory.remember("second"))
        await clock.asked()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        clock.gate.set()
        await memory.close()

    asyncio.run(main())
    with Memory(place, scope="a", embedders=EMBEDDERS) as memory:
        assert [turn.text for turn in memory.turns()] == ["first", "second"]


def test_a_write_that_was_not_begun_never_is(place):
    """All threads are taken; what waits behind them and is cancelled leaves no trace."""

    async def main():
        memory, clock = await held_memory(place)
        begun = [asyncio.create_task(memory.remember(f"begun {nth}")) for nth in range(THREADS)]
        for _ in begun:
            await clock.asked()
        waiting = asyncio.create_task(memory.remember("never"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        clock.gate.set()
        await asyncio.gather(*begun)
        await memory.close()

    asyncio.run(main())
    with Memory(place, scope="a", embedders=EMBEDDERS) as memory:
        assert sorted(turn.text for turn in memory.turns()) == [*(f"begun {nth}" for nth in range(THREADS)), "first"]


def test_closing_waits_for_what_was_asked_before(place):
    """Calls that are under way when close() comes end as if it had come later."""

    async def main():
        memory = opened(place)
        writing = [asyncio.create_task(memory.remember(f"note {nth}")) for nth in range(20)]
        await asyncio.sleep(0)
        await memory.close()
        return [(await task).added for task in writing]

    assert asyncio.run(main()) == [1] * 20


# -- opening, walking, closing


def test_turns_are_iterated(place):
    """All of them in order; the arguments count; a walk may be left."""
    texts = [f"note {nth}" for nth in range(250)]

    async def main():
        async with opened(place) as memory:
            await memory.remember([Turn(text) for text in texts])
            assert [turn.text async for turn in memory.turns()] == texts
            assert [turn.text async for turn in memory.turns(newest=True, limit=2)] == texts[:-3:-1]
            async for turn in memory.turns():
                assert turn.text == texts[0]
                break

    asyncio.run(main())


def test_callbacks_see_the_context_of_the_caller(place):
    """What a tracer keeps in a context variable is there in the thread."""
    asked, seen = contextvars.ContextVar("asked"), []

    async def main():
        async with opened(place, clock=lambda: seen.append(asked.get("")) or 1000.0) as memory:
            asked.set("by me")
            await memory.remember("note")

    asyncio.run(main())
    assert seen[-1] == "by me"


def test_what_opening_raises_is_raised_where_it_is_opened(place):
    """By `async with`, and else by the first call."""

    async def entered():
        async with AsyncMemory(place, scope="a/../b"):
            pytest.fail("opened")

    async def called():
        await AsyncMemory(place, scope="a/../b").stats()

    for main in (entered, called):
        with pytest.raises(BadScope):
            asyncio.run(main())


def test_it_is_opened_once_and_closed_for_good(place):
    """Many first calls open one memory; after close each call says so; closing twice is fine."""

    async def main():
        memory = opened(place)
        assert "not open" in repr(memory)
        await asyncio.gather(*(memory.remember(f"note {nth}") for nth in range(8)))
        assert (await memory.stats()).turns == 8
        for _ in range(2):
            await memory.close()
        with pytest.raises(ClosedStore):
            await memory.stats()
        never = opened(place)
        await never.close()
        with pytest.raises(ClosedStore):
            await never.stats()

    asyncio.run(main())


def test_one_memory_serves_loop_after_loop(place):
    """It belongs to no event loop."""
    memory = opened(place)
    assert asyncio.run(memory.remember("note")).added == 1
    assert len(asyncio.run(memory.recall("note"))) == 1
    asyncio.run(memory.close())
