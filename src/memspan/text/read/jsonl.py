"""JSONL of turns: one object a line, the schema that `memspan export` writes.

Source: ours.

| field | holds | where it is missing |
|---|---|---|
| text | what was said, 1 to 1,000,000 characters | an error |
| speaker | who said it | "" |
| role | user, assistant, system or tool | user |
| session | which conversation | the file's name |
| at | when: ISO 8601, or seconds since 1970 (UTC) | not known |
| meta | any object, kept but not searched | nothing |
| id | an id of yours, unique within a scope | made from the content |

`scope` and `seen_at` are not read: memory fills them. Every other field is kept in `meta`. A JSON list of such
objects is read too.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.clock import iso, seconds
from memspan.core.errors import MalformedFile
from memspan.core.records import Json, Turn
from memspan.text.read import _json
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

SUFFIXES = (".jsonl", ".ndjson", ".json")
_FIELDS = ("speaker", "role", "session", "at", "id")
_FILLED_BY_MEMORY = ("scope", "seen_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jsonl:
    """Read JSONL of turns; see the table above."""

    card: ClassVar[Card] = Card(title="JSON lines of turns, as export writes them", source="docs/formats.md", year=2026)

    def recognises(self, head: Head) -> int:
        if "text" in head.keys:
            return 3
        return 2 if head.suffix in SUFFIXES else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first line that is no turn."""
        for line, value in _json.items(source):
            yield _turn(source, line, value)


def as_line(turn: Turn) -> str:
    """The turn as one line of JSONL, without the line's end; what is empty is left out.

    >>> as_line(Turn("I moved.", speaker="Alice", at=0.0))
    '{"text": "I moved.", "speaker": "Alice", "at": "1970-01-01T00:00:00Z"}'
    """
    fields: dict[str, Json] = {
        "text": turn.text,
        "speaker": turn.speaker,
        "role": turn.role if turn.role != "user" else "",
        "session": turn.session,
        "at": _exact(turn.at),
        "meta": dict(turn.meta),
        "id": turn.id,
    }
    kept = {name: value for name, value in fields.items() if value not in ("", None, {})}
    return json.dumps(kept, ensure_ascii=False)


def _exact(at: float | None) -> str | float | None:
    """ISO 8601 where it holds the time exactly, else the seconds."""
    if at is None:
        return None
    text = iso(at)
    return text if seconds(text) == at else at


def _turn(source: Source, line: int, value: Json) -> Turn:
    if not isinstance(value, dict):
        raise MalformedFile(source.name, line, f"expected an object with a text, found {_kind(value)}")
    if "text" not in value:
        seen = ", ".join(map(repr, list(value)[:8])) or "nothing"
        raise MalformedFile(source.name, line, f"no 'text' in the object; it holds {seen}")
    fields = {name: value[name] for name in _FIELDS if value.get(name) is not None}
    meta = _meta(source, line, value)
    return source.turn(line, value["text"], meta=meta, **fields)


def _meta(source: Source, line: int, value: dict[str, Json]) -> dict[str, Json]:
    meta = value.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise MalformedFile(source.name, line, f"'meta' must be an object, found {_kind(meta)}")
    known = ("text", "meta", *_FIELDS, *_FILLED_BY_MEMORY)
    return {**{name: held for name, held in value.items() if name not in known}, **(meta or {})}


def _kind(value: Json) -> str:
    return {list: "a list", str: "text", dict: "an object", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )


METHOD = Jsonl
