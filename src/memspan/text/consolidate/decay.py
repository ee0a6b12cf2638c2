"""How strong a memory is, and which ones to archive when there are too many.

Source: exponential forgetting with a strength that grows with use, after Ebbinghaus 1885; half-lives and capacities per
type as agent-memory systems use them.
Ours differs: nothing is deleted; what is evicted is archived and can come back.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

DAY_S = 86400.0
HALF_LIFE_S = 30 * DAY_S
MOST_USES = 40  # beyond, one more use is lost in rounding


class Item(NamedTuple):
    """What eviction needs to know of a turn or record.

    uses: how often it was used;  last_used, born: when [s];  pinned, held: never evicted
    """

    id: str
    kind: str
    uses: int = 0
    last_used: float | None = None
    born: float = 0.0
    pinned: bool = False
    held: bool = False


def strength(uses: int, last_used: float | None, born: float, now: float, half_life_s: float) -> float:
    """How present something is [0..1]: each use halves what is missing from 1, each half-life without use halves it.

    uses: >= 0;  last_used: None = never;  half_life_s: > 0 [s]; a clock that went back counts as no time passed

    >>> strength(0, None, 0.0, 0.0, 10.0), strength(1, 0.0, 0.0, 0.0, 10.0), strength(1, 0.0, 0.0, 10.0, 10.0)
    (0.5, 0.75, 0.375)
    """
    since = born if last_used is None else max(born, last_used)
    age = max(0.0, now - since)
    return float((1.0 - 0.5 ** (1 + min(uses, MOST_USES))) * 0.5 ** (age / half_life_s))


def evict(
    items: Iterable[Item], capacity: Mapping[str, int], now: float, *, half_life_s: float = HALF_LIFE_S
) -> list[str]:
    """Ids to archive so that no kind holds more than its capacity: the weakest first, then the oldest, then by id.
    What is pinned or held counts as there and stays, even past the capacity.

    capacity: kind -> how many may stay, >= 0; a kind that is not in it is not limited

    >>> evict([Item("a", "turn", uses=3), Item("b", "turn"), Item("c", "turn", pinned=True)], {"turn": 2}, now=0.0)
    ['b']
    """
    kinds: dict[str, list[Item]] = {}
    for item in items:
        kinds.setdefault(item.kind, []).append(item)
    gone: list[str] = []
    for kind in sorted(kinds.keys() & capacity.keys()):
        excess = len(kinds[kind]) - capacity[kind]
        loose = sorted(
            (strength(item.uses, item.last_used, item.born, now, half_life_s), item.born, item.id)
            for item in kinds[kind]
            if not (item.pinned or item.held)
        )
        gone += [name for _, _, name in loose[: max(0, excess)]]
    return gone
