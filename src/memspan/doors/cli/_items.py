"""What an id on the command line stands for."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from memspan.core.errors import UnknownId
from memspan.doors.cli import _show

if TYPE_CHECKING:
    from memspan.text.memory import Memory

MAX_SHOWN_CHARS = 160


def words_of(memory: "Memory", wanted: str) -> str:
    """The words of a turn, with who said it and when, or of a record. Raises UnknownId."""
    try:
        turn = memory.get(wanted)
    except UnknownId:
        found = next((record for record in memory.records() if record.id == wanted), None)
        if found is None:
            raise
        return f"{found.kind}: {found.text}"
    who = turn.speaker or turn.role
    place = ", ".join(part for part in (_show.when(turn.at), turn.session) if part)
    return f"{who}{f' ({place})' if place else ''}: {turn.text}"


def shortened(text: str) -> str:
    """The text on one line, cut where it is long.

    >>> shortened("a" * 200) == "a" * 157 + "..."
    True
    """
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_SHOWN_CHARS else flat[: MAX_SHOWN_CHARS - 3] + "..."


def listed(memory: "Memory", ids: Iterable[str]) -> Iterator[str]:
    """A line for each: its words, indented."""
    for wanted in ids:
        yield _show.wrapped(shortened(words_of(memory, wanted)))
