"""Message lists as chat APIs take them: [{role, content, name?, tool_calls?}], or {"messages": [...]} per line.

Source: OpenAI's API reference, "Create chat completion" (messages), and its fine-tuning file format (JSONL of
{"messages": [...]}).
Ours differs: no message has a time there; `at`, `created_at` or `timestamp` is taken where somebody added one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_TEXT_CHARS, Json, Role, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

_ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
_TIMES = ("at", "created_at", "timestamp")
_SESSIONS = ("session", "conversation_id", "thread_id", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIMessages:
    """Read message lists.

    session: that of the object (`session`, `conversation_id`, `thread_id`, `id`), else the file's name and, where
    there are several lists, the number of the list;  speaker: `name`
    meta: kinds of parts that are no text, tool calls. A message that only calls tools has the calls as its text.
    """

    card: ClassVar[Card] = Card(
        title="OpenAI-style message lists, JSON or JSONL",
        source="OpenAI API reference, Create chat completion",
        year=2023,
    )

    def recognises(self, head: Head) -> int:
        named = head.keys
        if "text" in named:
            return 0
        return 3 if "messages" in named or {"role", "content"} <= named or {"role", "tool_calls"} <= named else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first message that is none."""
        for number, (line, value) in enumerate(_json.items(source), start=1):
            for message, session in _messages(source, line, number, value):
                yield from _turns(source, line, session, message)


def _messages(source: Source, line: int, number: int, value: Json) -> Iterator[tuple[Json, str]]:
    """(message, session) of a list, of an object around a list, or of the one message this is."""
    if isinstance(value, list):
        yield from ((message, f"{source.stem}-{number}") for message in value)
    elif isinstance(value, dict) and isinstance(value.get("messages"), list):
        given = next((str(value[key]) for key in _SESSIONS if value.get(key)), f"{source.stem}-{number}")
        yield from ((message, given) for message in value["messages"])
    else:
        yield value, ""


def _turns(source: Source, line: int, session: str, message: Json) -> Iterator[Turn]:
    if not isinstance(message, dict) or str(message.get("role")) not in _ROLES:
        raise MalformedFile(source.name, line, f"no message with one of the roles {', '.join(_ROLES)}")
    text, other = _content(message.get("content"))
    calls = _calls(message)
    meta = {"parts": other, "tool_calls": calls, "tool_call": message.get("tool_call_id")}
    for piece in _pieces.split(text if text.strip() else "\n".join(calls), MAX_TEXT_CHARS):
        if piece.strip():
            yield source.turn(
                line,
                piece,
                speaker=str(message.get("name") or ""),
                role=_ROLES[message["role"]],
                session=session,
                at=next((message[key] for key in _TIMES if message.get(key) is not None), None),
                meta={key: value for key, value in meta.items() if value},
            )


def _content(content: Json) -> tuple[str, list[str]]:
    """(its text, the kinds of its parts that are no text)."""
    if isinstance(content, str):
        return content, []
    texts, other = list[str](), list[str]()
    for part in content if isinstance(content, list) else []:
        text = _text(part)
        texts.append(text)
        if not text and isinstance(part, dict):
            other.append(str(part.get("type")))
    return "\n".join(filter(None, texts)), other


def _text(part: Json) -> str:
    if isinstance(part, dict):
        part = part.get("text") or part.get("refusal")
    if isinstance(part, dict):
        part = part.get("value")
    return part if isinstance(part, str) else ""


def _calls(message: dict[str, Json]) -> list[str]:
    """Each tool call as `name(arguments)`."""
    calls = message.get("tool_calls")
    asked = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    asked.append(message.get("function_call"))
    return [f"{call.get('name')}({call.get('arguments') or ''})" for call in asked if isinstance(call, dict)]


METHOD = OpenAIMessages
