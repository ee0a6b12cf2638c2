"""Packing: as much evidence as fits a token budget.

Walk down the ranking and skip what does not fit, never stop: stopping at the first unit that does not fit costs 16 to
28 points of evidence at 500 tokens where turns are long. Skip too what costs more than max(160 tokens, 40 % of the
budget): one long answer would push out a handful of facts.

Where a budget binds, a unit's worth is what it brings per token, so length takes a little from a unit's score: of two
that are nearly as good, the shorter is tried first. It pays most where turns are long (RealMem, BEAM).

A source less trusted than the assistant gets one item and a quarter of the budget while there is evidence of more
trust: whoever plants two hundred copies of a sentence gets one of them in. Where nothing else is there, it gets all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from memspan.core.records import Turn
from memspan.core.tokens import CHARS_PER_TOKEN, CountTokens, estimate
from memspan.text.recall import context
from memspan.text.recall.context import PLAIN, Note
from memspan.text.recall.setting import Setting
from memspan.text.safety.lookalikes import folded
from memspan.text.safety.trust import AGENT, source_of, trust_of

LEAST_AROUND = 5  # characters of a citation and the line's end
MOST_CHARS_PER_TOKEN = 16  # of any tokenizer, on any text worth remembering
SOURCE_SHARE = 0.25  # of the budget, for one source that is less trusted than the assistant
DOUBTED_SHARE = 0.5  # of the budget, for all such sources together

NoteOf = Callable[[int, Turn], Note]
"""What is said of a unit beside its text."""
Against = Callable[[Turn], Collection[str]]
"""Ids of turns that a turn does not agree with."""


def note_of_turn(unit: int, turn: Turn) -> Note:
    """What a turn alone tells: its role, its trust and where it came from."""
    if turn.role == "user" and not turn.meta:
        return PLAIN  # most turns are
    return Note(
        role=turn.role,
        trust=trust_of(turn.role, turn.meta),
        source=source_of(turn.role, turn.speaker, turn.meta),
    )


def _nothing(turn: Turn) -> Collection[str]:
    return ()


@dataclass(slots=True)
class Packer:
    """Fills a budget of tokens, counting what each item adds to the rendered block.

    tokens: the budget, None = no limit;  count_tokens: the counter;  setting: gives the limits
    note_of: what an item's label says;  against: which turns contradict each other
    """

    tokens: int | None
    count_tokens: CountTokens
    setting: Setting
    note_of: NoteOf = note_of_turn
    against: Against = _nothing
    spent: int = 0
    _days: set[str] = field(default_factory=set)
    _numbers: dict[str, int] = field(default_factory=dict)
    _sources: set[str] = field(default_factory=set)
    _doubted: int = 0
    _trusted: bool = False

    def __post_init__(self) -> None:
        self.spent = self.count_tokens(context.FENCE)

    def standing(self, turns: Iterable[tuple[int, Turn]]) -> Iterator[tuple[int, Turn, int]]:
        """(unit, turn, tokens) of the standing instructions that fit their own small block."""
        room = self.setting.standing_tokens - self.count_tokens(f"{context.STANDING}\n")
        if self.tokens is not None:
            room = min(room, int(self.setting.standing_share * self.tokens))
        first = True
        for number, (unit, turn) in enumerate(turns, start=1):
            note = self.note_of(unit, turn)
            cost = self.count_tokens(context.line(f"s{number}", turn.speaker, turn.text, note))
            heading = self.count_tokens(f"{context.STANDING}\n") if first else 0
            if cost > room or not self._fits(cost + heading):
                continue
            room, first = room - cost, False
            self.spent += cost + heading
            yield unit, turn, cost

    def may_fit(self, chars: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether texts of these lengths could still be packed; saves reading those that cannot."""
        if self.tokens is None:
            return np.ones(len(chars), np.bool_)
        per_token = CHARS_PER_TOKEN if self.count_tokens is estimate else MOST_CHARS_PER_TOKEN
        return (chars + LEAST_AROUND) // per_token <= min(self.tokens - self.spent, self._most())

    def order(self, scores: NDArray[np.float32], chars: NDArray[np.int32], limit: int | None) -> NDArray[np.int64]:
        """Places of ranked units in the order in which they are tried: the best, then what is short a bit sooner.

        scores, chars: of the units, best first, (units,);  limit: where hits are counted, length costs nothing
        """
        if self.tokens is None or limit is not None or not len(scores):
            return np.arange(len(scores))
        placed = np.maximum.accumulate(scores[::-1])[::-1]  # rules may have put a unit before one with a higher score
        lengths = np.maximum((chars + LEAST_AROUND) / (CHARS_PER_TOKEN * self.setting.terse_tokens), 1)
        worth = placed - self.setting.terse * np.log(lengths)
        worth[0] = np.inf
        return np.argsort(-worth, kind="stable")

    def walk(self, ranked: Iterable[tuple[int, Turn]], limit: int | None) -> Iterator[tuple[int, Turn, int]]:
        """(unit, turn, tokens) of what is packed, best first, at most `limit`.

        What a doubted source has beyond its share comes last, and within a budget only where nothing trusted came.
        """
        waiting: list[tuple[int, Turn]] = []
        for unit, turn in ranked:
            if len(self._numbers) == limit:
                return
            note = self.note_of(unit, turn)
            if note.trust < AGENT and self._is_over(turn, note):
                waiting.append((unit, turn))
            elif (cost := self._put(turn, note)) is not None:
                yield unit, turn, cost
        if self.tokens is not None and self._trusted:
            return
        for unit, turn in waiting:
            if len(self._numbers) == limit:
                return
            if (cost := self._put(turn, self.note_of(unit, turn))) is not None:
                yield unit, turn, cost

    def _is_over(self, turn: Turn, note: Note) -> bool:
        """Whether the item is more than its source may have while there is trusted evidence."""
        if folded(note.source) in self._sources:
            return True
        if self.tokens is None:
            return False
        cost = self.count_tokens(context.line(len(self._numbers) + 1, turn.speaker, turn.text, note))
        return cost > SOURCE_SHARE * self.tokens or self._doubted + cost > DOUBTED_SHARE * self.tokens

    def _put(self, turn: Turn, note: Note) -> int | None:
        """The tokens of the item, now packed; None where it is too dear or does not fit."""
        number = len(self._numbers) + 1
        if against := self.against(turn):
            note = replace(note, contradicts=tuple(sorted(self._numbers[id] for id in against if id in self._numbers)))
        cost = self.count_tokens(context.line(number, turn.speaker, turn.text, note))
        heading = context.day(turn.at)
        whole = cost + (0 if heading in self._days else self.count_tokens(f"{heading}\n"))
        if self._dear(cost) or not self._fits(whole):
            return None
        self._days.add(heading)
        self.spent += whole
        self._numbers[turn.id] = number
        if note.trust < AGENT:
            self._sources.add(folded(note.source))
            self._doubted += cost
        else:
            self._trusted = True
        return cost

    def _fits(self, cost: int) -> bool:
        return self.tokens is None or self.spent + cost <= self.tokens

    def _dear(self, cost: int) -> bool:
        return self.tokens is not None and cost > self._most()

    def _most(self) -> float:
        assert self.tokens is not None
        return max(self.setting.dear_tokens, self.setting.dear_share * self.tokens)
