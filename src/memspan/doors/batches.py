"""Many turns remembered batch by batch: how far a stream came is on disk, whatever comes next in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from memspan.core.errors import UsageError
from memspan.core.records import Remembered, Turn

if TYPE_CHECKING:
    from memspan.text.memory import Memory

Broken = TypeVar("Broken", bound=Exception)


def taken(
    turns: Iterator[Turn], most: int, most_chars: int, stops: type[Broken] | tuple[type[Broken], ...]
) -> tuple[list[Turn], Broken | None]:
    """The next batch, and why there is no more behind it.

    most, most_chars: a batch ends when it has so many turns or characters;  stops: errors that end the stream
    """
    batch, chars = list[Turn](), 0
    try:
        for turn in turns:
            batch.append(turn)
            chars += len(turn.text)
            if len(batch) == most or chars >= most_chars:
                break
    except stops as why:
        return batch, why
    return batch, None


def remembered(memory: "Memory", batch: list[Turn], *, again: bool) -> Iterator[Remembered]:
    """Remember a batch; where a turn of it cannot be, those before it all the same. Raises UsageError for that one."""
    if not batch:
        return
    try:
        yield memory.remember(batch, again=again)
    except UsageError:
        if len(batch) == 1:
            raise
        for turn in batch:
            yield memory.remember(turn, again=again)
