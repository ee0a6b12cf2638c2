"""mem0's open-source `Memory`: add, search, get, get_all, update, delete, delete_all, history, reset.

Source: mem0ai 2.2, `mem0.memory.main.Memory`.
Ours differs: no LLM extracts anything. `infer=False` keeps every message word for word, as mem0 does; `infer=True`
keeps it word for word too, but not what is there already under the same ids, nor what was deleted. What was deleted
is erased, its history with it. docs/how-to/drop-ins.md has the list of differences.
"""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from os import PathLike
from typing import Any, Concatenate, ParamSpec, TypeVar

from memspan.core.changes import State
from memspan.core.clock import Clock, now, seconds
from memspan.core.errors import DuplicateId, UnknownId, UsageError
from memspan.core.records import ROLES, Json, Quality, Turn
from memspan.doors.compat import _filters
from memspan.doors.compat._mem0 import (
    IDENTITY,
    IDS,
    META,
    Fields,
    added,
    begin,
    day_of,
    held_of,
    iso_of,
    new_id,
    path_of,
    payload,
    said,
    scored,
    some_ids,
    time_of,
    told,
    updated,
)
from memspan.doors.compat._shelves import Found, Shelves, erase, merged, newest, rewrite, stored
from memspan.text.memory import Memory as Memspan

_SHOWN = ("active", "superseded")
_UNSET = object()


class Memory:
    """mem0's Memory on one file; whoever comes first of user, agent and run has a scope of their own below `scope`.

    place: the file, as memspan's Memory takes it;  scope: below which all of it lies;  clock: seconds since 1970
    options: of memspan's Memory, like setting="full" or key=...

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Memory(f"{folder}/a.mem") as memory:
    ...     added = memory.add("I moved to Lisbon.", user_id="ann")["results"][0]
    ...     found = memory.search("Where do I live?", filters={"user_id": "ann"})["results"]
    ...     added["event"], found[0]["memory"]
    ('ADD', 'I moved to Lisbon.')
    """

    def __init__(
        self,
        place: str | PathLike[str],
        *,
        scope: str = "mem0",
        clock: Clock = now,
        **options: Any,  # Any: memspan's own
    ) -> None:
        self._clock = clock
        self._shelves = Shelves(place, scope, {**options, "clock": clock})
        self._shelves.names()  # a file that cannot be opened says so here

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> "Memory":
        """A memory from {"memspan": {"place": ..., and what else the constructor takes}}.

        Raises UsageError for sections of mem0's own (llm, embedder, vector_store, ...): there are no such parts here.
        """
        own = config_dict.get("memspan")
        others = sorted(set(config_dict) - {"memspan", "version"})
        if others or not isinstance(own, Mapping) or "place" not in own:
            what = f"has no part for {', '.join(others)}; leave that out and" if others else "needs a file:"
            raise UsageError(f'memspan {what} give {{"memspan": {{"place": "memory.mem"}}}}')
        return cls(**own)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._shelves.close()

    # -- writing

    def add(
        self,
        messages: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],  # Any: messages as chat APIs take them
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        timestamp: Any = None,
        expiration_date: Any = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
    ) -> Fields:
        """{"results": [{id, memory, event, actor_id, role}]} of what was stored, a message each; system ones are not.

        user_id, agent_id, run_id: at least one
        timestamp: when it was said, as memspan takes times; mem0 has this on its platform only
        infer: False stores every message; True leaves out what is stored under these ids already, or was deleted
        expiration_date: the last day on which it is shown, YYYY-MM-DD
        Raises UsageError where no id is given, for memory_type and prompt, which are for an LLM, or as remember does.
        """
        if memory_type is not None or prompt is not None:
            raise UsageError("memory_type and prompt are for an LLM, which there is none of here; leave them out")
        whose = some_ids({"user_id": user_id, "agent_id": agent_id, "run_id": run_id})
        held = {key: value for key, value in (metadata or {}).items() if key not in IDENTITY}
        held.update(whose)
        if (until := day_of(expiration_date)) is not None:
            held["expiration_date"] = until
        turns = [self._turn(message, held, timestamp, repeats=not infer) for message in said(messages)]
        if turns:
            self._shelves.enlist(whose)
            turns = self._remember(path_of(whose), turns, repeats=not infer)
            self._shelves.enlist(whose)  # again: somebody may have found the scope empty and struck it off
        return {"results": [added(turn) for turn in turns]}

    def _remember(self, path: tuple[str, str], turns: Sequence[Turn], *, repeats: bool) -> list[Turn]:
        """Those that were stored. repeats: also what is there already, or was deleted"""
        with self._shelves.of(path) as memory:
            fresh = {turn.id: turn for turn in turns if stored(memory, turn.id) is None}
            try:
                refused = memory.remember(list(fresh.values()), again=repeats).refused if fresh else ()
            except DuplicateId:  # another process has said one of them since
                return self._remember(path, turns, repeats=repeats)
        return [turn for turn in fresh.values() if turn.id not in refused]

    def _turn(self, message: Mapping[str, Any], held: Fields, timestamp: Any, *, repeats: bool) -> Turn:
        role, text = str(message["role"]), str(message["content"])
        moment = seconds(self._clock())
        fields = {**held, "role": role}
        if message.get("name"):
            fields["actor_id"] = str(message["name"])
        fields.setdefault("created_at", iso_of(moment))
        at = timestamp if timestamp is not None else time_of(held.get("created_at"), moment)
        memory_id = new_id(held, role, fields.get("actor_id", ""), text, uuid.uuid4().bytes if repeats else b"")
        return Turn(
            text,
            id=memory_id,
            speaker=str(message.get("name") or ""),
            role=role if role in ROLES else "tool",
            session=str(held.get("run_id", "")),
            at=at,
            meta={META: {**fields, "id": memory_id}},
        )

    def update(
        self,
        memory_id: str,
        text: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        expiration_date: Any = _UNSET,
        data: str | None = None,
    ) -> Fields:
        """A new version of a memory under its old id; the earlier one stays in the history.

        text: new words;  metadata: laid over what there is; ids cannot be changed;  data: an old name of text
        Raises UsageError where there is no such memory, or nothing to change.
        """
        text = data if text is None else text
        if text is None and metadata is None and expiration_date is _UNSET:
            raise UsageError("give text, metadata or expiration_date")
        changed = {key: value for key, value in (metadata or {}).items() if key not in IDENTITY}
        if expiration_date is not _UNSET:
            changed["expiration_date"] = day_of(expiration_date)
        with self._shelves.of(self._where(memory_id)) as memory:
            turn, _ = self._found(memory, memory_id)
            held = {**held_of(turn), **changed, "created_at": held_of(turn)["created_at"], "id": memory_id}
            rewrite(memory, memory_id, turn.text if text is None else text, {META: held})
        return {"message": "Memory updated successfully!"}

    def delete(self, memory_id: str) -> Fields:
        """Erase a memory, all its versions and its history. Raises UsageError where there is none of that id."""
        path = self._where(memory_id)
        with self._shelves.of(path) as memory:
            self._found(memory, memory_id)
            memory.forget(memory_id)
        self._strike_if_empty(path)
        return {"message": "Memory deleted successfully!"}

    def delete_all(self, user_id: str | None = None, agent_id: str | None = None, run_id: str | None = None) -> Fields:
        """Erase all memories under these ids. Raises UsageError where none is given: that is reset()."""
        whose = some_ids({"user_id": user_id, "agent_id": agent_id, "run_id": run_id})
        for path in self._paths(whose):
            with self._shelves.of(path) as memory:
                erase(
                    memory,
                    [held_of(turn)["id"] for turn, _ in _newest(memory) if _filters.meets(payload(turn), whose)],
                )
            self._strike_if_empty(path)
        return {"message": "Memories deleted successfully!"}

    def reset(self) -> None:
        """Erase everything below this scope."""
        for path in self._paths({}):
            with self._shelves.of(path) as memory:
                memory.forget(everything=True)
            self._strike_if_empty(path)

    # -- reading

    def get(self, memory_id: str) -> Fields | None:
        """A memory; None where there is none of that id."""
        try:
            with self._shelves.of(self._where(memory_id)) as memory:
                turn, _ = self._found(memory, memory_id)
        except UnknownId:
            return None
        return told(turn, {"score": None})

    def get_all(
        self,
        /,
        *,
        filters: Mapping[str, Json] | None = None,
        top_k: int = 20,
        show_expired: bool = False,
        **ids: str | None,
    ) -> Fields:
        """{"results": [...]}: at most top_k memories that meet the filters, the newest first.

        filters: with at least one of user_id, agent_id, run_id, here or as arguments
        Raises UsageError where no id is given, or a filter is none.
        """
        whose, wanted = _asked(filters, ids)
        _check_number("top_k", top_k)
        found: list[Turn] = []
        for path in self._paths(whose):
            with self._shelves.of(path) as memory:
                found += [turn for turn, _ in _newest(memory) if self._is_shown(turn, wanted, show_expired)]
        found.sort(key=lambda turn: str(held_of(turn)["created_at"]), reverse=True)
        return {"results": [told(turn) for turn in found[:top_k]]}

    def search(
        self,
        /,
        query: str,
        *,
        top_k: int = 20,
        filters: Mapping[str, Json] | None = None,
        threshold: float | None = 0.1,
        rerank: bool = False,
        explain: bool = False,
        reference_date: Any = None,
        show_expired: bool = False,
        **ids: str | None,
    ) -> Fields:
        """{"results": [...]}: at most top_k memories that meet the filters, best first, each with a score [0..1].

        filters: with at least one of user_id, agent_id, run_id, here or as arguments
        threshold: leave out what scores less;  rerank: read the best again with MiniLM (extra [onnx])
        explain: with score_details: what each part of the ranking said;  show_expired: also what has expired
        Raises UsageError where no id is given, a filter is none, or the query is blank.
        """
        if reference_date is not None:
            raise UsageError("reference_date is not supported; name the date in the query")
        if not isinstance(query, str) or not query.strip():
            raise UsageError("query: must be text that is not blank")
        whose, wanted = _asked(filters, ids)
        _check_number("top_k", top_k)
        _check_threshold(threshold)
        found: list[Found] = []
        for path in self._paths(whose):
            with self._shelves.of(path) as memory:
                found.append(self._hits(memory, query, top_k, wanted, rerank=rerank, show_expired=show_expired))
        results = [scored(score, hit, turn, explain=explain) for score, hit, turn in merged(found)[:top_k]]
        least = 0.1 if threshold is None else threshold
        return {"results": [result for result in results if result["score"] >= least]}

    def _hits(
        self, memory: Memspan, query: str, need: int, wanted: Fields, *, rerank: bool, show_expired: bool
    ) -> Found:
        """Enough hits of one scope that meet the filters, best first."""
        depth = max(8, 2 * need)
        quality: Quality = "high" if rerank else "fast"
        while True:
            recall = memory.recall(query, tokens=None, limit=depth, kinds=("turn",), quality=quality)
            found = [
                (hit, held[0])
                for hit in recall.hits
                if (held := newest(memory, hit.id)) and self._is_shown(held[0], wanted, show_expired)
            ]
            if len(found) >= need or len(recall.hits) < depth:
                return recall, found[:need]
            depth *= 4

    def _is_shown(self, turn: Turn, wanted: Fields, show_expired: bool) -> bool:
        if META not in turn.meta or not _filters.meets(payload(turn), wanted):
            return False
        until = held_of(turn).get("expiration_date")
        today = datetime.fromtimestamp(seconds(self._clock()), UTC).date().isoformat()
        return show_expired or until is None or until >= today

    def history(self, memory_id: str) -> list[Fields]:
        """All versions of a memory, the oldest first; nothing where it was deleted."""
        try:
            with self._shelves.of(self._where(memory_id)) as memory:
                versions = list(_versions(memory, memory_id))
        except UnknownId:
            return []
        before = [None, *(turn.text for turn in versions)]
        return [
            {
                "id": turn.id,
                "memory_id": memory_id,
                "old_memory": old,
                "new_memory": turn.text,
                "event": "ADD" if old is None else "UPDATE",
                "created_at": held_of(turn)["created_at"],
                "updated_at": updated(turn),
                "is_deleted": False,
                "actor_id": held_of(turn).get("actor_id"),
                "role": held_of(turn).get("role"),
            }
            for old, turn in zip(before, versions, strict=False)
        ]

    # -- where things lie

    def _paths(self, whose: Mapping[str, Json]) -> list[tuple[str, str]]:
        """The scopes in which something may lie under these ids."""
        names = (name for name in self._shelves.names() if _filters.meets(name, whose))
        return list(dict.fromkeys(map(path_of, names)))

    def _where(self, memory_id: str) -> tuple[str, str]:
        """The scope in which a memory lies. Raises UnknownId."""
        for path in self._paths({}):
            if str(memory_id)[:13] == begin(path):
                with self._shelves.of(path) as memory:
                    if stored(memory, memory_id) is not None:
                        return path
        raise UnknownId(memory_id)

    def _found(self, memory: Memspan, memory_id: str) -> tuple[Turn, State]:
        """The newest version of a memory that is to be seen. Raises UnknownId."""
        found = stored(memory, memory_id)
        if found is None or found[1].status not in _SHOWN or META not in found[0].meta:
            raise UnknownId(memory_id)
        return found

    def _strike_if_empty(self, path: tuple[str, str]) -> None:
        """Take the names of an empty scope off the list."""
        names = [name for name in self._shelves.names() if path_of(name) == path]
        if self._is_empty(path):
            for name in names:
                self._shelves.strike(name)
            if not self._is_empty(path):  # something came in between
                for name in names:
                    self._shelves.enlist(name)

    def _is_empty(self, path: tuple[str, str]) -> bool:
        with self._shelves.of(path) as memory:
            return next(memory.turns(limit=1), None) is None


_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def _awaited(
    call: Callable[Concatenate[Memory, _Given], _Found],
) -> Callable[Concatenate["AsyncMemory", _Given], Coroutine[Any, Any, _Found]]:
    """A call as a coroutine with the same parameters, which runs it in a thread."""

    @wraps(call)
    async def awaited(self: "AsyncMemory", /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        return await asyncio.to_thread(call, self._memory, *args, **kwargs)

    return awaited


class AsyncMemory:
    """mem0's AsyncMemory: the calls of Memory as coroutines, each in a thread. Made and closed like Memory."""

    def __init__(self, place: str | PathLike[str], **options: Any) -> None:  # Any: as Memory takes them
        self._memory = Memory(place, **options)

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> "AsyncMemory":
        """As Memory.from_config."""
        made = cls.__new__(cls)
        made._memory = Memory.from_config(config_dict)
        return made

    async def __aenter__(self) -> "AsyncMemory":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()

    add = _awaited(Memory.add)
    search = _awaited(Memory.search)
    get = _awaited(Memory.get)
    get_all = _awaited(Memory.get_all)
    update = _awaited(Memory.update)
    delete = _awaited(Memory.delete)
    delete_all = _awaited(Memory.delete_all)
    history = _awaited(Memory.history)
    reset = _awaited(Memory.reset)


def _asked(filters: Mapping[str, Json] | None, ids: Mapping[str, Json]) -> tuple[Fields, Fields]:
    """(the ids, all filters) of a call that reads. Raises UsageError."""
    wanted = dict(filters or {})
    for name, value in ids.items():
        if value is not None and wanted.setdefault(name, value) != value:
            raise UsageError(f"{name} is {wanted[name]!r} in filters and {value!r} beside them")
    whose = some_ids({name: wanted[name] for name in {*IDS, *ids} if name in wanted})
    wanted.update(whose)
    _filters.check(wanted)
    return whose, wanted


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"{name}={value!r}: must be a whole number, zero or more")


def _check_threshold(value: Any) -> None:
    if value is not None and not (isinstance(value, (int, float)) and 0 <= value <= 1):
        raise UsageError(f"threshold={value!r}: must be between 0 and 1")


def _newest(memory: Memspan) -> Iterator[tuple[Turn, State]]:
    """The newest version of each memory with its state."""
    for turn in memory.turns():
        if META in turn.meta and turn.id == held_of(turn)["id"]:
            found = stored(memory, turn.id)
            if found is not None and found[1].status in _SHOWN:
                yield found


def _versions(memory: Memspan, memory_id: str) -> Iterator[Turn]:
    """All versions of a memory, the oldest first. Raises UnknownId."""
    item, state = memory.item(memory_id)
    while isinstance(item, Turn):
        yield item
        if newest(memory, item.id):
            return
        item, state = memory.item(state.heir)
