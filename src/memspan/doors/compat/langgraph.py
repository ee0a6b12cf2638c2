"""LangGraph's store: `MemspanStore` keeps what a graph remembers across threads in a memory.

Source: langgraph-checkpoint 4, `langgraph.store.base.BaseStore`.
Ours differs: a namespace without items is not listed; what has expired is hidden at once; search always ranks where
there is a query, without an embedding function; an earlier value stays in the history until its key is deleted.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from operator import eq, ge, gt, le, lt, ne
from os import PathLike
from types import MappingProxyType
from typing import Any

from memspan.core.changes import State
from memspan.core.clock import Clock, now, seconds
from memspan.core.errors import BadText, DuplicateId, MissingExtra, UnknownId, UsageError
from memspan.core.records import Json, Turn
from memspan.doors.compat._shelves import Found, Shelves, erase, merged, newest, rewrite, stored
from memspan.text.memory import Memory

try:
    from langgraph.store.base import (
        BaseStore,
        GetOp,
        Item,
        ListNamespacesOp,
        MatchCondition,
        Op,
        PutOp,
        Result,
        SearchItem,
        SearchOp,
        TTLConfig,
    )
    from langgraph.store.base.embed import get_text_at_path
except ImportError as missing:
    raise MissingExtra("langgraph", "MemspanStore needs LangGraph", "pip install langgraph") from missing

_META = "langgraph"
_NO_TEXT = "(nothing to search)"
_SHOWN = ("active", "superseded")  # superseded by rules, not by a later value of the same key
_MINUTE_S = 60.0

Namespace = tuple[str, ...]


class MemspanStore(BaseStore):
    """A store on one file; each namespace is a scope of its own below `scope`.

    place: the file, as Memory takes it;  scope: below which the namespaces lie
    fields: paths of a value whose text is searched, like "memory" or "chapters[*].text"; None = all of it
    ttl: LangGraph's TTLConfig: default_ttl [minutes], refresh_on_read;  clock: seconds since 1970
    options: of Memory, like setting="full" or key=...

    Values are JSON of at most 100,000 characters. Safe to share between threads; several processes may use one file.
    Raises MissingExtra where LangGraph is not installed, or what Memory raises.
    """

    supports_ttl = True

    def __init__(
        self,
        place: str | PathLike[str],
        *,
        scope: str = "langgraph",
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        clock: Clock = now,
        **options: Any,  # Any: Memory's own
    ) -> None:
        if isinstance(fields, str):
            raise UsageError(f"fields={fields!r}: give a list of paths, like [{fields!r}]")
        self.ttl_config = ttl
        self._fields, self._clock = fields, clock
        self._shelves = Shelves(place, scope, {**options, "clock": clock})
        self._shelves.names()  # a file that cannot be opened says so here

    def __enter__(self) -> "MemspanStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._shelves.close()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Results in the order of the operations; all that read see the store as it was before those that write.

        Puts of new keys of one namespace are one transaction; of two puts of one key, the later counts.
        """
        given = list(ops)
        results = [self._read(op) for op in given]
        spaces: dict[Namespace, dict[str, PutOp]] = {}
        for op in given:
            if isinstance(op, PutOp):
                spaces.setdefault(tuple(op.namespace), {})[op.key] = op
        for namespace, puts in spaces.items():
            self._write(namespace, list(puts.values()))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """The same, in a thread."""
        return await asyncio.to_thread(self.batch, list(ops))

    def sweep_ttl(self) -> int:
        """Erase what has expired; how many items."""
        swept = 0
        for namespace in self._namespaces():
            with self._shelves.of(namespace) as memory:
                gone = [turn.id for turn, state in _newest(memory) if self._is_expired(turn, state)]
                erase(memory, gone)
            self._strike_if_empty(namespace)
            swept += len(gone)
        return swept

    # -- reading

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            return self._get(op)
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._list(op)
        if isinstance(op, PutOp):
            return None
        raise UsageError(f"{type(op).__name__} is no operation of a store")

    def _get(self, op: GetOp) -> Item | None:
        with self._shelves.of(op.namespace) as memory:
            found = stored(memory, _id(op.key))
            if found is None or not self._is_shown(*found):
                return None
            if op.refresh_ttl:
                self._refresh(memory, *found)
            return Item(**_fields(found[0]))

    def _search(self, op: SearchOp) -> list[SearchItem]:
        prefix = tuple(op.namespace_prefix)
        spaces = [namespace for namespace in self._namespaces() if namespace[: len(prefix)] == prefix]
        ranked = self._ranked(op, spaces) if op.query else ((turn, None) for turn in self._listed(op, spaces))
        page = list(islice(ranked, op.offset, op.offset + op.limit))
        if op.refresh_ttl:
            for turn, _ in page:
                self._refresh_by_key(turn)
        return [SearchItem(**_fields(turn), score=score) for turn, score in page]

    def _listed(self, op: SearchOp, spaces: Iterable[Namespace]) -> Iterator[Turn]:
        """Newest versions that meet the filter, in the order in which their keys were first put."""
        for namespace in spaces:
            with self._shelves.of(namespace) as memory:
                for turn, state in _newest(memory):
                    if self._is_shown(turn, state) and _meets(turn.meta[_META]["value"], op.filter or {}):
                        yield turn

    def _ranked(self, op: SearchOp, spaces: Sequence[Namespace]) -> Iterator[tuple[Turn, float | None]]:
        """Best first over all namespaces; then what is not searched, without a score."""
        known: set[tuple[str, str]] = set()
        for score, _, turn in merged(self._hits(op, namespace) for namespace in spaces):
            known.add((turn.scope, turn.id))
            yield turn, score
        yield from ((turn, None) for turn in self._listed(op, spaces) if (turn.scope, turn.id) not in known)

    def _hits(self, op: SearchOp, namespace: Namespace) -> Found:
        """Enough of one namespace for the page that is asked for."""
        need, depth = op.offset + op.limit, max(8, 2 * (op.offset + op.limit))
        with self._shelves.of(namespace) as memory:
            while True:
                recall = memory.recall(op.query or "", tokens=None, limit=depth, kinds=("turn",))
                found = [
                    (hit, held[0])
                    for hit in recall.hits
                    if (held := newest(memory, hit.id)) and self._is_hit(*held, op)
                ]
                if len(found) >= need or len(recall.hits) < depth:
                    return recall, found[:need]
                depth *= 4

    def _is_hit(self, turn: Turn, state: State, op: SearchOp) -> bool:
        held = turn.meta.get(_META)
        return (
            held is not None
            and held["searched"]
            and self._is_shown(turn, state)
            and _meets(held["value"], op.filter or {})
        )

    def _list(self, op: ListNamespacesOp) -> list[Namespace]:
        conditions = op.match_conditions or ()
        found = [space for space in self._namespaces() if all(_matches(condition, space) for condition in conditions)]
        cut = found if op.max_depth is None else {namespace[: op.max_depth] for namespace in found}
        return sorted(cut)[op.offset : op.offset + op.limit]

    def _namespaces(self) -> list[Namespace]:
        return [tuple(name) for name in self._shelves.names()]

    # -- writing

    def _write(self, namespace: Namespace, puts: Sequence[PutOp]) -> None:
        kept = [op for op in puts if op.value is not None]
        if kept:
            self._shelves.enlist(namespace)  # before: what is stored is listed, even if we die in between
        with self._shelves.of(namespace) as memory:
            known = {op.key for op in puts if stored(memory, _id(op.key)) is not None}
            fresh = [op for op in kept if op.key not in known]
            try:
                if fresh:
                    memory.remember([self._turn(op) for op in fresh], again=True)
            except DuplicateId:  # another process has put one of them since
                return self._write(namespace, puts)
            for op in kept:
                if op.key in known:
                    self._rewrite(memory, op)
            erase(memory, [_id(op.key) for op in puts if op.value is None and op.key in known])
            for op in kept:
                if op.ttl is not None and (found := stored(memory, _id(op.key))):
                    self._refresh(memory, *found)
        if kept:
            self._shelves.enlist(namespace)  # after: somebody may have found it empty and struck it off
        else:
            self._strike_if_empty(namespace)
        return None

    def _rewrite(self, memory: Memory, op: PutOp) -> None:
        turn = self._turn(op)
        found = stored(memory, turn.id)
        if found and self._is_shown(*found) and found[0].meta[_META] == turn.meta[_META]:
            return
        try:
            rewrite(memory, turn.id, turn.text, turn.meta)
        except UnknownId:  # deleted since; what another process may have put in its place by now was put later
            with suppress(DuplicateId):
                memory.remember(turn, again=True)

    def _turn(self, op: PutOp) -> Turn:
        value, moment = _json(op.value), seconds(self._clock())
        seconds(moment + (op.ttl or 0.0) * _MINUTE_S)  # an end that is no time says so before anything is written
        text = self._text(value, op.index).replace("\0", " ")
        held = {
            "namespace": list(op.namespace), "key": op.key, "value": value, "searched": bool(text.strip()),
            "ttl": op.ttl,
        }  # fmt: skip
        # said by a program, whoever it speaks of: no standing instruction, and nothing an assistant says back
        meta = {"trust": "agent", _META: held}
        return Turn(text if text.strip() else _NO_TEXT, id=_id(op.key), at=moment, meta=meta)

    def _text(self, value: Mapping[str, Json], index: Sequence[str] | bool | None) -> str:
        """What is searched of a value."""
        if index is False:
            return ""
        paths = index if isinstance(index, Sequence) else self._fields
        if paths is None:
            return "\n".join(_lines(value))
        return "\n".join(text for path in paths for text in get_text_at_path(value, path))

    def _strike_if_empty(self, namespace: Namespace) -> None:
        if self._is_empty(namespace):
            self._shelves.strike(namespace)
            if not self._is_empty(namespace):  # something came in between
                self._shelves.enlist(namespace)

    def _is_empty(self, namespace: Namespace) -> bool:
        with self._shelves.of(namespace) as memory:
            return next(memory.turns(limit=1), None) is None

    # -- expiry

    def _is_shown(self, turn: Turn, state: State) -> bool:
        return state.status in _SHOWN and not self._is_expired(turn, state)

    def _is_expired(self, turn: Turn, state: State) -> bool:
        ends, ttl = state.expire_at, turn.meta[_META]["ttl"]
        if ends is None and ttl is not None:
            ends = (turn.seen_at or 0.0) + ttl * _MINUTE_S  # its end was not written down: we died in between
        return ends is not None and ends <= seconds(self._clock())

    def _refresh(self, memory: Memory, turn: Turn, state: State) -> None:
        """Put the end of an item with a time to live off; not more often than once a second."""
        ttl = turn.meta[_META]["ttl"]
        if ttl is not None:
            ends = seconds(self._clock()) + ttl * _MINUTE_S
            if state.expire_at is None or ends >= state.expire_at + 1:
                with suppress(UnknownId):  # deleted since
                    memory.expire(turn.id, ends)

    def _refresh_by_key(self, turn: Turn) -> None:
        held = turn.meta[_META]
        if held["ttl"] is not None:
            with self._shelves.of(held["namespace"]) as memory:
                if found := stored(memory, _id(held["key"])):
                    self._refresh(memory, *found)


def _json(value: Mapping[str, Any] | None) -> dict[str, Json]:
    """The value as JSON gives it back. Raises BadText where it is none."""
    try:
        held: dict[str, Json] = json.loads(json.dumps(dict(value or {})))
    except (TypeError, ValueError, RecursionError) as why:
        raise BadText("value", f"cannot be written as JSON ({why})") from None
    return held


def _id(key: str) -> str:
    """The id of the first version of what is filed under a key."""
    return "k" + blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _newest(memory: Memory) -> Iterator[tuple[Turn, State]]:
    """The newest version of each item with its state, in the order in which their keys were first put."""
    for turn in memory.turns():
        held = turn.meta.get(_META)
        if held is not None and turn.id == _id(held["key"]) and (found := stored(memory, turn.id)):
            yield found


def _fields(turn: Turn) -> dict[str, Any]:  # Any: arguments of an Item
    held = turn.meta[_META]
    return {
        "value": held["value"],
        "key": held["key"],
        "namespace": tuple(held["namespace"]),
        "created_at": datetime.fromtimestamp(turn.at or 0.0, UTC),
        "updated_at": datetime.fromtimestamp(turn.seen_at or 0.0, UTC),
    }


def _lines(value: Json, path: str = "") -> Iterator[str]:
    """The leaves of a value, each with its path.

    >>> list(_lines({"text": "likes tea", "tags": ["drink"]}))
    ['text: likes tea', 'tags: drink']
    """
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _lines(held, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for held in value:
            yield from _lines(held, path)
    elif value is not None:
        yield f"{path}: {value}"


_EQUALITY: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType({"$eq": eq, "$ne": ne})
_ORDER: Mapping[str, Callable[[float, float], bool]] = MappingProxyType({"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le})


def _meets(value: Json, wanted: Json) -> bool:
    """Whether a value meets a filter.

    >>> _meets({"score": 5, "color": "red"}, {"score": {"$gte": 3}, "color": "red"})
    True
    """
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            return all(_compared(value, operator, operand) for operator, operand in wanted.items())
        return isinstance(value, dict) and all(_meets(value.get(key), held) for key, held in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(wanted)
            and all(map(_meets, value, wanted))
        )  # fmt: skip
    return bool(value == wanted)


def _compared(value: Json, operator: str, operand: Json) -> bool:
    if operator in _EQUALITY:
        return bool(_EQUALITY[operator](value, operand))
    if operator not in _ORDER:
        raise UsageError(f"filter operator {operator!r}: there are {', '.join((*_EQUALITY, *_ORDER))}")
    try:
        return _ORDER[operator](float(value), float(operand))
    except (TypeError, ValueError):
        return False  # no number is neither more nor less


def _matches(condition: MatchCondition, namespace: Namespace) -> bool:
    """Whether a namespace begins or ends like a pattern in which "*" stands for any label."""
    path = condition.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", label) for wanted, label in zip(path, part, strict=True))
