"""Letta's agent files: `.af`.

Source: https://github.com/letta-ai/agent-file and https://docs.letta.com/guides/core-concepts/agent-file: {agents:
[{name, agent_type, block_ids, messages: [{role, content, name, tool_calls, created_at}]}], blocks: [{id, label, value,
description}]}; before 2025's schema one agent alone: {name, agent_type, core_memory: [{label, value}], messages}.
Ours differs: not read are the system prompt, which repeats the blocks, a MemGPT agent's thoughts, heartbeats, calls of
tools other than send_message, tools' code, and attached files. An agent file holds no archival memory.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_NAME_CHARS, MAX_TEXT_CHARS, Json, Role, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

SUFFIX = ".af"
BLOCKS = "memory blocks"
_SPEAK = "send_message"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "tool": "tool", "function": "tool"}
_WRAPPED: dict[str, Role] = {"user_message": "user", "system_alert": "system"}
_SIGNALS = ("heartbeat", "login")
_THINKERS = ("memgpt", "sleeptime")  # agents whose content is a thought; they speak by calling a tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Letta:
    """Read an agent file of Letta.

    session: the agent's name, of blocks "memory blocks";  at: the message's time;  speaker: the agent's name for what
    it says, a tool's name for what the tool answered;  role: assistant for blocks, which the agent writes
    meta: message id; of blocks the label and description, each in turns of at most 2,000 characters.
    A summary of messages that the file no longer holds has the role system.
    """

    card: ClassVar[Card] = Card(
        title="Letta agent files, .af",
        source="github.com/letta-ai/agent-file",
        year=2025,
    )

    def recognises(self, head: Head) -> int:
        if {"core_memory", "agent_type"} <= head.keys or ("agents" in head.keys and '"block_ids"' in head.text):
            return 3
        return 2 if head.suffix == SUFFIX else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile where it is no agent file."""
        for line, value in _json.items(source):
            agents = value.get("agents", [value]) if isinstance(value, dict) else None
            if not isinstance(agents, list) or not all(isinstance(agent, dict) for agent in agents):
                raise MalformedFile(source.name, line, "no 'agents' in the file")
            for block in _objects(value.get("blocks") or value.get("core_memory")):
                yield from _block(source, line, block)
            for agent in agents:
                if not isinstance(agent.get("messages"), list):
                    raise MalformedFile(source.name, line, "an agent without 'messages'")
                for message in _objects(agent["messages"]):
                    yield from _message(source, line, agent, message)


def _block(source: Source, line: int, block: Mapping[str, Json]) -> Iterator[Turn]:
    value = block.get("value")
    meta = {"block": block.get("label"), "description": block.get("description")}
    for piece in _pieces.split(value if isinstance(value, str) else ""):
        if piece.strip():
            kept = {name: held for name, held in meta.items() if held}
            yield source.turn(line, piece, role="assistant", session=BLOCKS, meta=kept)


def _message(source: Source, line: int, agent: Mapping[str, Json], message: Mapping[str, Json]) -> Iterator[Turn]:
    name = str(agent.get("name") or "")[:MAX_NAME_CHARS]
    role, text = _heard(message, thinks=str(agent.get("agent_type") or "").startswith(_THINKERS))
    speaker = {"assistant": name, "tool": str(message.get("name") or "")}.get(role, "")
    for piece in _pieces.split(text, MAX_TEXT_CHARS):
        if piece.strip():
            yield source.turn(
                line,
                piece,
                speaker=speaker,
                role=role,
                session=name,
                at=message.get("created_at") or None,
                meta={"message": message["id"]} if message.get("id") else {},
            )


def _heard(message: Mapping[str, Json], *, thinks: bool) -> tuple[Role, str]:
    """(role, text) of a message; the text is empty where nothing was said to anybody."""
    role, text = str(message.get("role")), _content(message)
    if role == "summary":
        return "system", text
    if role not in _ROLES:
        return "system", ""
    if role == "assistant":
        spoken = list(_spoken(message))
        return "assistant", "\n".join(spoken) if spoken or thinks else text
    wrapped = _object(text)
    if role == "user":
        return _from_user(text, wrapped)
    said = wrapped.get("message") if "status" in wrapped else text
    return "tool", "" if message.get("name") == _SPEAK or not isinstance(said, str) or said == "None" else said


def _from_user(text: str, wrapped: Mapping[str, Json]) -> tuple[Role, str]:
    """What came in as the user's, out of the wrapping that MemGPT agents put around it."""
    kind, said = str(wrapped.get("type")), wrapped.get("message")
    if kind in _SIGNALS:
        return "system", ""
    return (_WRAPPED[kind], said) if kind in _WRAPPED and isinstance(said, str) else ("user", text)


def _spoken(message: Mapping[str, Json]) -> Iterator[str]:
    """What an assistant says by calling send_message."""
    for call in _objects(message.get("tool_calls")):
        asked = call.get("function")
        if isinstance(asked, dict) and asked.get("name") == _SPEAK:
            text = _object(asked.get("arguments")).get("message")
            if isinstance(text, str):
                yield text


def _content(message: Mapping[str, Json]) -> str:
    content = message.get("content") or message.get("text")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in _objects(content) if isinstance(part.get("text"), str))


def _object(text: Json) -> dict[str, Json]:
    """The object that a text holds as JSON, empty where it holds none."""
    try:
        value = json.loads(text) if isinstance(text, str) and text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


METHOD = Letta
