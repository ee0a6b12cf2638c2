"""The verbs that change what a memory holds: correct, forget, undo, pin, hold, expire, archive, and what they did."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from memspan.core.budget import Budget
from memspan.core.changes import NEVER, Change, Due, Event, Patch, Receipt, Undone
from memspan.core.clock import Clock, When, iso, seconds
from memspan.core.errors import AlreadyCorrected, NotConfirmed, UsageError
from memspan.core.ids import turn_id
from memspan.core.protocols import Embedder, Progress
from memspan.core.records import Json, Link, Record, Role, Turn, check_text, stored_turn
from memspan.text import branches, merging
from memspan.text.consolidate.decay import DAY_S
from memspan.text.consolidate.jobs import Reflected
from memspan.text.consolidate.reconcile import Judge
from memspan.text.due import due
from memspan.text.index.entry import derive
from memspan.text.index.scope import ScopeIndex
from memspan.text.index.words import query_words, words
from memspan.text.intake import Intake
from memspan.text.lifetime import Log
from memspan.text.merging import Merged
from memspan.text.reflection import reflect, set_capacity
from memspan.text.safety.trust import trust_of
from memspan.text.store import erase, undo
from memspan.text.store.erase import Selector
from memspan.text.store.sqlite import SqliteStore
from memspan.text.store.store import Store
from memspan.text.store.turn_rows import Applied


class Where(TypedDict, total=False):
    """What forget() selects by; see there."""

    session: str | None
    speaker: str | None
    source: str | None
    since: When | None
    until: When | None
    query: str | None
    everything: bool


class Life:
    """What `Memory` can do with what is there already."""

    scope: str
    _store: Store
    _index: ScopeIndex
    _clock: Clock
    _lock: threading.RLock
    _embedders: tuple[Embedder, ...]
    _keys: list[int]
    _intake: Intake

    # -- changing

    def correct(
        self,
        id: str,
        text: str,
        *,
        reason: str = "",
        role: Role | None = None,
        meta: Mapping[str, Json] | None = None,
        again: bool = False,
    ) -> str:
        """The id of a new version of a turn or record that was wrong; the old one steps back behind it.

        The old words stay in the file and in history(); known_at shows them for the time they were believed.
        role: who says so, None = whoever said it first. Somebody less trusted cannot correct: the new words are then
            kept beside the old ones, as a contradiction
        meta: of the new version (of a record: its payload), None = that of the old one
        again: learn the new words even where they were forgotten here
        Raises UnknownId, BadText, AlreadyCorrected where a correction is there already, or UsageError where the new
        words were forgotten here; then nothing was changed.
        """
        check_text("reason", reason, empty=True)
        with self._lock:
            old = self._item(id)
            fresh = self._version_of(old, text, role, meta)
            if isinstance(old, Turn) and role is not None and trust_of(role, {}) < trust_of(old.role, old.meta):
                beside = Change("add", Link(source=fresh.id, target=id, kind="contradicts"))
            else:
                patch = Patch(id=id, status="superseded", heir=fresh.id, valid_to=_began(old), why=reason)
                beside = Change("set", patch)
            if self._apply("correct", [Change("add", fresh), beside], again=again).refused:
                raise UsageError(f"the new words for {id!r} were forgotten here; correct(..., again=True) learns them")
            return fresh.id

    def _item(self, id: str) -> Turn | Record:
        """The turn or record with that id. Raises UnknownId, or AlreadyCorrected."""
        found, state = self._store.item(self.scope, id)
        if state.heir:
            raise AlreadyCorrected(id, state.heir)
        return found

    def _version_of(
        self, old: Turn | Record, text: str, role: Role | None, meta: Mapping[str, Json] | None
    ) -> Turn | Record:
        if isinstance(old, Record):
            payload = old.payload if meta is None else meta
            return replace(
                old, id=f"{old.id}'", text=text, recorded_at=None, recipe="correct", status="active", uses=0,
                payload=payload,
            )  # fmt: skip
        said = Turn(
            text, speaker=old.speaker, role=role or old.role, session=old.session, at=old.at,
            meta={**(old.meta if meta is None else meta), "corrects": old.id},
        )  # fmt: skip
        number = 1
        while self._store.known(self.scope, [wanted := _id_of(self.scope, said, number)]):
            number += 1
        now = seconds(self._clock())
        return stored_turn(
            said.text, said.speaker, said.role, said.session, said.at, now, said.meta, wanted, self.scope
        )

    def _apply(self, verb: str, changes: Sequence[Change], *, again: bool = False) -> Applied:
        """Write changes, turns with what is derived from them; what became of the turns."""
        turns = [change.item for change in changes if isinstance(change.item, Turn)]
        parts = iter(derive(turns, self._embedders))
        derived = [next(parts) if isinstance(change.item, Turn) else None for change in changes]
        now = seconds(self._clock())
        applied = self._store.apply(self.scope, changes, derived, self._keys, now, verb=verb, again=again)
        self._index.written()
        return applied

    def _patch(self, verb: str, *patches: Patch) -> None:
        with self._lock:
            self._apply(verb, [Change("set", patch) for patch in patches])

    def pin(self, id: str, pinned: bool = True) -> None:
        """Never let a turn or record be evicted for room; pinned=False lets it again. Raises UnknownId."""
        self._patch("pin", Patch(id=id, pinned=pinned))

    def hold(self, id: str, *, reason: str = "") -> None:
        """Refuse to forget a turn or record until release(). Raises UnknownId."""
        self._patch("hold", Patch(id=id, held=True, why=reason))

    def release(self, id: str, *, reason: str = "") -> None:
        """Take a hold away. Raises UnknownId."""
        self._patch("release", Patch(id=id, held=False, why=reason))

    def expire(self, id: str, at: When | None) -> None:
        """Hide a turn or record from a moment on; the next reflect() after it erases it.

        at: the moment, None = never. Raises UnknownId or BadTime.
        """
        self._patch("expire", Patch(id=id, expire_at=NEVER if at is None else seconds(at)))

    def archive(self, id: str, *, reason: str = "") -> None:
        """Put a turn or record out of the way; restore() brings it back. Raises UnknownId."""
        self._patch("archive", Patch(id=id, status="archived", why=reason))

    def restore(self, id: str, *, reason: str = "") -> None:
        """Bring an archived, superseded or quarantined turn or record back. Raises UnknownId."""
        self._patch("restore", Patch(id=id, status="active", heir="", valid_to=NEVER, why=reason))

    def used(self, ids: Iterable[str]) -> None:
        """Count a use of each: what is used stays longer when room runs out. Ids that are gone count for nothing."""
        self._patch("used", *(Patch(id=id, used=1) for id in ids))

    def set_capacity(self, turns: int | None, *, half_life_days: float = 30.0) -> None:
        """Let at most so many turns count in this scope; reflect() archives the weakest of what is more.

        turns: None = all;  half_life_days: without use, the strength of a turn halves in so many days
        What is pinned or held stays. Raises UsageError for a negative number.
        """
        if (turns is not None and turns < 0) or not half_life_days > 0:
            raise UsageError(
                f"capacity {turns}, half-life {half_life_days:g} days: must be zero or more, and above zero"
            )
        set_capacity(self._store, self.scope, turns, half_life_days * DAY_S)

    def reflect(
        self, *, budget: Budget | None = None, progress: Progress | None = None, judge: Judge | None = None
    ) -> Reflected:
        """Consolidate: episodes of sessions, a tree of days, weeks and months, entities, standing wishes, duplicates.

        Also decides what new turns replace or contradict, erases what has expired, and archives what is past the
        capacity. Every derived record cites its turns.
        judge: decides what a new turn means for the ones it may concern; None = rules
        budget: its seconds end the work between two batches; what was done stays, and the next call goes on
        progress: called with (stages done, stages). Where nothing was written since the last call, nothing is done
        """
        with self._lock:
            self._index.refresh()
            now = seconds(self._clock())
            return reflect(self._store, self._index, self._apply, now, budget or Budget(), progress, judge)

    def due(self, now: When | None = None) -> list[Due]:
        """Reminders ("remind me to ... on Friday", "... when Ann calls") that have fired; archive(id) when done.

        now: the moment to ask for, None = the clock's. Raises BadTime.
        """
        with self._lock:
            self._index.refresh()
            return due(self._index, seconds(self._clock() if now is None else now))

    # -- taking back

    def undo(self, operation: int | None = None) -> Undone:
        """Take the last call that changed something back, or the one of that number.

        What it added steps out of the way, states are what they were before; an undo can be undone by its number.
        Raises CannotUndo where something was forgotten or changed again since; then nothing was changed.
        """
        with self._lock:
            undone = undo.undo(self._store, self.scope, operation, seconds(self._clock()))
            self._index.written()
            return undone

    def changes(self, *, since: When | None = None, until: When | None = None, about: str = "") -> list[Event]:
        """What was added, superseded, corrected or forgotten between two moments, the oldest first.

        since, until: half-open range of the time memory learned of it;  about: only what has all these words in it
        Raises BadTime or UsageError for an inverted range.
        """
        first, last = _range(since, until)
        wanted = set(words(about))
        with self._lock:
            self._index.refresh()
            events = Log(self._store, self.scope, self._index).events(first, last)
            return [event for event in events if not wanted or wanted <= set(words(event.text))]

    def history(self, id: str) -> list[Event]:
        """All that happened to a turn or record, its earlier and its later versions, the oldest first.

        Raises UnknownId.
        """
        with self._lock:
            self._index.refresh()
            return Log(self._store, self.scope, self._index).history(id)

    # -- branching off

    def branch(self, path_or_name: str | os.PathLike[str]) -> Path:
        """A copy of the whole file, all its scopes, to try something in; where it lies.

        path_or_name: a bare name goes beside the original: alice.mem and "trip" give alice@trip.mem
        What is forgotten here later stays in it: forget it there too, or remove the file.
        Raises UsageError where something is there already, or a StoreError; then nothing is there.
        """
        with self._lock:
            store = self._file("branch")
            return branches.branch(store, branches.place(store.path, path_or_name), seconds(self._clock()))

    def merge(self, path: str | os.PathLike[str]) -> Merged:
        """Take in what a branch's scope learned since it was taken: turns, records, links, states; what came.

        Merging again takes only what is new. Where both changed one thing, ours stays and it is named.
        What was forgotten here does not come back; what was forgotten there is named and stays.
        Raises UsageError where it is no branch of this file, or a StoreError; then nothing was changed.
        """
        with self._lock:
            now = seconds(self._clock())
            merged = merging.merge(self._file("merge"), self.scope, Path(path), self._embedders, self._keys, now)
            self._index.written()
            return merged

    def _file(self, verb: str) -> SqliteStore:
        """The store, where it is a file. Raises UsageError."""
        if not isinstance(self._store, SqliteStore):
            raise UsageError(f"{verb} works on memory files; {self._store.path} is none")
        return self._store

    # -- forgetting

    def forget(
        self,
        id: str | Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        confirm: str = "",
        **where: Unpack[Where],
    ) -> Receipt:
        """Erase turns and records, and all that was made of them, from the file; says what went.

        id: one or more ids
        session, speaker, source (of meta["source"]), since, until (of event time): all that meet every one given
        everything=True: the whole scope
        query: what has all its words in it; needs `confirm`
        dry_run: say what would go, with its ids, and change nothing
        confirm: the digest of a dry run; where something else would go by now, nothing does
        Words that were forgotten are refused when they come again, unless remember(..., again=True).
        Raises UsageError, UnknownId, Held or NotConfirmed; then nothing was changed.
        """
        query = where.get("query")
        told = _told(id, where)
        first, last = _range(where.get("since"), where.get("until"))
        ids = None if id is None else (id,) if isinstance(id, str) else tuple(id)
        with self._lock:
            selector = Selector(
                ids=ids if query is None else self._meant(query),
                session=where.get("session"),
                speaker=where.get("speaker"),
                source=where.get("source"),
                since=first,
                until=last,
                everything=where.get("everything", False),
                told=told,
            )
            return self._forget(selector, dry_run=dry_run, confirm=confirm, asked=query is not None)

    def _forget(self, selector: Selector, *, dry_run: bool, confirm: str, asked: bool) -> Receipt:
        now = seconds(self._clock())
        if dry_run or asked or confirm:
            planned = erase.plan(self._store, self.scope, selector, now)
            if dry_run:
                return planned
            if confirm != planned.digest:
                raise NotConfirmed(planned.items, planned.digest)
        receipt = erase.forget(self._store, self.scope, selector, now)
        self._intake.forget()
        self._index.written()
        return receipt

    def _meant(self, query: str) -> tuple[str, ...]:
        """Ids of all turns that hold all words of a query, whatever has become of them."""
        wanted = set(words(query))
        if not wanted:
            raise UsageError(f"query {query!r} holds no word to look for")
        self._index.refresh()
        units = self._index.lexical.holding(query_words(query))
        turns = self._store.fetch(self.scope, self._index.seq[units].tolist()).values()
        return tuple(turn.id for turn in turns if wanted <= set(words(f"{turn.speaker}: {turn.text}")))

    def receipts(self) -> list[Receipt]:
        """What was forgotten in this scope, the oldest first; finishes what a reader kept pending, where it can."""
        with self._lock:
            if not self._store.read_only:
                erase.finish(self._store, self.scope)
            return erase.receipts(self._store, self.scope)


def _began(item: Turn | Record) -> float | None:
    """Since when it held, as far as it says; else since when memory knew it [s]."""
    if isinstance(item, Turn):
        return item.seen_at if item.at is None else item.at
    return item.recorded_at if item.valid_from is None else item.valid_from


def _id_of(scope: str, turn: Turn, number: int) -> str:
    return turn_id(scope, turn.session, turn.speaker, turn.at, turn.text, number)


def _range(since: When | None, until: When | None) -> tuple[float | None, float | None]:
    """Both as seconds. Raises UsageError where the range is inverted."""
    first, last = (None if when is None else seconds(when) for when in (since, until))
    if first is not None and last is not None and last < first:
        raise UsageError(f"until {iso(last)} is before since {iso(first)}; turn them around")
    return first, last


def _told(id: object, where: Where) -> str:
    """The selection in words, without what it selects by. Raises UsageError where it makes no sense."""
    if unknown := sorted(set(where).difference(Where.__annotations__)):
        raise UsageError(f"forget() knows no {', '.join(unknown)}; it takes {', '.join(Where.__annotations__)}")
    told = [name for name, value in {"id": id, **where}.items() if value is not None and value is not False]
    if not told or (len(told) > 1 and {"id", "query", "everything"}.intersection(told)):
        raise UsageError(
            f"forget({', '.join(told)}): give an id, a query, everything=True, or any of session, speaker, source, "
            "since and until"
        )
    return "everything" if told == ["everything"] else " and ".join(f"by {name}" for name in told)
