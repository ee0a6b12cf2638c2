"""One growing file: what was added since the last look, line by line, and whether it is still the same file."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import BinaryIO

from memspan.core.errors import UsageError
from memspan.core.records import Json, Turn
from memspan.doors.watch.ledger import Step
from memspan.text.read import Known, Transcript, transcript

HEAD_BYTES = 65_536
BLOCK_BYTES = 1_048_576
MAX_LINE_BYTES = 64 * 1_048_576
_PRINT_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is passed over. line: its number;  why: what is wrong with it"""

    line: int
    why: str


@dataclass(slots=True)
class Look:
    """What one look at a file gave.

    turns: in their order, each once;  bad: lines passed over;  anew: why the file was begun again, "" = it was not
    more: whether there is more to be read
    """

    turns: dict[tuple[object, ...], Turn] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)
    anew: str = ""
    more: bool = False


class Followed:
    """A transcript and how far it was read.

    path: the file;  step: how far it was read before, None = not at all
    """

    def __init__(self, path: str, step: Step | None = None) -> None:
        self.path = path
        self._print: tuple[int, int, int] | None = None  # inode, size, time of change: at the last look
        self._format: Transcript | None = None
        self._moved = False
        self._go_to(step or Step())

    def _go_to(self, step: Step) -> None:
        self.step = step
        self._offset, self._line = step.offset, step.line
        self.known = Known(session=step.session, cwd=step.cwd, at=step.at, inner=step.inner)
        self._starts: dict[int, int] = {}  # where the lines of calls begin that wait for their answer

    def changed(self, status: os.stat_result) -> bool:
        """Whether the file is not what it was at the last look."""
        return (status.st_ino, status.st_size, status.st_mtime_ns) != self._print

    def look(self, most: int = BLOCK_BYTES) -> Look:
        """What whole lines of about so many bytes hold. Raises OSError where the file cannot be read.

        most: [bytes]; a line that is longer is read to its end
        """
        found = Look()
        with open(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            self._print = (status.st_ino, status.st_size, status.st_mtime_ns)
            if not self._same(file, status.st_size):
                found.anew = "is shorter" if status.st_size < self._offset else "was replaced"
                self._format = None
                self._go_to(Step())
            if self._format is None:
                self._format = transcript(_head(file))
            if self._format is not None:
                self._take(file, found, most)
                found.more = self._offset < status.st_size and self._moved
                self._note(file)
        return found

    def _same(self, file: BinaryIO, size: int) -> bool:
        """Whether the bytes read before are still there: their number, the first and the last of them."""
        step = self.step
        if size < self._offset:
            return False
        return not step.offset or (_digest(file, 0, step.offset), _digest(file, -1, step.offset)) == (
            step.head,
            step.tail,
        )

    def _take(self, file: BinaryIO, found: Look, most: int) -> None:
        file.seek(self._offset)
        end, self._moved = self._offset + most, False
        while self._offset < end:
            raw = file.readline(MAX_LINE_BYTES)
            if not raw.endswith(b"\n"):
                if len(raw) < MAX_LINE_BYTES:
                    return  # the rest of the line is still to be written
                raw = _to_its_end(file, raw)
                if not raw:
                    return
            self._moved = True
            self._line += 1
            self._one(raw, found)
            self._offset = file.tell()

    def _one(self, raw: bytes, found: Look) -> None:
        """Take one whole line."""
        if not raw.strip():
            return
        assert self._format is not None
        try:
            if len(raw) >= MAX_LINE_BYTES:
                raise ValueError(f"longer than {MAX_LINE_BYTES:,} bytes")
            value: Json = json.loads(raw)
            if not isinstance(value, dict):
                raise ValueError("no JSON object")
            for turn in self._format.take(self._line, value, self.known):
                found.turns.setdefault((turn.session, turn.speaker, turn.at, turn.text), turn)
            if any(call.line == self._line for call in self.known.calls.values()):
                self._starts[self._line] = self._offset
        except (ValueError, RecursionError, UsageError) as why:
            found.bad.append(BadLine(self._line, _why(why)))

    def _note(self, file: BinaryIO) -> None:
        """The step to go on from: where the oldest call begins that was not answered, else the end of what was read.

        What comes back twice by that is known already.
        """
        waiting = {call.line for call in self.known.calls.values()}
        self._starts = {line: start for line, start in self._starts.items() if line in waiting}
        line = min(self._starts, default=self._line + 1)
        offset = self._starts.get(line, self._offset)
        if (offset, line - 1) == (self.step.offset, self.step.line):
            return
        self.step = Step(
            offset=offset,
            line=line - 1,
            head=_digest(file, 0, offset),
            tail=_digest(file, -1, offset),
            session=self.known.session,
            cwd=self.known.cwd,
            at=self.known.at,
            inner=self.known.inner,
        )

    @property
    def is_transcript(self) -> bool:
        """Whether it is one, as far as that can be said."""
        return self._format is not None


def _digest(file: BinaryIO, side: int, offset: int) -> str:
    """Of the first bytes (side 0) or the last (-1) of those before an offset."""
    count = min(_PRINT_BYTES, offset)
    file.seek(0 if side == 0 else offset - count)
    return blake2b(file.read(count), digest_size=8).hexdigest()


def _head(file: BinaryIO) -> str:
    """The beginning, up to the end of the first line where it is there."""
    file.seek(0)
    return file.read(HEAD_BYTES).decode("utf-8", "ignore").lstrip("\ufeff")


def _to_its_end(file: BinaryIO, raw: bytes) -> bytes:
    """A line too long to be read, without what is past the limit; b"" where its end is still to be written."""
    while rest := file.readline(BLOCK_BYTES):
        if rest.endswith(b"\n"):
            return raw
    return b""


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def transcripts_under(folders: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """(path, status) of every .jsonl file under these folders, or named; links to folders are not followed."""
    waiting = list(folders)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.name.endswith(".jsonl"):
                        yield entry.path, entry.stat()
        except OSError:
            continue  # it went, or may not be read: there may be more the next time
