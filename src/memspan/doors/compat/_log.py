"""A session's items, word for word and in their order: what chat histories of other libraries are kept as."""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from memspan.core.clock import Clock, now, seconds
from memspan.core.errors import BadText, UnknownId
from memspan.core.records import MAX_META_CHARS, MAX_TEXT_CHARS, Json, Role, Turn, check_text
from memspan.doors.compat._shelves import erase
from memspan.text.memory import Memory

_META = "item"
_SPARE = 1000  # characters of meta beside the item


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An item. item: as JSON;  text: what a recall is to find of it, "" = nothing but the JSON itself

    role, speaker: of the turn it becomes;  field: of the item, which holds just that text; "" = none does
    """

    item: dict[str, Json]
    text: str
    role: Role
    speaker: str = ""
    field: str = ""


class Log:
    """The items of one session of a memory. clock: seconds since 1970

    An item is a turn: its words are the text, the whole of it stands in meta as the JSON it came as. Where that is
    longer than meta may be, the JSON itself is the text, in as many turns as it takes.
    """

    def __init__(self, memory: Memory, session: str, clock: Clock = now) -> None:
        self.memory, self.session, self._clock = memory, check_text("session", session), clock

    def add(self, said: Sequence[Said]) -> None:
        """Put items at the end, all of them or none. Raises BadText where one cannot be written as JSON."""
        moment = seconds(self._clock())
        turns = [turn for one in said for turn in self._turns(one, moment)]
        if turns:
            self.memory.remember(turns, again=True)

    def newest(self, limit: int | None = None) -> list[Json]:
        """The last items, the oldest of them first. limit: at most so many; None = all"""
        found: list[Json] = []
        for turns in self._backwards():
            if limit is not None and len(found) >= limit:
                break
            found.append(_item(turns))
        return found[::-1]

    def pop(self) -> Json | None:
        """The last item, now erased; None where there is none."""
        while turns := next(self._backwards(), None):
            with suppress(UnknownId):  # somebody else popped it: the one before it is the last now
                self.memory.forget([turn.id for turn in turns])
                return _item(turns)
        return None

    def clear(self) -> None:
        """Erase all items; other turns of the session stay."""
        erase(self.memory, [turn.id for turns in self._backwards() for turn in turns])

    def _backwards(self) -> Iterator[list[Turn]]:
        """The turns of each item, the last item first."""
        turns: list[Turn] = []
        for turn in self.memory.turns(session=self.session, newest=True):
            if _META not in turn.meta:
                continue
            turns.insert(0, turn)
            if not turn.meta.get("piece"):
                yield turns
                turns = []

    def _turns(self, said: Said, moment: float) -> Iterator[Turn]:
        turn = partial(Turn, speaker=said.speaker, session=self.session, at=moment)
        raw = _raw({**said.item, said.field: ""} if said.field else said.item)
        if _storable(said.text) and len(json.dumps(raw)) <= MAX_META_CHARS - _SPARE:
            held = {_META: raw, "field": said.field} if said.field else {_META: raw}
            yield turn(said.text, id=_new_id(), role=said.role, meta=held)
            return
        whole = _raw(said.item)
        for piece, start in enumerate(range(0, len(whole), MAX_TEXT_CHARS)):
            text = whole[start : start + MAX_TEXT_CHARS]
            yield turn(text, id=_new_id(), role="tool", meta={_META: "", "piece": piece})


def _new_id() -> str:
    """An id of its own for each item: the same words again are another item."""
    return f"i{uuid.uuid4().hex}"


def _raw(item: Json) -> str:
    try:
        return json.dumps(item)
    except (TypeError, ValueError, RecursionError) as why:
        raise BadText("item", f"cannot be written as JSON ({why})") from None


def _storable(text: str) -> bool:
    try:
        check_text("text", text)
    except BadText:
        return False
    return True


def _item(turns: Sequence[Turn]) -> Json:
    """The item that these turns hold."""
    first = turns[0]
    if not first.meta[_META]:
        return json.loads("".join(turn.text for turn in turns))
    item: dict[str, Json] = json.loads(first.meta[_META])
    return {**item, first.meta["field"]: first.text} if "field" in first.meta else item
