"""Gemini CLI's recorded chats: `~/.gemini/tmp/<project>/chats/session-*.jsonl`, and the older `session-*.json`.

Source: google-gemini/gemini-cli (Apache-2.0), packages/core/src/services/chatRecordingService.ts and
chatRecordingTypes.ts: a first line {sessionId, projectHash, startTime, kind}, then messages {id, timestamp, type:
user | gemini | info | error | warning, content, toolCalls}, {$set} and {$rewindTo}; an older file is one object with
all `messages`.
Ours differs: a message that the program writes again as it grows is read each time it says something new, and what
was rewound stays. Thoughts, notices of the program and sessions of subagents are not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.records import Json, Turn
from memspan.text.read import _transcript
from memspan.text.read._detect import Head
from memspan.text.read._source import Source
from memspan.text.read._transcript import Known

SPEAKER = "Gemini CLI"
_DONE = ("success", "error", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiCli:
    """Read a recorded chat of Gemini CLI.

    session: its sessionId;  at: the message's timestamp, a tool's own;  speaker: "Gemini CLI" for its answers, a
    tool's name for what the tool said;  meta: source (of a tool), chars (of an output that was cut), failed. The
    files name no folder, only a hash of it.
    """

    card: ClassVar[Card] = Card(
        title="Gemini CLI chats, ~/.gemini/tmp/*/chats/session-*.jsonl",
        source="google-gemini/gemini-cli, chatRecordingTypes.ts",
        year=2025,
    )

    def recognises(self, head: Head) -> int:
        return 3 if {"sessionId", "projectHash"} <= head.keys else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first line that is not JSON."""
        return _transcript.read(self, source)

    def take(self, line: int, value: Json, known: Known) -> Iterator[Turn]:
        """The turns of one line, or of a whole file that is one object."""
        if not isinstance(value, dict):
            return
        if "projectHash" in value:
            known.session = _transcript.text_of(value.get("sessionId"))
            known.inner = value.get("kind") == "subagent"
            messages = _transcript.objects(value.get("messages"))
        else:
            messages = [value] if "id" in value else []
        for message in () if known.inner else messages:
            yield from _message(line, message, known)


def _message(line: int, message: dict[str, Json], known: Known) -> Iterator[Turn]:
    known.when(message.get("timestamp"))
    text = _transcript.parts(message.get("content"), "text")
    if message.get("type") == "user":
        yield from _transcript.said(_transcript.parts(message.get("displayContent"), "text") or text, "user", "", known)
    elif message.get("type") == "gemini":
        yield from _transcript.said(text, "assistant", SPEAKER, known)
        for call in _transcript.objects(message.get("toolCalls")):
            if call.get("status") in _DONE:
                known.when(call.get("timestamp"))
                known.called(line, call.get("id"), call.get("name"), call.get("args"))
                failed = call.get("status") != "success"
                output = _output(call)
                yield from _transcript.told_by_tool("gemini_cli", call.get("id"), output, known, failed=failed)


def _output(call: dict[str, Json]) -> str:
    """What a tool answered: of the parts that went to the model, the text and the functions' answers."""
    result = call.get("result")
    if isinstance(result, str):
        return result
    told = list[str]()
    for part in _transcript.objects(result):
        answer = part.get("functionResponse")
        response = answer.get("response") if isinstance(answer, dict) else None
        if isinstance(response, dict):
            told += [str(response[name]) for name in ("output", "error") if response.get(name)]
        elif isinstance(part.get("text"), str):
            told.append(part["text"])
    return "\n".join(told) or _transcript.text_of(call.get("resultDisplay"))


METHOD = GeminiCli
