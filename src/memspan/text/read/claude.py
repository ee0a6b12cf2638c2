"""Claude's export: `conversations.json`, or the zip it comes in.

Source: Anthropic's data export (Settings, Privacy, Export data), by the shape of the files it sends: a list of
{uuid, name, created_at, chat_messages: [{uuid, sender, text, content, created_at, attachments, files}]}.
Ours differs: the model's thinking and its tool calls are not read; that there were some is noted in `meta`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_TEXT_CHARS, Json, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

SPEAKER = "Claude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claude:
    """Read a Claude export.

    session: the conversation's uuid;  at: the message's time;  speaker: "Claude" for its answers
    meta: title, message uuid, names of files, how many parts are no text. The text of an attachment is the
    user's, in turns of its own of at most 2,000 characters. Messages without text are no turns.
    """

    card: ClassVar[Card] = Card(
        title="Claude data export, conversations.json or its zip",
        source="Anthropic's data export, by the shape of its files",
        year=2024,
    )

    def recognises(self, head: Head) -> int:
        return 3 if "chat_messages" in head.keys else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile where a conversation has not this shape."""
        for number, (line, chat) in enumerate(_json.items(source), start=1):
            if not isinstance(chat, dict) or not isinstance(chat.get("chat_messages"), list):
                raise MalformedFile(source.name, line, f"conversation {number} has no 'chat_messages'")
            session = str(chat.get("uuid") or f"{source.stem}-{number}")
            for message in chat["chat_messages"]:
                if not isinstance(message, dict):
                    raise MalformedFile(source.name, line, f"conversation {number} holds a message that is no object")
                yield from _turns(source, line, session, str(chat.get("name") or ""), message)


def _turns(source: Source, line: int, session: str, title: str, message: dict[str, Json]) -> Iterator[Turn]:
    human = message.get("sender") in ("human", "user")
    text, other = _content(message)
    meta = {"title": title, "message": message.get("uuid"), "parts": other, "files": _names(message)}
    for piece, attachment in _pieces_of(text, message):
        if piece.strip():
            yield source.turn(
                line,
                piece,
                speaker="" if human else SPEAKER,
                role="user" if human else "assistant",
                session=session,
                at=message.get("created_at") or None,
                meta={key: value for key, value in {**meta, "attachment": attachment}.items() if value},
            )


def _pieces_of(text: str, message: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """(text, the attachment it is from) of each turn a message makes."""
    for piece in _pieces.split(text, MAX_TEXT_CHARS):
        yield piece, ""
    for attached in _objects(message.get("attachments")):
        content = attached.get("extracted_content")
        for piece in _pieces.split(content if isinstance(content, str) else ""):
            yield piece, str(attached.get("file_name") or "unnamed")


def _content(message: dict[str, Json]) -> tuple[str, dict[str, int]]:
    """(its text, how many parts of each other kind). Older exports hold `text` only, newer ones both."""
    parts = _objects(message.get("content"))
    texts = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    whole = message.get("text")
    text = "\n\n".join(filter(None, texts)) or (whole if isinstance(whole, str) else "")
    return text, dict(Counter(str(part.get("type")) for part in parts if part.get("type") != "text"))


def _names(message: dict[str, Json]) -> list[str]:
    files = [*_objects(message.get("attachments")), *_objects(message.get("files"))]
    return [str(file["file_name"]) for file in files if file.get("file_name")]


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


METHOD = Claude
