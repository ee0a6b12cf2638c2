"""Everything searched in one scope, in memory: built from the file's derived rows, grown by what was appended.

Units are turns, numbered 1, 2, ... in the order they were written; 0 is nobody.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from memspan.core.errors import DamagedFile
from memspan.core.protocols import Embedder
from memspan.core.records import MAX_TEXT_CHARS, ROLES, Link
from memspan.text.extract._calendar import DAY_SECONDS
from memspan.text.extract.told import unpacked
from memspan.text.index.before import Before
from memspan.text.index.columns import Column
from memspan.text.index.fates import Fates, Moment, View, folded_back
from memspan.text.index.flat import Flat, Halves, Ints
from memspan.text.index.heads import Heads
from memspan.text.index.lexical import REACH, Lexical
from memspan.text.index.marks import MARK_BITS, STANDING
from memspan.text.index.readings import Readings
from memspan.text.index.words import BAG
from memspan.text.store import past
from memspan.text.store.rows import UnitRow
from memspan.text.store.store import Store

_BATCH = 4096
_GAP, _RUN = 64, 32  # units further apart than _GAP are two runs; runs shorter than _RUN are read one by one
_USER = ROLES.index("user")


class ScopeIndex:
    """Postings, vector planes, neighbours, times, speakers and marks of all turns of a scope.

    store: where they come from;  embedders: those whose planes are kept, with their key in the file
    """

    def __init__(self, store: Store, scope: str, embedders: Sequence[tuple[Embedder, int]]) -> None:
        self.store, self.scope, self._embedders = store, scope, tuple(embedders)
        self.looked = 0  # times that something written was taken in
        self._clear()

    def _clear(self) -> None:
        self.lexical = Lexical()
        self.flats = {
            embedder.name: (key, Flat(embedder.dim, _kappa(embedder), remove_common=embedder.remove_common))
            for embedder, key in self._embedders
        }
        self.heads = Heads()
        self.readings = Readings()
        self.years: set[int] = set()
        self.speakers: dict[str, int] = {}
        self.names: list[str] = []  # speakers a question may mean: "user" and "assistant" name nobody
        self.without_words = 0
        self._sessions: dict[str, int] = {}
        self._last: dict[int, list[int]] = {}
        self._seq, self._at = Column(np.int64), Column(np.float64)
        self._speaker, self._user, self._marks = Column(np.int32), Column(np.bool_), Column(np.uint8)
        self._chars, self._marked = Column(np.int32), Column(np.int64)
        self._neighbours = Column(np.int32, 2 * REACH + 1)
        self._seen_at = Column(np.float64)
        self._told_by, self._told = Column(np.int64), Column(np.float64, 2)
        self.fates = Fates()
        self.contradictions: dict[str, set[str]] = {}
        self._stale_links = False
        self._log: int | None = None  # the last row of the log of changes that was taken in
        self._add_columns([(0, "", "", -1, None, b"", None, 0, 0, 0.0, None, None)])
        self._version: int | None = None
        self._before: Before | None = None

    @property
    def seq(self) -> NDArray[np.int64]:
        """Row in the file, (count + 1,); row 0 is nobody here and below."""
        return self._seq.view

    @property
    def at(self) -> NDArray[np.float64]:
        """When it happened [s], NaN where not known."""
        return self._at.view

    @property
    def seen_at(self) -> NDArray[np.float64]:
        """When memory learned it [s]."""
        return self._seen_at.view

    @property
    def speaker(self) -> NDArray[np.int32]:
        """Number of the speaker, see `speakers`."""
        return self._speaker.view

    @property
    def user(self) -> NDArray[np.bool_]:
        """Whether the role is user."""
        return self._user.view

    @property
    def marks(self) -> NDArray[np.uint8]:
        """Standing-instruction bits, see marks.py."""
        return self._marks.view

    @property
    def marked(self) -> NDArray[np.int64]:
        """User units with any mark, ascending."""
        return self._marked.view

    @property
    def chars(self) -> NDArray[np.int32]:
        """Length of "speaker: text" [characters]."""
        return self._chars.view

    @property
    def told(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Units, ascending, and the days each tells of: start and end [s], (times, 2)."""
        return self._told_by.view, self._told.view

    @property
    def neighbours(self) -> NDArray[np.int32]:
        """(count + 1, 2 REACH + 1): the unit itself, then -1, +1, -2, +2, ... in its session; 0 = nobody."""
        return self._neighbours.view

    @property
    def count(self) -> int:
        return len(self._seq) - 1

    def refresh(self) -> None:
        """Take in what was written since the last time, by this process or another.

        Raises DamagedFile where a row holds what it cannot hold; the index then begins anew at the next refresh.
        """
        if (version := self.store.version(self.scope)) == self._version:
            return
        try:
            with self.store.snapshot(self.scope), _collector_at_rest():
                changed = self._changed()
                self._take(self.store.scan(self.scope, int(self.seq[-1])))
                self._take_states(changed)
        except (TypeError, ValueError, OverflowError) as why:  # a flipped bit made another type of a value
            self._clear()
            raise DamagedFile(self.store.path, f"a row holds what it cannot hold: {why}") from why
        self._version = version
        self.looked += 1

    def _changed(self) -> list[int] | None:
        """Seqs of turns whose state changed since the last time, None = all; begins anew where something was erased."""
        if self._log is None:
            return None
        tail = past.after(self.store, self.scope, self._log)
        if any(row.op == "erase" for row in tail):
            before = Before(self.seq, self.neighbours, {name: flat for name, (_, flat) in self.flats.items()})
            self._clear()
            self._before = before
            return None
        self._stale_links |= any(row.kind == "link" for row in tail)
        self._log = tail[-1].seq if tail else self._log
        return [row.first for row in tail if row.op == "set" and row.kind == "turn"]

    def _take_states(self, changed: list[int] | None) -> None:
        """Take in what has become of turns. changed: seqs, None = all"""
        if changed is None:
            self._log = past.head(self.store, self.scope)
        if self._stale_links or changed is None:
            self.contradictions = _both_ways(self.store.links(self.scope, "contradicts"))
            self._stale_links = False
        if changed == []:
            return
        for seq, state, heir in past.states(self.store, self.scope, changed):
            if unit := self.unit_of(seq):
                self.fates.put(unit, state, self.unit_of(heir) if heir else 0)

    def unit_of(self, seq: int) -> int:
        """The unit of a row of the file, 0 where there is none."""
        place = int(np.searchsorted(self.seq, seq))
        return place if place < len(self._seq) and self.seq[place] == seq else 0

    def own(self, units: Sequence[int]) -> NDArray[np.float32]:
        """Own vectors of units, no neighbours, of the first embedder; (len(units), dim) unit rows, dim 0 of none."""
        if not self._embedders:
            return np.zeros((len(units), 0), np.float32)
        embedder, key = self._embedders[0]
        wanted, places = np.unique(np.asarray(units, np.int32), return_inverse=True)
        rows = _Halves(self, key, embedder.dim)(wanted)[places].astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        unit: NDArray[np.float32] = rows / np.maximum(lengths, np.float32(1e-9))
        return unit

    def view(self, moment: Moment, *, history: bool = False) -> View:
        """The units as seen from a moment. history: whether what no longer holds keeps its place"""
        then = None
        if moment.known_at is not None:
            later = past.states_before(self.store, self.scope, moment.known_at)
            then = folded_back(
                self.fates,
                ((self.unit_of(seq), state, self.unit_of(heir) if heir else 0) for seq, state, heir in later),
            )
        return View(self.fates, moment, self.at, self.seen_at, then, history=history)

    def written(self) -> None:
        """This process has written: look again at the next refresh."""
        self._version = None

    def _take(self, rows: Iterable[UnitRow]) -> None:
        rows = iter(rows)
        touched: set[int] = set()
        while batch := list(islice(rows, _BATCH)):
            touched |= self._add(batch)
        before, self._before = self._before, None
        if not self.count:
            return
        old = np.fromiter(sorted(touched), np.int32, count=len(touched))
        for name, (key, flat) in self.flats.items():
            if before is not None:
                old = np.union1d(old, before.give(name, flat, self.seq, self.neighbours)).astype(np.int32)
            if len(old) or flat.count < self.count:
                flat.grow(self.neighbours, old[old <= flat.count], _Halves(self, key, flat.dim))

    def _add(self, batch: list[UnitRow]) -> set[int]:
        """Append units; which older ones got a new neighbour."""
        start = self.count + 1
        self._add_columns(batch)
        self.lexical.add([bag if (bag := row[5]) and len(bag) % BAG.itemsize == 0 else b"" for row in batch])
        self.without_words += sum(row[5] is None for row in batch)
        for unit, row in enumerate(batch, start=start):
            if row[6]:
                self.heads.add(row[6], unit)
        return self._link([self._session_of(row[1]) for row in batch], start)

    def _add_columns(self, batch: list[UnitRow]) -> None:
        seqs, _, speakers, roles, times, _, _, marks, chars, seen, slots, values = zip(*batch, strict=True)
        self._seq.append(np.array(seqs, np.int64))
        self._at.append(np.array([np.nan if at is None else at for at in times], np.float64))
        self._seen_at.append(np.array(seen, np.float64))
        self._user.append(np.array(roles) == _USER)
        start = len(self._marks)
        self._marks.append(np.array([(mark or 0) & 0xFF for mark in marks], np.uint8))
        lengths = np.clip(np.array([length or 0 for length in chars]), 0, MAX_TEXT_CHARS)
        names = np.array([len(name) + 2 if name else 0 for name in speakers])
        self._chars.append((lengths + names).astype(np.int32))
        self._marked.append(start + np.flatnonzero(((self.marks[start:] & STANDING) > 0) & self.user[start:]))
        self._speaker.append(np.array([self._speaker_of(name) for name in speakers], np.int32))
        for unit, (slot, value) in enumerate(zip(slots, values, strict=True), start=start):
            if slot is not None and value is not None:
                at = times[unit - start]
                self.fates.state_that(unit, slot, value, seen[unit - start] if at is None else at)
        self._tell(marks, times, start)
        self.years |= _years(self.at[-len(batch) :])
        neighbours = np.zeros((len(batch), 2 * REACH + 1), np.int32)
        neighbours[:, 0] = np.arange(len(self._neighbours), len(self._neighbours) + len(batch))
        self._neighbours.append(neighbours)

    def _tell(self, marks: Sequence[int | None], times: Sequence[float | None], start: int) -> None:
        found = [
            (unit, at, one)
            for unit, (mark, at) in enumerate(zip(marks, times, strict=True), start=start)
            if mark and mark >> MARK_BITS and at is not None
            for one in unpacked(mark >> MARK_BITS)
        ]
        if found:
            days = [(at // DAY_SECONDS - one.back, one.days) for _, at, one in found]
            self._told_by.append(np.array([unit for unit, _, _ in found]))
            self._told.append(DAY_SECONDS * np.array([(first, first + many) for first, many in days], np.float64))

    def _speaker_of(self, name: str) -> int:
        if name not in self.speakers:
            self.speakers[name] = len(self.speakers)
            if name and name.lower() not in ROLES:
                self.names.append(name)
        return self.speakers[name]

    def _session_of(self, name: str) -> int:
        return self._sessions.setdefault(name, len(self._sessions))

    def _link(self, sessions: list[int], start: int) -> set[int]:
        """Make neighbours of turns that follow each other in a session."""
        present = dict.fromkeys(sessions)
        before = [(session, unit) for session in present for unit in self._last.get(session, ())]
        owner = np.array([session for session, _ in before] + sessions)
        units = np.array([unit for _, unit in before] + list(range(start, start + len(sessions))), np.int32)
        order = np.argsort(owner, kind="stable")
        owner, units = owner[order], units[order]
        for step in range(1, REACH + 1):
            same = owner[step:] == owner[:-step]
            later, earlier = units[step:][same], units[:-step][same]
            self.neighbours[later, 2 * step - 1] = earlier
            self.neighbours[earlier, 2 * step] = later
        ends = np.append(np.flatnonzero(np.diff(owner)) + 1, len(owner))
        for end, begin in zip(ends, [0, *ends[:-1]], strict=True):
            self._last[int(owner[begin])] = units[max(begin, end - REACH) : end].tolist()
        return {unit for _, unit in before}


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Row tuples by the hundred thousand keep the garbage collector busy a fifth of the time, for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Halves:
    """Own vectors of units, read from the file: runs of units in one go, the others one by one."""

    def __init__(self, index: ScopeIndex, key: int, dim: int) -> None:
        self.index, self.key, self.dim = index, key, dim

    def __call__(self, units: Ints) -> Halves:
        """(len(units), dim) float16; zeros where there is no vector. units: ascending"""
        seqs = self.index.seq[units]
        ends = np.append(np.flatnonzero(np.diff(units) > _GAP) + 1, len(units))
        found: list[tuple[int, bytes]] = []
        single: list[int] = []
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            if end - start < _RUN:
                single += seqs[start:end].tolist()
            else:
                found += self.index.store.halves(self.index.scope, self.key, int(seqs[start]), int(seqs[end - 1]))
        found += self.index.store.halves_of(self.index.scope, self.key, single)
        return self._placed(seqs, [row for row in found if len(row[1]) == 2 * self.dim])

    def _placed(self, seqs: NDArray[np.int64], found: list[tuple[int, bytes]]) -> Halves:
        rows = np.zeros((len(seqs), self.dim), np.float16)
        if found:
            their, halves = zip(*found, strict=True)
            wanted = np.array(their)
            places = np.minimum(np.searchsorted(seqs, wanted), len(seqs) - 1)
            known = seqs[places] == wanted
            rows[places[known]] = np.frombuffer(b"".join(halves), np.float16).reshape(-1, self.dim)[known]
        return rows


def _both_ways(links: Iterable[Link]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for link in links:
        found.setdefault(link.source, set()).add(link.target)
        found.setdefault(link.target, set()).add(link.source)
    return found


def _years(at: NDArray[np.float64]) -> set[int]:
    known = at[~np.isnan(at)].astype("datetime64[s]").astype("datetime64[Y]")
    return {year + 1970 for year in set(known.astype(np.int64).tolist())}  # np.unique loads numpy.ma: 40 ms of a start


def _kappa(embedder: Embedder) -> tuple[float, ...]:
    """1, kappa_1, then halved per step."""
    return (1.0, *(embedder.neighbour_weight / 2**step for step in range(REACH)))
