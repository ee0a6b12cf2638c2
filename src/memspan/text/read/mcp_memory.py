"""The memory file of the MCP reference server: `memory.jsonl`.

Source: https://github.com/modelcontextprotocol/servers, src/memory: a line is {type: "entity", name, entityType,
observations: [...]} or {type: "relation", from, to, relationType}.
Ours differs: each observation is a turn of its own, headed by the entity's name, and so is each relation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_NAME_CHARS, MAX_TEXT_CHARS, Json, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

_ENTITY = ("name", "entityType")
_RELATION = ("from", "relationType", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class McpMemory:
    """Read a memory file of the MCP reference server.

    text: "name: observation", "from relationType to", or "name (type)" of an entity without observations
    session: the entity's name, of a relation the one it starts from;  role: assistant, which wrote it
    meta: entity and type, or relation: [from, relationType, to]. No line has a time.
    """

    card: ClassVar[Card] = Card(
        title="MCP reference memory server, memory.jsonl",
        source="github.com/modelcontextprotocol/servers, src/memory",
        year=2024,
    )

    def recognises(self, head: Head) -> int:
        return 3 if any({"type", *keys} <= head.keys for keys in (_ENTITY, _RELATION)) else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first line that is neither an entity nor a relation."""
        for line, value in _json.items(source):
            yield from _turns(source, line, value)


def _turns(source: Source, line: int, value: Json) -> Iterator[Turn]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "entity" and _texts(value, _ENTITY):
        name, about = value["name"], value["entityType"]
        observed = value.get("observations")
        told = [seen for seen in observed if isinstance(seen, str)] if isinstance(observed, list) else []
        meta: dict[str, Json] = {"entity": name, "type": about}
        for text in [f"{name}: {seen}" for seen in told if seen.strip()] or [f"{name} ({about})"]:
            yield from _said(source, line, name, text, meta)
    elif kind == "relation" and _texts(value, _RELATION):
        parts = [value[key] for key in _RELATION]
        yield from _said(source, line, parts[0], " ".join(parts), {"relation": parts})
    else:
        raise MalformedFile(source.name, line, "neither an entity nor a relation of the MCP memory server")


def _texts(value: dict[str, Json], keys: tuple[str, ...]) -> bool:
    return all(isinstance(value.get(key), str) for key in keys) and bool(str(value[keys[0]]).strip())


def _said(source: Source, line: int, session: str, text: str, meta: dict[str, Json]) -> Iterator[Turn]:
    for piece in _pieces.split(text, MAX_TEXT_CHARS):
        if piece.strip():
            yield source.turn(line, piece, role="assistant", session=session[:MAX_NAME_CHARS], meta=meta)


METHOD = McpMemory
