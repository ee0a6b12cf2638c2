"""Records searched beside the turns of their scope, in memory, as the turns' own index is.

A record is found by its text and its keys. It is scored by the statistics of the turns, as if it were one turn more
that stands alone in its session; what is said of turns is never changed by it. So the scores of both can be compared,
and one record can be found as well as ten thousand.

Records that consolidation made and those that were given are two indexes, so that neither counts for the other.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from memspan.core.protocols import Embedder
from memspan.text.consolidate.derived import RECIPE
from memspan.text.index.columns import Column
from memspan.text.index.fates import Fates, Mask, Moment, View, folded_back
from memspan.text.index.flat import Flat, Halves, Ints
from memspan.text.index.lexical import Lexical
from memspan.text.index.scope import ScopeIndex
from memspan.text.index.words import bag
from memspan.text.safety.suspect import is_suspect
from memspan.text.safety.trust import USER
from memspan.text.store import cited, past
from memspan.text.store.change_rows import Row
from memspan.text.store.cited import Cited, Ground

_STANDING = ("instruction", "preference")  # of what consolidation makes, these hold for a time; the others tell of one
_BATCH = 1000

Floats = NDArray[np.float32]
Times = NDArray[np.float64]


class RecordIndex:
    """Postings, vector planes, times and states of the records of a scope; numbered 1, 2, ..., 0 is nobody.

    turns: the index of the turns, whose statistics count;  embedders: those whose planes are kept
    derived: whether of the records that consolidation made, else of those that were given
    """

    def __init__(self, turns: ScopeIndex, embedders: Sequence[Embedder], *, derived: bool) -> None:
        self.turns, self.derived, self._embedders = turns, derived, tuple(embedders)
        self._known: dict[tuple[int, int], tuple[NDArray[np.float16], ...]] = {}  # vectors not to be made again
        self._looked = -1
        self._clear()

    def _clear(self) -> None:
        """Begin anew."""
        self._log: int | None = None  # the last row of the log of changes that was taken in
        self.lexical, self.fates = Lexical(), Fates()
        self.kinds: dict[str, int] = {}
        self._unit_of: dict[int, int] = {}
        self.grounds: dict[int, Ground] = {}  # of each record, by its row
        self._seq, self._crc = Column(np.int64), Column(np.int64)
        self._kind, self._chars = Column(np.int32), Column(np.int32)
        self._at, self._seen_at, self._end = Column(np.float64), Column(np.float64), Column(np.float64)
        self._trusted, self._suspect, self._there = Column(np.bool_), Column(np.bool_), Column(np.bool_)
        self._own = {embedder.name: Column(np.float16, embedder.dim) for embedder in self._embedders}
        self._planes: dict[str, Flat] = {}
        for column in (self._seq, self._crc, self._kind, self._chars, self._at, self._seen_at, self._end):
            column.append(np.zeros(1))
        for flags in (self._trusted, self._suspect, self._there):
            flags.append(np.zeros(1, np.bool_))
        for embedder in self._embedders:
            self._own[embedder.name].append(np.zeros((1, embedder.dim), np.float16))

    @property
    def count(self) -> int:
        return len(self._seq) - 1

    @property
    def seq(self) -> NDArray[np.int64]:
        """Row in the file, (count + 1,); row 0 is nobody here and below."""
        return self._seq.view

    @property
    def chars(self) -> NDArray[np.int32]:
        """Length of the text with the least that its label takes [characters]."""
        return self._chars.view

    @property
    def at(self) -> Times:
        """Since when it holds, or when all that it tells of had happened [s], NaN where not known."""
        return self._at.view

    @property
    def seen_at(self) -> Times:
        """When memory recorded these words [s]."""
        return self._seen_at.view

    @property
    def trusted(self) -> Mask:
        """Whether it rests on the user's own words alone."""
        return self._trusted.view

    @property
    def suspect(self) -> Mask:
        """Whether it reads like an instruction from somebody who may not give one."""
        return self._suspect.view

    def refresh(self) -> None:
        """Take in what was written since the last time; the turns' index has been refreshed before.

        A damaged record is left out, with a warning. Raises DamagedFile where the log of changes is damaged.
        """
        if self._looked == self.turns.looked:
            return
        store, scope, looked = self.turns.store, self.turns.scope, self.turns.looked
        with store.snapshot(scope):
            tail = [] if self._log is None else past.after(store, scope, self._log)
            if self._log is None or any(row.op == "erase" for row in tail):
                self._known = self._vectors()
                self._clear()
                self._add(cited.seqs(store, scope, RECIPE, made_by=self.derived), cited.renewed(store, scope))
                self._take_states(None)
                self._known = {}
                self._log = past.head(store, scope)
            elif tail:
                self._grow([row for row in tail if row.kind == "record"])
                self._log = tail[-1].seq
        self._looked = looked

    def _grow(self, tail: Sequence[Row]) -> None:
        """Take in rows of the log."""
        renewed = {row.first: row.at for row in tail if row.op == "renew"}
        for seq in renewed:
            if unit := self._unit_of.pop(seq, 0):
                self._there.view[unit] = False
        added = chain.from_iterable(range(row.first, row.last + 1) for row in tail if row.op == "add")
        self._add(sorted({*added, *renewed}), renewed)
        self._take_states([*(row.first for row in tail if row.op == "set"), *renewed])

    def _add(self, seqs: Sequence[int], renewed: dict[int, float]) -> None:
        store, scope = self.turns.store, self.turns.scope
        for start in range(0, len(seqs), _BATCH):
            found = cited.read(store, scope, seqs[start : start + _BATCH])
            mine = [one for _, one in sorted(found.items()) if (one.recipe == RECIPE) == self.derived]
            if mine:
                self._append(mine, renewed)

    def _append(self, found: Sequence[Cited], renewed: dict[int, float]) -> None:
        texts = [one.searched for one in found]
        self._unit_of |= {one.seq: unit for unit, one in enumerate(found, start=self.count + 1)}
        self.grounds |= {one.seq: one.ground for one in found}
        self.lexical.add([bag(text) for text in texts])
        self._seq.append(np.array([one.seq for one in found]))
        self._crc.append(np.array([one.crc for one in found]))
        self._kind.append(np.array([self.kinds.setdefault(one.kind, len(self.kinds)) for one in found]))
        self._chars.append(np.array([len(one.text) + _label_chars(one.kind) for one in found]))
        self._trusted.append(np.array([one.trust >= USER for one in found]))
        self._suspect.append(np.array([is_suspect(one.text, one.trust) for one in found]))
        self._there.append(np.ones(len(found), np.bool_))
        self._seen_at.append(np.array([max(one.recorded_at, renewed.get(one.seq, 0.0)) for one in found]))
        spans = [self.derived and one.kind not in _STANDING for one in found]
        at = [one.valid_to if span else one.valid_from for one, span in zip(found, spans, strict=True)]
        self._at.append(np.array([np.nan if when is None else when for when in at]))
        ends = [None if span else one.valid_to for one, span in zip(found, spans, strict=True)]
        self._end.append(np.array([np.inf if end is None else end for end in ends]))
        self._embed(found, texts)

    def _embed(self, found: Sequence[Cited], texts: Sequence[str]) -> None:
        fresh = [place for place, one in enumerate(found) if (one.seq, one.crc) not in self._known]
        for number, embedder in enumerate(self._embedders):
            rows = np.zeros((len(found), embedder.dim), np.float16)
            if fresh:
                rows[fresh] = embedder.embed([texts[place] for place in fresh])
            for place, one in enumerate(found):
                if known := self._known.get((one.seq, one.crc)):
                    rows[place] = known[number]
            self._own[embedder.name].append(rows)

    def _vectors(self) -> dict[tuple[int, int], tuple[NDArray[np.float16], ...]]:
        """Own vectors by row and its checksum, one per embedder."""
        own = [self._own[embedder.name].view for embedder in self._embedders]
        keys = zip(self.seq.tolist(), self._crc.view.tolist(), strict=True)
        return {key: tuple(rows[unit] for rows in own) for unit, key in enumerate(keys) if unit}

    def _take_states(self, seqs: list[int] | None) -> None:
        """Take in what has become of records. seqs: None = of all"""
        for seq, state, heir in past.states(self.turns.store, self.turns.scope, seqs, "record"):
            if unit := self._unit_of.get(seq):
                self.fates.put(unit, state, self._unit_of.get(heir, 0) if heir else 0)

    def plane(self, name: str) -> Flat:
        """The vectors of one embedder, made comparable as those of the turns are."""
        theirs = self.turns.flats[name][1]
        mine = self._planes.get(name)
        if mine is None or mine.common is not theirs.common:
            mine = self._planes[name] = Flat(theirs.dim, (1.0,), remove_common=False)
            mine.common = theirs.common
        if mine.count < self.count:
            alone = np.arange(self.count + 1, dtype=np.int32)[:, None]
            mine.grow(alone, alone[:0, 0], lambda units: self._halves(name, units))
        return mine

    def _halves(self, name: str, units: Ints) -> Halves:
        return self._own[name].view[units]

    def view(self, moment: Moment, *, history: bool = False) -> "RecordView":
        """The records as seen from a moment. history: whether what no longer holds keeps its place"""
        then = None
        if moment.known_at is not None:
            later = past.states_before(self.turns.store, self.turns.scope, moment.known_at, "record")
            there = self._unit_of
            mine = ((there[seq], state, there.get(heir or 0, 0)) for seq, state, heir in later if seq in there)
            then = folded_back(self.fates, mine)
        view = View(self.fates, moment, self.at, self.seen_at, then, history=history)
        return RecordView(self, view, moment)

    def of_kinds(self, kinds: Sequence[str] | None) -> Mask:
        """Which units there are of these kinds, None = of all; (count + 1,)"""
        if kinds is None:
            return self._there.view
        wanted = [self.kinds[kind] for kind in kinds if kind in self.kinds]
        return self._there.view & np.isin(self._kind.view, wanted)


class RecordView:
    """The records of an index as seen from a moment; like the turns' View, with an end of what holds for a time."""

    def __init__(self, index: RecordIndex, view: View, moment: Moment) -> None:
        self.history, self._view = view.history, view
        self._looked = next(when for when in (moment.as_of, moment.known_at, moment.now) if when is not None)
        self._end = index._end.view
        told = [unit for unit in view.told(range(1, index.count + 1)) if view.until(unit) is not None]
        if told:
            self._end = self._end.copy()
            self._end[told] = [view.until(unit) for unit in told]
        self.mask: Mask = np.ones(index.count + 1, np.bool_) if view.mask is None else view.mask.copy()
        self.mask[0] = False
        if moment.as_of is not None:
            self.mask &= self._end > moment.as_of

    def told(self, units: NDArray[np.int64]) -> set[int]:
        """Those of the units of which anything is known to have become."""
        return {*self._view.told(units.tolist()), *units[self._end[units] <= self._looked].tolist()}

    def heir(self, unit: int) -> int:
        """The unit that holds instead of this one, itself where it holds, 0 where nothing does."""
        heir = self._view.heir(unit)
        return 0 if heir == unit and self._end[unit] <= self._looked else heir

    def until(self, unit: int) -> float | None:
        """Until when the unit held [s], None where no end is known."""
        end = float(self._end[unit])
        return end if end < np.inf else None


def _label_chars(kind: str) -> int:
    """The least that a record's label takes in the block; what is odd in a kind may be left out of it."""
    return len("(derived: ) ") + (len(kind) if kind.isascii() and kind.isalpha() and len(kind) < 50 else 0)
