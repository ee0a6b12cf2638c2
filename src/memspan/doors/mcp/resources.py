"""Resources: `memory://record/{id}`, a turn or record with its state, and `memory://session/{name}`, a conversation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from memspan.core.errors import UnknownId, UsageError
from memspan.doors import fields
from memspan.doors.mcp import shown

if TYPE_CHECKING:
    from memspan.text.memory import Memory

T = TypeVar("T")

PAGE = 100  # resources of a list, turns of a session
LONGEST = 2000  # characters of a turn in a session; its own resource has all of them
TEXT, JSON = "text/plain", "application/json"
TEMPLATES = {
    "memory://record/{id}": ("record", "A turn or record of memory, with what has become of it.", JSON),
    "memory://session/{name}{?after}": (
        "session",
        f"A conversation, {PAGE} turns at a time; after = the id of the last turn read.",
        TEXT,
    ),
}


@dataclass(frozen=True, slots=True)
class Resource:
    """Something to open. uri: its address;  title: for people"""

    uri: str
    title: str
    mime: str


def listed(memory: "Memory", cursor: str | None) -> tuple[list[Resource], str | None]:
    """A page of what there is to open: the sessions, the newest first, then the records; and where the next begins.

    Turns are not listed one by one: there are too many to choose from, a session or a recall leads to them.
    Raises UsageError for a cursor that is none of ours.
    """
    phase, _, after = (cursor or "session:").partition(":")
    if phase == "session":
        names = memory.sessions()[::-1]
        page, more = _page(names, names, unquote(after) if cursor else None)
        made = [Resource(shown.address("session", name), name or "no session", TEXT) for name in page]
        if more:
            return made, f"session:{quote(page[-1], safe='')}"
        return made, "record:" if memory.stats().records else None
    if phase != "record":
        raise UsageError(f"cursor {cursor!r} is none of this list; begin without one")
    records = memory.records()
    some, more = _page(records, [record.id for record in records], unquote(after) if after else None)
    made = [Resource(shown.address("record", record.id), shown.title_of(record), JSON) for record in some]
    return made, f"record:{quote(some[-1].id, safe='')}" if more else None


def _page(items: list[T], names: list[str], after: str | None) -> tuple[list[T], bool]:
    """(the items behind that name, whether there are more)."""
    if after is not None and after not in names:
        raise UsageError("the list has changed since; begin without a cursor")
    start = 0 if after is None else names.index(after) + 1
    return items[start : start + PAGE], len(items) > start + PAGE


def read(memory: "Memory", uri: str) -> tuple[str, str]:
    """(media type, text) of a resource. Raises UnknownId, or UsageError for an address that is none of ours."""
    parts = urlsplit(uri)
    name = unquote(parts.path.removeprefix("/"), errors="replace")
    if parts.scheme == "memory" and parts.netloc == "record":
        return JSON, _record(memory, name)
    if parts.scheme == "memory" and parts.netloc == "session":
        return TEXT, _session(memory, name, parse_qs(parts.query).get("after", [""])[0])
    raise UsageError(f"{uri[:200]!r} is no address of memory; there are {', '.join(TEMPLATES)}")


def _record(memory: "Memory", id: str) -> str:
    item, state = memory.item(id)
    told = {name: value for name, value in fields.of_item(item, state).items() if name != "text"}
    return shown.compact({**told, "context": shown.fenced([shown.line_of(item)], len(item.text))})


def _session(memory: "Memory", name: str, after: str) -> str:
    turns = list(memory.turns(session=name, after=after, limit=PAGE + 1))
    if not turns and not after:
        raise UnknownId(name)
    page = [shown.line_of(turn) for turn in turns[:PAGE]]
    notes = [f"[{number}] id {shown.compact(line.id)}" for number, line in enumerate(page, start=1)]
    address = shown.address("session", name)
    more = [f"more: {address}?after={quote(page[-1].id, safe='')}"] if len(turns) > PAGE else []
    return "\n".join([shown.fenced(page, LONGEST).rstrip("\n"), *notes, *more])
