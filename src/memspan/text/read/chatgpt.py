"""ChatGPT's export: `conversations.json`, or the zip it comes in.

Source: OpenAI's data export (Settings, Data controls, Export data), by the shape of the files it sends: a list of
{id, title, create_time, mapping: {node: {message, parent, children}}, current_node}.
Ours differs: only the branch that ends in `current_node` is read, which is what the page shows; answers that were
regenerated or edited away are not. The model's own thoughts and hidden messages are not read either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_TEXT_CHARS, Json, Role, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

SPEAKER = "ChatGPT"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "tool": "tool"}
_THOUGHTS = ("thoughts", "reasoning_recap")
_INSTRUCTIONS = "user_editable_context"  # what the user wrote once about themselves; sent hidden in every chat


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatGPT:
    """Read a ChatGPT export.

    session: the conversation's id;  at: the message's time;  speaker: "ChatGPT" for its answers, the tool's name
    for tools;  meta: title, message id, names of files, the kinds of parts that are no text (pictures, sound). What
    the user wrote once under "custom instructions" is a turn of theirs, once per wording. Messages without text are no
    turns.
    """

    card: ClassVar[Card] = Card(
        title="ChatGPT data export, conversations.json or its zip",
        source="OpenAI's data export, by the shape of its files",
        year=2023,
    )

    def recognises(self, head: Head) -> int:
        return 3 if "mapping" in head.keys else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile where a conversation has not this shape."""
        instructions = set[str]()
        for number, (line, chat) in enumerate(_json.items(source), start=1):
            if not isinstance(chat, dict) or not isinstance(chat.get("mapping"), dict):
                raise MalformedFile(source.name, line, f"conversation {number} has no 'mapping'")
            session = str(chat.get("conversation_id") or chat.get("id") or f"{source.stem}-{number}")
            for message in _branch(chat):
                if text := _new_instructions(message, instructions):
                    meta = {"title": _title(chat), "custom_instructions": True}
                    yield source.turn(line, text, session=session, meta=meta)
                elif _is_shown(message):
                    yield from _turns(source, line, session, _title(chat), message)


def _branch(chat: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The messages from the root to the node that the page shows, oldest first."""
    nodes = {key: node for key, node in chat["mapping"].items() if isinstance(node, dict)}
    at: Json = chat.get("current_node")
    if not isinstance(at, str) or at not in nodes:
        at = _newest_leaf(nodes)
    path = list[dict[str, Json]]()
    seen = set[str]()
    while isinstance(at, str) and at in nodes and at not in seen:
        seen.add(at)
        if isinstance(message := nodes[at].get("message"), dict):
            path.append(message)
        at = nodes[at].get("parent")
    return path[::-1]


def _newest_leaf(nodes: Mapping[str, dict[str, Json]]) -> str | None:
    """Where the file does not say which branch is shown: the one that ends last."""
    leaves = [key for key, node in nodes.items() if not node.get("children")]
    return max(leaves, key=lambda key: (_time(nodes[key].get("message")) or 0.0, key), default=None)


def _turns(source: Source, line: int, session: str, title: str, message: dict[str, Json]) -> Iterator[Turn]:
    author = _object(message.get("author"))
    role = _ROLES.get(str(author.get("role")), "tool")
    name = author.get("name") or (SPEAKER if role == "assistant" else "")
    text, other = _content(_object(message.get("content")))
    meta = {
        "title": title, "message": message.get("id"), "parts": other, "files": _files(message),
        "to": _tool_asked(message),
    }  # fmt: skip
    for piece in _pieces.split(text, MAX_TEXT_CHARS):
        if piece.strip():
            yield source.turn(
                line,
                piece,
                speaker=str(name),
                role=role,
                session=session,
                at=_time(message),
                meta={key: value for key, value in meta.items() if value},
            )


def _content(content: dict[str, Json]) -> tuple[str, list[str]]:
    """(its text, the kinds of its parts that are no text)."""
    texts, other = list[str](), list[str]()
    parts = content.get("parts")
    for part in parts if isinstance(parts, list) else [content]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            text = next((part[key] for key in ("text", "result") if isinstance(part.get(key), str)), "")
            texts.append(text)
            if not text and part.get("content_type"):
                other.append(str(part["content_type"]))
    return "\n".join(filter(None, texts)), other


def _new_instructions(message: dict[str, Json], known: set[str]) -> str:
    content = _object(message.get("content"))
    if content.get("content_type") != _INSTRUCTIONS:
        return ""
    text = "\n\n".join(str(content[key]) for key in ("user_profile", "user_instructions") if content.get(key))
    if text in known or not text.strip():
        return ""
    known.add(text)
    return text[:MAX_TEXT_CHARS]


def _is_shown(message: dict[str, Json]) -> bool:
    kind = _object(message.get("content")).get("content_type")
    hidden = _object(message.get("metadata")).get("is_visually_hidden_from_conversation")
    return not hidden and kind not in (*_THOUGHTS, _INSTRUCTIONS)


def _files(message: dict[str, Json]) -> list[str]:
    """Names of the files that were attached."""
    attached = _object(message.get("metadata")).get("attachments")
    files = attached if isinstance(attached, list) else []
    return [str(file["name"]) for file in files if isinstance(file, dict) and file.get("name")]


def _tool_asked(message: dict[str, Json]) -> str:
    """The tool a message is for; "" where it is for the user."""
    to = message.get("recipient")
    return to if isinstance(to, str) and to != "all" else ""


def _title(chat: Mapping[str, Json]) -> str:
    return str(chat.get("title") or "")


def _time(message: Json) -> float | None:
    at = message.get("create_time") if isinstance(message, dict) else None
    return float(at) if isinstance(at, (int, float)) and not isinstance(at, bool) else None


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


METHOD = ChatGPT
