"""Where a shim keeps what another library files under names: a scope a name, all below one, and the list of names."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from math import inf, log
from os import PathLike
from typing import Any
from urllib.parse import quote

from memspan.core.changes import State
from memspan.core.errors import AlreadyCorrected, UnknownId
from memspan.core.ids import check_scope
from memspan.core.records import Hit, Json, Recall, Record, Turn
from memspan.doors.memories import Memories
from memspan.text.memory import Memory

_LIST = "%names"  # no quoted name looks like this


class Shelves:
    """One memory a name, and the list of the names in use.

    place: the file;  scope: below which all of it lies;  options: of Memory, for each of them

    Safe to share between threads; several processes may use one place.
    """

    def __init__(self, place: str | PathLike[str], scope: str, options: Mapping[str, Any]) -> None:  # Any: Memory's own
        self.scope = check_scope(scope)
        self._memories = Memories(lambda wanted: Memory(place, scope=wanted, **options))

    def of(self, path: Sequence[str]) -> AbstractContextManager[Memory]:
        """The memory of a name. Raises BadScope where the path is too long or too deep for a scope."""
        return self._memories.of("/".join([self.scope, *map(quoted, path)]))

    def names(self) -> list[Json]:
        """All names in use, in the order in which they came up."""
        with self._memories.of(f"{self.scope}/{_LIST}") as memory:
            return [json.loads(turn.text) for turn in memory.turns()]

    def enlist(self, name: Json) -> None:
        """Put a name on the list, if it is not there."""
        text, id = _entry(name)
        with self._memories.of(f"{self.scope}/{_LIST}") as memory:
            if stored(memory, id) is None:
                memory.remember(Turn(text, id=id, role="tool", meta={"trust": "agent"}), again=True)

    def strike(self, name: Json) -> None:
        """Take a name off the list, without a trace."""
        _, id = _entry(name)
        with self._memories.of(f"{self.scope}/{_LIST}") as memory:
            if stored(memory, id) is not None:
                erase(memory, [id])

    def close(self) -> None:
        """Let go of the file."""
        self._memories.close()


def quoted(name: str) -> str:
    """A name as one part of a scope: letters, digits, '_', '-' and '~' of ASCII stay, all else is written as %XX.

    >>> quoted("Ann Lee"), quoted("a/b"), quoted("..")
    ('Ann%20Lee', 'a%2Fb', '%2E%2E')
    """
    return quote(name, safe="", errors="surrogatepass").replace(".", "%2E")


def _entry(name: Json) -> tuple[str, str]:
    """(text, id) of a name on the list."""
    text = json.dumps(name)
    return text, "n" + blake2b(text.encode(), digest_size=16).hexdigest()


def stored(memory: Memory, id: str) -> tuple[Turn, State] | None:
    """The newest version of a turn and its state; None where there is none of that id.

    Only corrections of the turn itself are followed, not what rules or a reflection put in its place.
    """
    try:
        item, state = memory.item(id)
        while state.heir:
            later, its = memory.item(state.heir)
            if not corrects(later, item.id):
                break
            item, state = later, its
    except UnknownId:
        return None
    return (item, state) if isinstance(item, Turn) else None


def corrects(later: Turn | Record, id: str) -> bool:
    """Whether something is the next version of the turn with that id."""
    return isinstance(later, Turn) and later.meta.get("corrects") == id


def newest(memory: Memory, id: str) -> tuple[Turn, State] | None:
    """The turn with that id and its state; None where it is gone by now, or has a later version."""
    try:
        item, state = memory.item(id)
        replaced = bool(state.heir) and corrects(memory.item(state.heir)[0], id)
    except UnknownId:
        return None
    return (item, state) if isinstance(item, Turn) and not replaced else None


def erase(memory: Memory, ids: Iterable[str]) -> None:
    """Forget turns with all their versions; what is gone already is no matter."""
    left = list(ids)
    while left:
        try:
            memory.forget(left)
            return
        except UnknownId:  # somebody was faster
            left = [id for id in left if stored(memory, id) is not None]


Found = tuple[Recall, Sequence[tuple[Hit, Turn]]]
"""A recall, and those of its hits that count, in their order."""


def merged(found: Iterable[Found]) -> list[tuple[float, Hit, Turn]]:
    """(score, hit, turn) of several scopes in one order, best first; within a scope the order stays.

    A score is a deviation from the mean of its own scope and says nothing beside one of another; the confidence of a
    recall does. So the best of a scope stands where the log odds of its recall put it, and the others as far below it
    as their scores are; the scale is that of the best of all.
    """
    placed: list[tuple[float, Hit, Turn]] = []
    for recall, hits in found:
        odds, place = _log_odds(recall.confidence), inf
        for hit, turn in hits:
            place = min(place, odds + hit.score - recall.hits[0].score)
            placed.append((place, hit, turn))
    placed.sort(key=lambda one: -one[0])
    shift = placed[0][1].score - placed[0][0] if placed else 0.0
    return [(place + shift, hit, turn) for place, hit, turn in placed]


def _log_odds(likely: float) -> float:
    """
    >>> round(_log_odds(0.9), 2), round(_log_odds(1.0), 1)
    (2.2, 20.7)
    """
    likely = min(max(likely, 1e-9), 1 - 1e-9)
    return log(likely / (1 - likely))


def rewrite(memory: Memory, id: str, text: str, meta: Mapping[str, Json]) -> str:
    """The id of a new version in the place of the newest one. Raises UnknownId where there is none of that id."""
    while True:
        found = stored(memory, id)
        if found is None:
            raise UnknownId(id)
        newest, state = found
        try:
            if state.heir:  # replaced by something else, which correct() would not pass over
                memory.restore(newest.id)
            return memory.correct(newest.id, text, meta=meta, again=True)
        except AlreadyCorrected:
            continue  # somebody was faster: theirs is the newest now
