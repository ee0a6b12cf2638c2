"""mem0's memories: what `get_all()` returns, as JSON.

Source: mem0's API reference, https://docs.mem0.ai/api-reference/memory/get-memories, and mem0ai 2.2: {"results": [{id,
memory, created_at, updated_at, user_id, agent_id, run_id, actor_id, role, categories, metadata}]}, or the list alone.
Ours differs: a memory without a role was written by a model about a conversation, so it is the assistant's. History
and graph ("relations") are not read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_TEXT_CHARS, ROLES, Json, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

_KEPT = ("user_id", "agent_id", "run_id", "categories", "updated_at", "expiration_date", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mem0:
    """Read memories of mem0.

    session: run_id, else the file's name;  at: created_at;  speaker: actor_id;  role: as stored, else assistant
    meta: memory (its id), user_id, agent_id, run_id, categories, updated_at, expiration_date, metadata. Memories of
    several users in one file become memories of one scope: export one user at a time.
    """

    card: ClassVar[Card] = Card(
        title="mem0 memories, the JSON of get_all()",
        source="mem0 API reference, Get Memories",
        year=2024,
    )

    def recognises(self, head: Head) -> int:
        listed = "results" in head.keys and '"memory"' in head.text
        return 3 if listed or {"id", "memory"} <= head.keys else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first memory without a text."""
        for line, value in _json.items(source):
            found = value.get("results") if isinstance(value, dict) and "memory" not in value else [value]
            if not isinstance(found, list):
                raise MalformedFile(source.name, line, "'results' is no list of memories")
            for memory in found:
                yield from _turns(source, line, memory)


def _turns(source: Source, line: int, memory: Json) -> Iterator[Turn]:
    if not isinstance(memory, dict) or not isinstance(memory.get("memory"), str):
        raise MalformedFile(source.name, line, "an entry without a text under 'memory'")
    role = memory.get("role")
    for piece in _pieces.split(memory["memory"], MAX_TEXT_CHARS):
        if piece.strip():
            yield source.turn(
                line,
                piece,
                speaker=str(memory.get("actor_id") or ""),
                role=role if role in ROLES else "assistant",
                session=str(memory.get("run_id") or ""),
                at=memory.get("created_at") or None,
                meta=_meta(memory),
            )


def _meta(memory: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in (("memory", memory.get("id")), *_of(memory)) if value}


def _of(memory: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    return ((name, memory.get(name)) for name in _KEPT)


METHOD = Mem0
