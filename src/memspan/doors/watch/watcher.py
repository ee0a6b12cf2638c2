"""Looks at all transcripts again and again, and remembers what was added.

First the memory has the turns, then the ledger has the step: what is killed in between is read again, and a turn that
is remembered again changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from os.path import abspath, basename, dirname

from memspan.core.errors import StoreBusy, UsageError
from memspan.core.records import Json, Remembered, Turn
from memspan.doors.memories import Memories
from memspan.doors.watch.followed import Followed, Look, transcripts_under
from memspan.doors.watch.ledger import Ledger
from memspan.doors.watch.projects import scope_of

BATCH_TURNS = 500
Tell = Callable[[str, Mapping[str, Json]], None]
"""Told of an event: its name and its facts."""


@dataclass(slots=True)
class Totals:
    """What was done so far.

    files: transcripts found;  added, known: turns;  refused: turns whose words were forgotten here
    redacted, quarantined: turns with secrets in them;  bad: lines and turns passed over
    """

    files: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    redacted: int = 0
    quarantined: int = 0
    bad: int = 0

    def count(self, made: Remembered) -> None:
        """Take in what one call of remember did."""
        self.added, self.known = self.added + made.added, self.known + made.known
        self.refused += len(made.refused)
        self.redacted += len(made.redacted)
        self.quarantined += len(made.quarantined)


def _nothing(event: str, facts: Mapping[str, Json]) -> None: ...


@dataclass(slots=True)
class Watcher:
    """Follows the transcripts under some folders.

    folders: where to look;  memories: where the turns go, a scope a project;  ledger: how far each file was read
    tell: hears of new scopes, of what was read, of bad lines and of files that begin anew
    held: entered around each write, so that a wish to stop waits for its end
    """

    folders: Sequence[str]
    memories: Memories
    ledger: Ledger
    tell: Tell = _nothing
    held: Callable[[], AbstractContextManager[None]] = nullcontext
    totals: Totals = field(default_factory=Totals)
    _files: dict[str, Followed] = field(default_factory=dict)
    _unread: set[str] = field(default_factory=set)
    _scopes: set[str] = field(default_factory=set)

    def round(self) -> bool:
        """Look at every file once, at most a block of each; whether anything was read.

        Raises a StoreError, but for a busy store, which is tried again the next time.
        """
        found, read = set[str](), False
        for path, status in transcripts_under([abspath(folder) for folder in self.folders]):
            found.add(path)
            file = self._files.get(path)
            if file is None:
                file = self._files[path] = Followed(path, self.ledger.steps.get(path))
            if path in self._unread or file.changed(status):
                read |= self._read(file)
        for path in self._files.keys() - found:
            del self._files[path]
        self.totals.files = sum(file.is_transcript for file in self._files.values())
        return read

    def _read(self, file: Followed) -> bool:
        """Take in what was added to a file; whether anything was."""
        before = file.step
        try:
            look = file.look()
        except OSError as why:
            self.tell("unreadable", {"file": file.path, "why": why.strerror or str(why)})
            return False
        self._unread.add(file.path)
        self._complain(file, look)
        try:
            self._remember(file, list(look.turns.values()))
        except StoreBusy as busy:
            self._files[file.path] = Followed(file.path, self.ledger.steps.get(file.path))
            self.tell("busy", {"file": file.path, "why": str(busy)})
            return False
        if file.step != before:
            self.ledger.put(file.path, file.step)
        if not look.more:
            self._unread.discard(file.path)
        return bool(look.turns) or look.more

    def _complain(self, file: Followed, look: Look) -> None:
        if look.anew:
            self.tell("anew", {"file": file.path, "why": look.anew})
        for bad in look.bad:
            self.totals.bad += 1
            self.tell("bad", {"file": file.path, **asdict(bad)})

    def _remember(self, file: Followed, turns: list[Turn]) -> None:
        if not turns:
            return
        folder = file.known.cwd or _folder_of(file.path)
        scope = scope_of(folder)
        if scope not in self._scopes:
            self._scopes.add(scope)
            self.tell("scope", {"scope": scope, "folder": folder})
        before = asdict(self.totals)
        with self.memories.of(scope) as memory:
            for start in range(0, len(turns), BATCH_TURNS):
                self._some(memory.remember, file, turns[start : start + BATCH_TURNS])
        changed = {name: value - before[name] for name, value in asdict(self.totals).items() if name != "files"}
        self.tell("read", {"file": file.path, "scope": scope, **changed})

    def _some(self, remember: Callable[[list[Turn]], Remembered], file: Followed, turns: list[Turn]) -> None:
        """Remember turns; where one of them is refused as it is, the others all the same."""
        try:
            with self.held():
                self.totals.count(remember(turns))
        except UsageError as why:
            if len(turns) > 1:
                for turn in turns:
                    self._some(remember, file, [turn])
            else:
                self.totals.bad += 1
                self.tell("bad_turn", {"file": file.path, "why": str(why)})


def _folder_of(path: str) -> str:
    """What stands for the project where a transcript names none: the folder it lies in, or the one around `chats`."""
    folder = dirname(path)
    return dirname(folder) if basename(folder) == "chats" else folder
