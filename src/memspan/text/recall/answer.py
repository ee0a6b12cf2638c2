"""From a question to a Recall: embed, rank, pack, render."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memspan.core.budget import Budget, Cost
from memspan.core.protocols import Embedder
from memspan.core.records import Hit, Recall, Status, Turn
from memspan.core.tokens import CountTokens
from memspan.text.extract.standing import advice_seeking
from memspan.text.index.fates import Moment, View
from memspan.text.index.marks import SUSPECT
from memspan.text.index.scope import ScopeIndex
from memspan.text.recall import confidence, context
from memspan.text.recall.advice import kind, without
from memspan.text.recall.context import Note
from memspan.text.recall.pack import Packer, note_of_turn
from memspan.text.recall.rank import MAX_QUESTION_CHARS, Asked, Ranking, rank
from memspan.text.recall.setting import Setting
from memspan.text.safety.trust import trust_of

_READ_AHEAD = 16


class Answerer:
    """Answers questions from one index.

    setting: of recall;  embedders: of the dense arms;  count_tokens: for the budget
    """

    def __init__(
        self, index: ScopeIndex, setting: Setting, embedders: Sequence[Embedder], count_tokens: CountTokens
    ) -> None:
        self.index, self.setting, self.embedders, self.count_tokens = index, setting, embedders, count_tokens
        self._secret = index.store.secret()
        self._kinds: dict[str, NDArray[np.float32]] = {}

    def on(self, index: ScopeIndex) -> "Answerer":
        """The same on another index."""
        other = Answerer(index, self.setting, self.embedders, self.count_tokens)
        other._kinds = self._kinds
        return other

    def recall(self, question: str, budget: Budget, limit: int | None, moment: Moment, *, history: bool) -> Recall:
        """What memory has on a question, within the budget, at most `limit` hits, as seen from a moment.

        history: whether what no longer holds keeps its place
        """
        read = _Reader(self.index)
        view = self.index.view(moment, history=history)
        ranking = self.ranking(question, view, limit or 0, read)
        read.ahead(ranking.standing)
        told = _Told(self.index, ranking, view)
        packer = Packer(budget.tokens, self.count_tokens, self.setting, told.note, told.against)
        pinned = ((unit, turn) for unit in ranking.standing if (turn := read.turn(unit)) is not None)
        standing = self._hits(ranking, list(packer.standing(pinned)), told, read)
        shown = {hit.id for hit in standing} if budget.tokens is not None else set()
        hits = self._hits(ranking, list(packer.walk(self._candidates(ranking, read, packer, shown), limit)), told, read)
        block = context.render(hits, standing, self._secret)
        return Recall(
            question=question,
            hits=tuple(hits),
            standing=tuple(standing),
            context=block,
            confidence=confidence.of(ranking, self.index.count, self.setting.name),
            cost=Cost(tokens=self.count_tokens(block)),
        )

    def ranking(self, question: str, view: View, depth: int = 0, read: "_Reader | None" = None) -> Ranking:
        """The scope's units in view ranked for a question, at least `depth` of them where there are so many."""
        read = read or _Reader(self.index)
        asked = question[:MAX_QUESTION_CHARS]
        vectors = {embedder.name: embedder.embed([asked])[0] for embedder in self.embedders} if self.index.count else {}
        sought: dict[str, NDArray[np.float32]] = {}
        if advice_seeking(asked):
            sought = {name: without(vector, self._kind(name)) for name, vector in vectors.items()}
        depth = max(self.setting.depth, depth)
        return rank(self.index, Asked(asked, vectors, sought), self.setting, read.texts, depth, view)

    def _kind(self, name: str) -> NDArray[np.float32]:
        """What questions for advice share, in an embedder's vectors; found once."""
        if name not in self._kinds:
            self._kinds[name] = kind(next(one for one in self.embedders if one.name == name))
        return self._kinds[name]

    def _candidates(
        self, ranking: Ranking, read: "_Reader", packer: Packer, shown: set[str]
    ) -> Iterator[tuple[int, Turn]]:
        """Ranked turns, best first, without those shown already and those that cannot fit any more."""
        waiting = ranking.units
        while len(waiting):
            ahead = waiting[:_READ_AHEAD]
            read.ahead(ahead.tolist())
            for unit in ahead.tolist():
                if (turn := read.turn(unit)) is not None and turn.id not in shown:
                    yield unit, turn
            waiting = waiting[_READ_AHEAD:]
            waiting = waiting[packer.may_fit(self.index.chars[waiting])]

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
                sources=(turn.id,),
                why=why,
                tokens=tokens,
                meta=turn.meta,
                trust=1.0 if turn.role == "user" and not turn.meta else trust_of(turn.role, turn.meta),
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


class _Told:
    """What is said of a unit beside its text."""

    def __init__(self, index: ScopeIndex, ranking: Ranking, view: View) -> None:
        self._index, self._heirs, self._view = index, ranking.heirs, view
        self._marks = index.marks

    def note(self, unit: int, turn: Turn) -> Note:
        """For its label in the block."""
        note, suspect = note_of_turn(unit, turn), self.suspect(unit)
        if unit not in self._heirs and not suspect:
            return note
        status: Status = "superseded" if unit in self._heirs else "active"
        return replace(note, status=status, until=self.until(unit), suspect=suspect)

    def against(self, turn: Turn) -> frozenset[str] | set[str]:
        """Ids of turns it contradicts."""
        return self._index.contradictions.get(turn.id, _NONE)

    def suspect(self, unit: int) -> bool:
        """Whether it reads like an instruction from somebody who may not give one."""
        return bool(self._marks[unit] & SUSPECT)

    def until(self, unit: int) -> float | None:
        """Until when it held: as its state says, else when its heir was said [s]."""
        if unit not in self._heirs:
            return None
        heir = self._heirs[unit]
        end = self._view.until(unit)
        if end is None and heir:
            end = float(self._index.seen_at[heir] if np.isnan(self._index.at[heir]) else self._index.at[heir])
        return end


class _Reader:
    """Reads turns of units, each once."""

    def __init__(self, index: ScopeIndex) -> None:
        self.index = index
        self._turns: dict[int, Turn | None] = {}

    def ahead(self, units: Sequence[int]) -> None:
        wanted = [unit for unit in units if unit and unit not in self._turns]
        if not wanted:
            return
        seqs = self.index.seq[wanted].tolist()
        found = self.index.store.fetch(self.index.scope, seqs)
        self._turns.update((unit, found.get(seq)) for unit, seq in zip(wanted, seqs, strict=True))

    def turn(self, unit: int) -> Turn | None:
        """None where its row is damaged: nothing wrong is ever served."""
        self.ahead([unit])
        return self._turns.get(unit)

    def texts(self, units: Sequence[int]) -> Mapping[int, str]:
        self.ahead(units)
        return {unit: turn.text for unit in units if (turn := self._turns[unit]) is not None}
