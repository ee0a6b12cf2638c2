"""How many rows each layer and head may hold: whole numbers whose sum is exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf

from memspan.core.budget import Budget
from memspan.core.errors import UsageError

LIGHTEST = 1e-18
"""A weight below this part of the heaviest counts as none."""


def allocate(total: int, weights: Sequence[float], *, caps: Sequence[int], floors: Sequence[int]) -> list[int]:
    """Shares of `total` in proportion to `weights`, none below its floor or above its cap; their sum is exact.

    The sum is min(total, sum(caps)): what caps cut off goes to the others. Where all others have weight 0, they share
    evenly.

    total: to share out [tokens];  weights: >= 0;  caps, floors: [tokens], floors[i] <= caps[i]
    Raises UsageError where the floors alone need more than `total`, a floor lies above its cap, or a weight is
    negative, infinite or no number.

    >>> allocate(10, [3, 1, 1], caps=[4, 9, 9], floors=[1, 1, 1])
    [4, 3, 3]
    """
    if any(low > high for low, high in zip(floors, caps, strict=True)):
        raise UsageError("a floor lies above its cap: more rows are to be kept than there are")
    if sum(floors) > total:
        raise UsageError(f"a budget of {total} rows, but {sum(floors)} have to stay; raise the budget or lower floors")
    if not all(0 <= weight < inf for weight in weights):
        raise UsageError(f"weights {list(weights)!r}: each is a number from 0 on")
    total = min(total, sum(caps))
    heaviest = max(weights, default=0.0) or 1.0
    parts = [part if (part := weight / heaviest) > LIGHTEST else 0.0 for weight in weights]
    wanted = _levelled(total, parts, caps, floors)
    shares = [min(cap, max(low, floor(want))) for want, low, cap in zip(wanted, floors, caps, strict=True)]
    return _settled(total, shares, wanted, caps, floors)


def _levelled(total: int, weights: Sequence[float], caps: Sequence[int], floors: Sequence[int]) -> list[float]:
    """Real shares: clip(level * weight, floor, cap), with the level at which they add up; weight 0 fills up last."""

    def at(level: float) -> list[float]:
        return [min(cap, max(low, level * w)) for w, low, cap in zip(weights, floors, caps, strict=True)]

    if not any(weights):
        weights = [1.0] * len(weights)
    lightest = min((weight for weight in weights if weight > 0), default=1.0)
    low, high = 0.0, max(caps, default=0) / lightest + 1.0
    if sum(at(high)) < total:
        rest = [cap if weight > 0 else 0 for weight, cap in zip(weights, caps, strict=True)]
        others = [0.0 if weight > 0 else 1.0 for weight in weights]
        lows = [max(a, b) for a, b in zip(rest, floors, strict=True)]
        return _levelled(total, others, caps, lows)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(at(middle)) < total else (low, middle)
    return at(high)


def _settled(
    total: int, shares: list[int], wanted: Sequence[float], caps: Sequence[int], floors: Sequence[int]
) -> list[int]:
    """The same with the exact sum: largest remainders first, earlier places first where they tie."""
    while (missing := total - sum(shares)) > 0:
        open_ones = [place for place in range(len(shares)) if shares[place] < caps[place]]
        for place in sorted(open_ones, key=lambda place: shares[place] - wanted[place])[:missing]:
            shares[place] += 1
    while (excess := sum(shares) - total) > 0:
        open_ones = [place for place in range(len(shares)) if shares[place] > floors[place]]
        for place in sorted(open_ones, key=lambda place: wanted[place] - shares[place])[:excess]:
            shares[place] -= 1
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A budget in the terms of one cache.

    budget: exactly one of tokens (rows a head), ratio, bytes (the whole cache) or seconds (a decode step) is given
    row_bytes: one row of one head as it is kept, keys, values and what goes with it [bytes]
    heads: rows of that kind a token has: layers * kv_heads;  seconds_per_byte: from the calibration
    newest, newest_bytes: rows of each head that are kept in another form, and one of them [tokens], [bytes]
    spare: rows that the pages of a head, and what is no page yet, may have room for beside what they hold [tokens]
    over: rows by which a head may stand over its budget [tokens]
    fixed: what a sequence takes whatever its rows [bytes]
    Raises UsageError where none or several are given, or one is zero.
    """

    budget: Budget
    row_bytes: float
    heads: int
    seconds_per_byte: float | None = None
    newest: int = 0
    newest_bytes: float = 0.0
    spare: int = 0
    over: int = 0
    fixed: float = 0.0

    def __post_init__(self) -> None:
        units = {"tokens", "ratio", "bytes", "seconds"}
        given = [name for name in units if getattr(self.budget, name) is not None]
        if len(given) != 1:
            told = " and ".join(sorted(given)) or "none"
            raise UsageError(f"a cache's budget is given in one unit, not in {told}: tokens, ratio, bytes or seconds")
        if not getattr(self.budget, given[0]):
            raise UsageError(f"a budget of {given[0]}=0 holds nothing; raise it, or call the model without a cache")
        if self.budget.seconds is not None and self.seconds_per_byte is None:
            raise UsageError("a budget in seconds needs to know how long a byte takes; kv.compress() measures it")

    def rows(self, seen: int, batch: int = 1) -> int:
        """How many rows a head may hold on average, once so many tokens were seen.

        seen: tokens of a sequence so far;  batch: sequences that share a budget in bytes or seconds

        >>> Room(budget=Budget(ratio=0.25), row_bytes=384, heads=4).rows(480)
        120
        """
        budget = self.budget
        if budget.tokens is not None:
            return min(seen, budget.tokens)
        if budget.ratio is not None:
            return int(seen * budget.ratio + 1e-9)  # .29 of 100 is 29
        room = (
            float(budget.bytes) if budget.bytes is not None else (budget.seconds or 0.0) / (self.seconds_per_byte or 1)
        )
        room, each = (room / batch - self.fixed) / self.heads, self.newest_bytes or self.row_bytes
        rows = self.newest + (room - (self.newest + self.spare) * each) / self.row_bytes - self.spare
        if rows < self.newest:
            rows = min(room / each - self.spare, self.newest)
        return min(seen, max(0, int(rows) - self.over))
