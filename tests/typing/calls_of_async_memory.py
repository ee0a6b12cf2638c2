"""Calls for the type checker, never run: each `type: ignore` stands where an error must be."""

from collections.abc import AsyncIterator
from typing import assert_type

from memspan import AsyncMemory, Recall, Record, State, Turn
from memspan.core.changes import Receipt
from memspan.core.records import Remembered


async def right(memory: AsyncMemory) -> None:
    """What a user may write, and what comes of it."""
    assert_type(AsyncMemory("a.mem", scope="a", read_only=True), AsyncMemory)
    assert_type(await memory.remember("text", speaker="Ann", at="2024-06-01"), Remembered)
    assert_type(await memory.recall("question", tokens=None, kinds=("turn",), quality="high"), Recall)
    assert_type(await memory.item("id"), tuple[Turn | Record, State])
    assert_type(await memory.correct("id", "text", reason="why"), str)
    assert_type(await memory.forget(session="s", dry_run=True), Receipt)
    assert_type(await memory.sessions(), list[str])
    assert_type(memory.turns(session="s", limit=3), AsyncIterator[Turn])
    async for turn in memory.turns():
        assert_type(turn, Turn)
    async with AsyncMemory("a.mem", scope="a") as opened:
        assert_type(opened, AsyncMemory)


async def wrong(memory: AsyncMemory) -> None:
    """What a user may not write."""
    AsyncMemory("a.mem")  # type: ignore[call-arg]
    AsyncMemory("a.mem", scope=1)  # type: ignore[arg-type]
    await memory.recall(3)  # type: ignore[arg-type]
    await memory.recall("question", token=3)  # type: ignore[call-arg]
    await memory.forget(sesion="s")  # type: ignore[call-arg]
    memory.recall("question")  # type: ignore[unused-coroutine]
    for _ in memory.turns():  # type: ignore[attr-defined]
        pass
