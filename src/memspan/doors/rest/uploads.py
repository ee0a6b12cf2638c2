"""A body that is remembered while it still comes in: batch by batch, each on disk before the next is begun."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, cast

import anyio.from_thread
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from memspan.core.errors import MemspanError
from memspan.core.records import Remembered
from memspan.doors.batches import remembered, taken
from memspan.text.read import read

if TYPE_CHECKING:
    from memspan.text.memory import Memory

BATCH_TURNS = 500
BATCH_CHARS = 2_000_000
# what a stream is called without a name is put in as the session where a turn names none; of this nothing is left
_NAMELESS = "<>"


class Upload:
    """The body of a call as a stream of bytes, for a thread to read. receive: gives its pieces, in the event loop"""

    name = _NAMELESS

    def __init__(self, receive: Receive) -> None:
        self._receive, self._left, self._more = receive, bytearray(), True

    def read(self, most: int) -> bytes:
        """That many bytes, fewer at the end. Raises HTTPException where the upload is torn, too large or too slow."""
        while self._more and len(self._left) < most:
            message = anyio.from_thread.run(self._next)
            if message["type"] == "http.disconnect":
                raise HTTPException(400, "the upload was torn")
            self._left += message.get("body", b"")
            self._more = message.get("more_body", False)
        taken = bytes(self._left[:most])
        del self._left[:most]
        return taken

    async def _next(self) -> Message:
        return await self._receive()


@dataclass(slots=True)
class Tally:
    """What became of an upload so far; all of it is on disk.

    read: turns that came in;  refused: their words were forgotten here;  done: whether the body came to its end
    """

    read: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    quarantined: int = 0
    redacted: int = 0
    done: bool = False

    def count(self, made: Remembered) -> None:
        """Take in what one call of remember did."""
        self.read += len(made.ids)
        self.added, self.known = self.added + made.added, self.known + made.known
        self.refused += len(made.refused)
        self.quarantined += len(made.quarantined)
        self.redacted += len(made.redacted)

    def told(self) -> dict[str, int]:
        """As JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is said of all turns of an upload.

    format: None = recognised;  session: None = as the upload says;  meta: noted with every turn
    again: also what was forgotten here
    """

    format: str | None = None
    session: str | None = None
    speaker: str = ""
    meta: dict[str, str]
    again: bool = False


def stored(memory: "Memory", upload: Upload, how: How, tally: Tally) -> Iterator[Remembered]:
    """Remembers an upload; gives what became of each batch, once it is on disk.

    tally: is kept up to date. Raises HTTPException, MalformedFile, another UsageError or a StoreError where it cannot
    go on; what came before that is on disk all the same.
    """
    found = read(cast(BinaryIO, upload), format=how.format, session=how.session, speaker=how.speaker)
    turns = (replace(turn, meta={**turn.meta, **how.meta}) for turn in found) if how.meta else found
    broken: Exception | None = None
    while broken is None and not tally.done:
        batch, broken = taken(turns, BATCH_TURNS, BATCH_CHARS, (HTTPException, MemspanError))
        tally.done = broken is None and not batch
        for made in remembered(memory, batch, again=how.again):
            tally.count(made)
            yield made
    if broken is not None:
        raise broken
