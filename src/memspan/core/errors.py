"""Every error memspan raises on purpose.

MemspanError
├── UsageError (ValueError)        the caller can mend it
│   ├── UnknownMethod              no method of that name in that wing
│   ├── UnknownId                  no such id in this scope
│   ├── BadScope                   a scope path that cannot be one
│   ├── BadTime                    a time that cannot be read
│   ├── BadText                    NUL, a lone surrogate, nothing at all, or too long
│   ├── DuplicateId                one id, two different contents
│   ├── Held                       it may not be forgotten
│   ├── AlreadyCorrected           somebody was faster
│   ├── NotConfirmed               forgetting by a question needs a second word
│   ├── CannotUndo                 forgotten, or changed again since
│   └── MalformedFile              a file to read in breaks at a stated line
├── MissingExtra (ImportError)     an optional part is not installed
├── MissingModel                   a model file was not built yet
├── ModelFailed                    a model behind a server gave no answer
├── BrokenIsolation                a measured system showed what another scope holds
├── PeerFailed                     another system, measured beside ours, crashed or took too long
└── StoreError                     the file, the disk or another process
    ├── NotAMemory                 a file, but not one of ours
    ├── NewerFormat                written by a later memspan
    ├── WrongKey                   the key does not fit: another one, none, or one is missing
    ├── DamagedFile                ours, but its content is broken
    ├── TornPages                  cached pages in a file are not as they were written
    ├── ReadOnlyStore              no right to write here
    ├── DiskFull                   no room; nothing was lost
    ├── StoreBusy                  another process held the write lock too long
    └── ClosedStore                used after close, or across a fork
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class MemspanError(Exception):
    """Base of all errors raised on purpose."""


class UsageError(MemspanError, ValueError):
    """The caller asked for something that cannot be."""


class UnknownMethod(UsageError):
    """No method of that name in that wing."""

    def __init__(self, wing: str, name: str, known: Iterable[str]) -> None:
        self.wing, self.name = wing, name
        near = get_close_matches(name, list(known), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" See memspan.methods({wing!r})."
        super().__init__(f"no {wing} method is called {name!r}.{hint}")


class UnknownId(UsageError):
    """No such id in this scope (an id of another scope reads the same)."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"nothing with id {wanted!r} in this scope; ids come from remember() and from hits")


class BadScope(UsageError):
    """A scope is a path such as 'tenant/user/agent'."""

    def __init__(self, scope: object, why: str) -> None:
        self.scope = scope
        super().__init__(f"scope {scope!r}: {why}; write it like 'alice' or 'acme/alice/assistant'")


class BadTime(UsageError):
    """A time that cannot be read."""

    def __init__(self, seen: object, why: str = "not a time") -> None:
        self.seen = seen
        super().__init__(
            f"time {seen!r}: {why}; give seconds since 1970 (UTC), a datetime, or ISO 8601 like 2024-06-01T10:00Z"
        )


class BadText(UsageError):
    """A text that cannot be stored. `field` says which one, `why` what is wrong."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why
        super().__init__(f"{field}: {why}")


class DuplicateId(UsageError):
    """One id was given for two different contents."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(
            f"id {wanted!r} is already taken by a turn with other content; turns never change: "
            "leave id out, or use a new one"
        )


class Held(UsageError):
    """Something on hold was to be forgotten; nothing was."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(
            f"on hold, may not be forgotten: {', '.join(self.ids[:5])}; release(id) first. Nothing was forgotten"
        )


class AlreadyCorrected(UsageError):
    """What was to be corrected has a newer version already; nothing was changed."""

    def __init__(self, wanted: str, heir: str) -> None:
        self.wanted, self.heir = wanted, heir
        super().__init__(f"{wanted!r} was replaced by {heir!r} already; look at history(), then correct that one")


class NotConfirmed(UsageError):
    """Forgetting by a question takes two calls, so that what goes was seen before."""

    def __init__(self, items: int, digest: str) -> None:
        self.items, self.digest = items, digest
        super().__init__(
            f"{items} would be forgotten; look at forget(..., dry_run=True), then call again with confirm={digest!r}"
        )


class CannotUndo(UsageError):
    """An operation that cannot be taken back; nothing was changed."""

    def __init__(self, operation: int, why: str) -> None:
        self.operation, self.why = operation, why
        super().__init__(f"operation {operation} cannot be undone: {why}")


class MalformedFile(UsageError):
    """A file to read in breaks at a line; what came before it is kept."""

    def __init__(self, path: str | Path, line: int, why: str) -> None:
        self.path, self.line, self.why = str(path), line, why
        super().__init__(f"{path}, line {line}: {why}")


class MissingExtra(MemspanError, ImportError):
    """An optional part is not installed. `install` is what installs it."""

    def __init__(self, extra: str, what: str, install: str = "") -> None:
        self.extra = extra
        self.install = install or f'pip install "memspan[{extra}]"'
        super().__init__(f"{what}: {install}" if install else f"{what} needs the extra [{extra}]: {self.install}")


class MissingModel(MemspanError):
    """A model file was not built yet."""

    def __init__(self, path: str | Path, command: str) -> None:
        self.path = str(path)
        super().__init__(f"no model at {path}; make it with: {command}")


class ModelFailed(MemspanError):
    """A model behind a server gave no answer. `name` says which model, `why` what came instead."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why
        super().__init__(f"{name} {why}; see that the server runs and that model and key are right")


class BrokenIsolation(MemspanError):
    """A measured system found something in a scope to which nothing was written."""

    def __init__(self, system: str, id: str) -> None:
        self.system, self.id = system, id
        super().__init__(f"{system} found {id!r} in a scope to which nothing was written; its figures mean nothing")


class PeerFailed(MemspanError):
    """Another system, measured beside ours, gave no answer. `late` says whether a time limit was passed."""

    def __init__(self, peer: str, why: str, *, late: bool = False) -> None:
        self.peer, self.why, self.late = peer, why, late
        super().__init__(f"{peer}: {why}")


class StoreError(MemspanError):
    """The file, the disk or another process is in the way. `path` is the memory file."""

    def __init__(self, path: str | Path, why: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: {why}")


class NotAMemory(StoreError):
    """A file, but not one of ours; it was not touched."""

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(path, f"not a memspan file ({why}); it was not touched. Choose another path")


class NewerFormat(StoreError):
    """Written by a later memspan."""

    def __init__(self, path: str | Path, found: int, known: int) -> None:
        self.found, self.known = found, known
        super().__init__(path, f"format {found}, but this memspan reads up to {known}; upgrade memspan")


class WrongKey(StoreError):
    """The key does not fit the file; nothing was changed. The key itself is in no message."""

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(path, f"{why}; nothing was changed")


class DamagedFile(StoreError):
    """Ours, but its content is broken; nothing was changed."""

    def __init__(self, path: str | Path, why: str) -> None:
        self.why = why
        super().__init__(
            path,
            f"damaged ({why}); nothing was changed. `memspan doctor --repair` saves every readable turn into a new "
            "file and keeps the damaged one beside it",
        )


class TornPages(StoreError):
    """Cached pages in a file are not as they were written. `page` says which, None where it is the file's index."""

    def __init__(self, path: str | Path, page: int | None, why: str) -> None:
        self.page, self.why = page, why
        where = "" if page is None else f"page {page}: "
        super().__init__(path, f"{where}{why}; it cannot be used. Compute the cache anew")


class ReadOnlyStore(StoreError):
    """No right to write here."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(
            path, "cannot be written (read-only file or directory); check its rights or open read_only=True"
        )


class DiskFull(StoreError):
    """No room; what was acknowledged before is safe, this call stored nothing."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "the disk is full; this call stored nothing. Free some space and call again")


class StoreBusy(StoreError):
    """Another process held the write lock too long."""

    def __init__(self, path: str | Path, waited_s: float) -> None:
        self.waited_s = waited_s
        super().__init__(path, f"another process kept the write lock for {waited_s:g} s; call again")


class ClosedStore(StoreError):
    """Used after close, or in a process forked after it was opened."""
