"""Packing: as much evidence as fits a token budget.

Walk down the ranking and skip what does not fit, never stop: stopping at the first unit that does not fit costs 16 to
28 points of evidence at 500 tokens where turns are long. Skip too what costs more than max(160 tokens, 40 % of the
budget): one long answer would push out a handful of facts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memspan.core.records import Turn
from memspan.core.tokens import CHARS_PER_TOKEN, CountTokens, estimate
from memspan.text.recall import context
from memspan.text.recall.setting import Setting

LEAST_AROUND = 5  # characters of a citation and the line's end
MOST_CHARS_PER_TOKEN = 16  # of any tokenizer, on any text worth remembering


@dataclass(slots=True)
class Packer:
    """Fills a budget of tokens, counting what each item adds to the rendered block.

    tokens: the budget, None = no limit;  count_tokens: the counter;  setting: gives the limits
    """

    tokens: int | None
    count_tokens: CountTokens
    setting: Setting
    spent: int = 0
    _days: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.spent = self.count_tokens(context.FENCE)

    def standing(self, turns: Iterable[tuple[int, Turn]]) -> Iterator[tuple[int, Turn, int]]:
        """(unit, turn, tokens) of the standing instructions that fit their own small block."""
        room = self.setting.standing_tokens - self.count_tokens(f"{context.STANDING}\n")
        if self.tokens is not None:
            room = min(room, int(self.setting.standing_share * self.tokens))
        first = True
        for number, (unit, turn) in enumerate(turns, start=1):
            cost = self.count_tokens(context.line(f"s{number}", turn.speaker, turn.text))
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

    def walk(self, ranked: Iterable[tuple[int, Turn]], limit: int | None) -> Iterator[tuple[int, Turn, int]]:
        """(unit, turn, tokens) of what is packed, best first, at most `limit`."""
        packed = 0
        for unit, turn in ranked:
            if packed == limit:
                return
            cost = self.count_tokens(context.line(packed + 1, turn.speaker, turn.text))
            heading = context.day(turn.at)
            whole = cost + (0 if heading in self._days else self.count_tokens(f"{heading}\n"))
            if self._dear(cost) or not self._fits(whole):
                continue
            self._days.add(heading)
            self.spent += whole
            packed += 1
            yield unit, turn, cost

    def _fits(self, cost: int) -> bool:
        return self.tokens is None or self.spent + cost <= self.tokens

    def _dear(self, cost: int) -> bool:
        return self.tokens is not None and cost > self._most()

    def _most(self) -> float:
        assert self.tokens is not None
        return max(self.setting.dear_tokens, self.setting.dear_share * self.tokens)
