"""How far each file was read, kept on the disk: a line of JSON for each step, the last one of a file counts.

It is written after the memory has the turns. A step that is lost is read again, and remembering again changes nothing;
so no step needs a sync of its own. It holds paths and numbers, nothing that was said.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

_ROOM = 2_000  # lines beyond one a file, before it is written anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a file was read.

    offset: so many bytes;  line: so many lines;  head, tail: digests of the first and the last of these bytes
    session, cwd, at, inner: what the transcript had told by then
    """

    offset: int = 0
    line: int = 0
    head: str = ""
    tail: str = ""
    session: str = ""
    cwd: str = ""
    at: float | None = None
    inner: bool = False


class Ledger:
    """The steps of all files, in a file that is made where there is none.

    path: the file. Raises OSError where it cannot be read or written
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: dict[str, Step] = dict(_read(path))
        self._lines = 0
        self._file = self._anew()

    def _anew(self) -> TextIO:
        """The file with one line a file, in the place of the old one; a line cut off by a crash is gone with it."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(_line(name, step) for name, step in self.steps.items())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        self._lines = len(self.steps)
        return self.path.open("a", encoding="utf-8")

    def put(self, name: str, step: Step) -> None:
        """Note how far a file was read."""
        self.steps[name] = step
        self._file.write(_line(name, step))
        self._file.flush()
        self._lines += 1
        if self._lines > len(self.steps) + _ROOM:
            self._file.close()
            self._file = self._anew()

    def close(self) -> None:
        """Sync and let go."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def _line(name: str, step: Step) -> str:
    return json.dumps({"file": name, **asdict(step)}) + "\n"


def _read(path: Path) -> Iterator[tuple[str, Step]]:
    """Steps in the order they were noted; a line that is none is passed over: its file is read again."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                held = json.loads(line)
                yield held.pop("file"), Step(**held)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
