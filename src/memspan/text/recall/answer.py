"""From a question to a Recall: embed, rank, pack, render."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memspan.core.budget import Budget, Cost
from memspan.core.protocols import Embedder
from memspan.core.records import Hit, Quality, Recall, Status, Turn, stored_turn
from memspan.core.tokens import CountTokens
from memspan.text.embed.onnx import Onnx
from memspan.text.embed.static import unread
from memspan.text.extract.framing import matter
from memspan.text.extract.standing import advice_seeking
from memspan.text.index.fates import Moment, View
from memspan.text.index.marks import SUSPECT
from memspan.text.index.records import RecordIndex
from memspan.text.index.scope import ScopeIndex
from memspan.text.recall import confidence, context
from memspan.text.recall.advice import kind, without
from memspan.text.recall.beside import TURN, Guests, joined
from memspan.text.recall.context import Note
from memspan.text.recall.pack import Packer, note_of_turn
from memspan.text.recall.rank import MAX_QUESTION_CHARS, Asked, Ranking, rank
from memspan.text.recall.rerank import BRIDGE, Reranker
from memspan.text.recall.setting import Setting
from memspan.text.safety.trust import source_of, trust_of
from memspan.text.store import cited
from memspan.text.store.cited import Cited

_READ_AHEAD = 16
KEYS = "keys"
"""The boost of a turn that a record with its words, but other keys, has found."""


class Answerer:
    """Answers questions from one index.

    setting: of recall;  embedders: of the dense arms;  count_tokens: for the budget
    """

    def __init__(
        self, index: ScopeIndex, setting: Setting, embedders: Sequence[Embedder], count_tokens: CountTokens
    ) -> None:
        self.index, self.setting, self.embedders, self.count_tokens = index, setting, embedders, count_tokens
        self._given, self._derived = (RecordIndex(index, embedders, derived=derived) for derived in (False, True))
        self._secret = index.store.secret()
        self._kinds: dict[str, NDArray[np.float32]] = {}

    def on(self, index: ScopeIndex) -> "Answerer":
        """The same on another index."""
        other = Answerer(index, self.setting, self.embedders, self.count_tokens)
        other._kinds = self._kinds
        if "_reranker" in self.__dict__:
            other.__dict__["_reranker"] = self._reranker  # its model is loaded
        return other

    def recall(
        self,
        question: str,
        budget: Budget,
        limit: int | None,
        moment: Moment,
        *,
        history: bool,
        kinds: Sequence[str] | None = None,
        quality: Quality = "fast",
    ) -> Recall:
        """What memory has on a question, within the budget, at most `limit` hits, as seen from a moment.

        history: whether what no longer holds keeps its place;  kinds, quality: see Memory.recall
        """
        with_turns = kinds is None or TURN in kinds
        read = _Reader(self.index, self._guests(moment, kinds, history=history), with_turns=with_turns)
        view = self.index.view(moment, history=history)
        ranking = self.ranking(question, view, limit or 0, read)
        if not with_turns:
            _without_turns(ranking, self.index.count)
        likely = confidence.of(ranking, self.index.count, self.setting.name)  # fitted to the fast ranking
        if quality == "high":
            ranking = self.ranking(question, view, limit or 0, read, quality)
            if not with_turns:
                _without_turns(ranking, self.index.count)
        read.ahead(ranking.standing)
        told = _Told(read, ranking, view)
        packer = Packer(budget.tokens, self.count_tokens, self.setting, told.note, told.against)
        pinned = ((unit, turn) for unit in ranking.standing if (turn := read.turn(unit)) is not None)
        standing = self._hits(ranking, list(packer.standing(pinned)), told, read)
        shown = {hit.id for hit in standing} if budget.tokens is not None else set()
        places: dict[int, int] = {}
        packed = list(packer.walk(self._candidates(told, packer, shown, places, limit), limit))
        hits = self._hits(ranking, sorted(packed, key=lambda item: places[item[0]]), told, read)
        block = context.render(hits, standing, self._secret)
        return Recall(
            question=question,
            hits=tuple(hits),
            standing=tuple(standing),
            context=block,
            confidence=likely,
            cost=Cost(tokens=self.count_tokens(block)),
        )

    def _guests(self, moment: Moment, kinds: Sequence[str] | None, *, history: bool) -> list[Guests]:
        """The records to be ranked beside the turns."""
        if not self.index.count or (kinds is not None and set(kinds) <= {TURN}):
            return []
        found: list[Guests] = []
        offset = self.index.count
        for records in (self._given,) if kinds is None else (self._given, self._derived):
            records.refresh()
            if not records.count:
                continue
            view = records.view(moment, history=history)
            there = view.mask & records.of_kinds(kinds)
            if there.any():
                found.append(Guests(records, view, there, offset))
                offset += records.count
        return found

    def ranking(
        self, question: str, view: View, depth: int = 0, read: "_Reader | None" = None, quality: Quality = "fast"
    ) -> Ranking:
        """The scope's units in view ranked for a question, at least `depth` of them where there are so many."""
        read = read or _Reader(self.index)
        asked = question[:MAX_QUESTION_CHARS]
        about = matter(asked)
        vectors = {embedder.name: embedder.embed([about])[0] for embedder in self.embedders} if self.index.count else {}
        sought: dict[str, NDArray[np.float32]] = {}
        if advice_seeking(asked):
            sought = {name: without(vector, self._kind(name)) for name, vector in vectors.items()}
        depth = max(self.setting.depth, depth)
        setting, reranker = self.setting, None
        if quality == "high" and asked.strip() and not unread(asked):
            setting, reranker = replace(setting, bridge=BRIDGE), self._reranker
        ranking = rank(self.index, Asked(asked, about, vectors, sought), setting, read.texts, depth, view, reranker)
        return joined(ranking, self.index, read.guests, asked, setting, depth, read.texts)

    @cached_property
    def _reranker(self) -> Reranker:
        """Reads with the setting's own MiniLM where it has one."""
        mine = [embedder for embedder in self.embedders if isinstance(embedder, Onnx)]
        return Reranker(mine[0] if mine else Onnx(), vector=not mine)

    def _kind(self, name: str) -> NDArray[np.float32]:
        """What questions for advice share, in an embedder's vectors; found once."""
        if name not in self._kinds:
            self._kinds[name] = kind(next(one for one in self.embedders if one.name == name))
        return self._kinds[name]

    def _candidates(
        self, told: "_Told", packer: Packer, shown: set[str], places: dict[int, int], limit: int | None
    ) -> Iterator[tuple[int, Turn]]:
        """Ranked turns and records as they are to be tried, without those shown already and those that cannot fit.

        places: takes in where each is ranked
        """
        units, read, turns = told.ranking.units, told.read, self.index.count
        waiting = packer.order(told.ranking.scores, read.chars[units], limit)
        while len(waiting):
            ahead = waiting[:_READ_AHEAD]
            read.ahead(units[ahead].tolist())
            for place, ranked in zip(ahead.tolist(), units[ahead].tolist(), strict=True):
                unit = told.instead(ranked) if ranked > turns else ranked
                if unit and unit not in places and (turn := read.turn(unit)) is not None and turn.id not in shown:
                    places[unit] = place
                    yield unit, turn
            waiting = waiting[_READ_AHEAD:]
            waiting = waiting[packer.may_fit(read.chars[units[waiting]])]

    def _hits(
        self, ranking: Ranking, items: Sequence[tuple[int, Turn, int]], told: "_Told", read: "_Reader"
    ) -> list[Hit]:
        if not items:
            return []
        ids = {turn.id for _, turn, _ in items}
        read.ahead([heir for unit, _, _ in items if (heir := ranking.heirs.get(unit))])
        explained = ranking.explain(np.array([unit for unit, _, _ in items]))
        return [
            Hit(
                id=turn.id,
                text=turn.text,
                score=score,
                rank=number,
                speaker=turn.speaker,
                role=turn.role,
                session=turn.session,
                at=turn.at,
                seen_at=turn.seen_at or 0.0,
                sources=read.sources(unit, turn),
                why=why,
                tokens=tokens,
                meta=turn.meta,
                kind=read.kind(unit),
                trust=read.trust(unit, turn),
                status="superseded" if unit in ranking.heirs else "active",
                until=told.until(unit),
                heir=self._heir(unit, ranking, read),
                contradicts=tuple(sorted(against & ids)) if (against := told.against(turn)) else (),
                suspect=told.suspect(unit),
            )
            for number, ((unit, turn, tokens), (score, why)) in enumerate(zip(items, explained, strict=True), start=1)
        ]

    def _heir(self, unit: int, ranking: Ranking, read: "_Reader") -> str:
        """Id of what replaced a unit, empty where nothing did."""
        heir = read.turn(ranking.heirs[unit]) if unit in ranking.heirs else None
        return "" if heir is None else heir.id


_NONE: frozenset[str] = frozenset()


def _without_turns(ranking: Ranking, count: int) -> None:
    """Leave records only. count: units of turns"""
    records = ranking.units > count
    ranking.units, ranking.scores = ranking.units[records], ranking.scores[records]
    ranking.standing, ranking.lifted = [], []


class _Told:
    """What is said of a unit beside its text."""

    def __init__(self, read: "_Reader", ranking: Ranking, view: View) -> None:
        self.read, self.ranking, self._view = read, ranking, view
        self._index, self._marks = read.index, read.index.marks

    def note(self, unit: int, turn: Turn) -> Note:
        """For its label in the block."""
        note, suspect = self.read.note(unit, turn), self.suspect(unit)
        if unit not in self.ranking.heirs and not suspect:
            return note
        status: Status = "superseded" if unit in self.ranking.heirs else "active"
        return replace(note, status=status, until=self.until(unit), suspect=suspect)

    def against(self, turn: Turn) -> frozenset[str] | set[str]:
        """Ids of turns it contradicts."""
        return self._index.contradictions.get(turn.id, _NONE)

    def suspect(self, unit: int) -> bool:
        """Whether it reads like an instruction from somebody who may not give one."""
        if unit < len(self._marks):
            return bool(self._marks[unit] & SUSPECT)
        some = self.read.among(unit)
        return some is not None and bool(some.index.suspect[unit - some.offset])

    def until(self, unit: int) -> float | None:
        """Until when it held: as its state says, else when its heir was said [s]."""
        if unit not in self.ranking.heirs:
            return None
        heir, some = self.ranking.heirs[unit], self.read.among(unit)
        end = self._view.until(unit) if some is None else some.view.until(unit - some.offset)
        if end is None and heir:
            index, place = (self._index, heir) if some is None else (some.index, heir - some.offset)
            end = float(index.seen_at[place] if np.isnan(index.at[place]) else index.at[place])
        return end

    def instead(self, unit: int) -> int:
        """The unit to be shown for a record: a turn it cites, where that says the same words; 0 = nothing."""
        cited = self.read.cited(unit)
        turn = self._index.unit_of(cited.ground.same) if cited and cited.ground.same and self.read.with_turns else 0
        if not turn or not self._view.sees(turn):
            return unit
        return 0 if turn in self.ranking.heirs else self._raised(turn, unit)

    def _raised(self, turn: int, record: int) -> int:
        """The turn, now worth as much as the record whose keys found it."""
        (mine, _), (best, _) = self.ranking.explain(np.array([turn, record]))
        if best > mine:
            raised = self.ranking.boosts.setdefault(KEYS, np.zeros(len(self.read.chars), np.float32))
            raised[turn] += best - mine
        return turn


class _Reader:
    """Reads turns of units, each once; a record, numbered after the turns, reads like a turn nobody spoke.

    guests: the records that are ranked;  with_turns: whether turns are given out too
    """

    def __init__(self, index: ScopeIndex, guests: Sequence[Guests] = (), *, with_turns: bool = True) -> None:
        self.index, self.guests, self.with_turns = index, guests, with_turns
        self._turns: dict[int, Turn | None] = {}
        self._cited: dict[int, Cited] = {}
        self._backwards = tuple(reversed(self.guests))
        self.chars = index.chars
        if guests:
            self.chars = np.concatenate([index.chars, *(some.index.chars[1:] for some in guests)])

    def ahead(self, units: Sequence[int]) -> None:
        wanted = [unit for unit in units if unit and unit not in self._turns]
        for some in self._backwards if wanted else ():
            self._records_ahead(some, [unit for unit in wanted if unit > some.offset])
            wanted = [unit for unit in wanted if unit <= some.offset]
        if not wanted:
            return
        seqs = self.index.seq[wanted].tolist()
        found = self.index.store.fetch(self.index.scope, seqs)
        self._turns.update((unit, found.get(seq)) for unit, seq in zip(wanted, seqs, strict=True))

    def _records_ahead(self, some: Guests, wanted: Sequence[int]) -> None:
        seqs = [int(some.index.seq[unit - some.offset]) for unit in wanted]
        found = cited.read(self.index.store, self.index.scope, seqs, some.index.grounds) if seqs else {}
        for unit, seq in zip(wanted, seqs, strict=True):
            self._turns[unit] = None
            if one := found.get(seq):
                self._cited[unit], self._turns[unit] = one, _as_turn(one, self.index.scope)

    def among(self, unit: int) -> Guests | None:
        """The records among which a unit is, None = it is a turn."""
        for some in self._backwards:
            if unit > some.offset:
                return some
        return None

    def turn(self, unit: int) -> Turn | None:
        """None where its row is damaged: nothing wrong is ever served."""
        if unit not in self._turns:
            self.ahead([unit])
        return self._turns.get(unit)

    def cited(self, unit: int) -> Cited | None:
        """The record, None where it is a turn or damaged."""
        if unit not in self._turns:
            self.ahead([unit])
        return self._cited.get(unit)

    def texts(self, units: Sequence[int]) -> Mapping[int, str]:
        self.ahead(units)
        return {unit: turn.text for unit in units if (turn := self._turns[unit]) is not None}

    # -- of what was read

    def kind(self, unit: int) -> str:
        return self._cited[unit].kind if unit in self._cited else TURN

    def sources(self, unit: int, turn: Turn) -> tuple[str, ...]:
        return self._cited[unit].ground.ids if unit in self._cited else (turn.id,)

    def trust(self, unit: int, turn: Turn) -> float:
        if unit in self._cited:
            return self._cited[unit].trust
        return 1.0 if turn.role == "user" and not turn.meta else trust_of(turn.role, turn.meta)

    def note(self, unit: int, turn: Turn) -> Note:
        if unit not in self._cited:
            return note_of_turn(unit, turn)
        record = self._cited[unit]
        source = source_of(turn.role, turn.speaker, turn.meta)
        return Note(kind=record.kind, role=turn.role, trust=record.trust, source=source)


def _as_turn(one: Cited, scope: str) -> Turn:
    """A record in the form in which turns are packed."""
    at = one.recorded_at if one.valid_from is None else one.valid_from
    return stored_turn(one.text, "", one.ground.role, "", at, one.recorded_at, one.payload, one.id, scope)
