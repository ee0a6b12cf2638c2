"""Codex CLI's rollouts: `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl`.

Source: openai/codex (Apache-2.0), codex-rs/protocol/src/models.rs (ResponseItem), and a session of version 0.77 in the
tests of simonw/claude-code-transcripts: a line is {timestamp, type: session_meta | response_item | event_msg |
turn_context | compacted, payload}. The oldest files, whose lines have no payload, are not read.
Ours differs: messages are taken from response_item; event_msg says them again. Not read: reasoning, messages to the
model by the program (developer, system, and whatever it wraps in a tag in a user's name), sessions of subagents.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.records import Json, Turn
from memspan.text.read import _transcript
from memspan.text.read._detect import Head
from memspan.text.read._source import Source
from memspan.text.read._transcript import Known

SPEAKER = "Codex"
_KINDS = ("input_text", "output_text", "text")
_WRAPPED = re.compile(r"<([a-zA-Z][\w -]{0,60})(?:\s[^<>]{0,200})?>")
_OWN_WORDS = (
    "# AGENTS.md instructions",
    "These AGENTS.md instructions replace",
    "The previously provided AGENTS.md instructions",
)
_REQUEST = "## My request for Codex:"
_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codex:
    """Read a rollout of Codex CLI.

    session: the id in its session_meta;  at: the line's timestamp;  speaker: "Codex" for its answers, a tool's name
    for what the tool said;  meta: source (of a tool), chars (of an output that was cut). Where an editor puts its own
    context before a request, the request alone is the user's. A summary of what went before has the role system and
    is trusted like a tool.
    """

    card: ClassVar[Card] = Card(
        title="Codex CLI rollouts, ~/.codex/sessions/**/rollout-*.jsonl",
        source="openai/codex, codex-rs/protocol/src",
        year=2025,
    )

    def recognises(self, head: Head) -> int:
        return 3 if {"type", "payload"} <= head.keys else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile at the first line that is not JSON."""
        return _transcript.read(self, source)

    def take(self, line: int, value: Json, known: Known) -> Iterator[Turn]:
        """The turns of one line; none of a line that tells of the program alone."""
        if not isinstance(value, dict) or not isinstance(payload := value.get("payload"), dict):
            return
        kind = value.get("type")
        if kind == "session_meta":
            _begin(payload, known)
        elif kind == "response_item" and not known.inner:
            known.when(value.get("timestamp"))
            yield from _item(line, payload, known)
        elif kind == "compacted" and not known.inner:
            known.when(value.get("timestamp"))
            text = _transcript.text_of(payload.get("message"))
            yield from _transcript.said(text, "system", SPEAKER, known, trust="tool", source="codex/summary")


def _begin(payload: dict[str, Json], known: Known) -> None:
    """The first one counts: a forked session holds its parent's too."""
    if known.session:
        return
    known.session = _transcript.text_of(payload.get("id"))
    known.cwd = _transcript.text_of(payload.get("cwd"))
    source = payload.get("source")
    known.inner = isinstance(source, dict) and ("subagent" in source or "internal" in source)


def _item(line: int, item: dict[str, Json], known: Known) -> Iterator[Turn]:
    kind = item.get("type")
    if kind == "message" and item.get("role") == "assistant":
        yield from _transcript.said(_transcript.parts(item.get("content"), *_KINDS), "assistant", SPEAKER, known)
    elif kind == "message" and item.get("role") == "user":
        for part in _transcript.objects(item.get("content")):
            if own := typed(_transcript.parts([part], *_KINDS)):
                known.calls.clear()  # what was not answered before the person goes on never will be
                yield from _transcript.said(own, "user", "", known)
    elif kind in _CALLS:
        name = item.get("name") or ("shell" if kind == "local_shell_call" else "tool")
        known.called(line, item.get("call_id"), name, _arguments(item))
    elif kind in _OUTPUTS:
        output, failed = _output(item.get("output"))
        yield from _transcript.told_by_tool("codex", item.get("call_id"), output, known, failed=failed)


def typed(text: str) -> str:
    """What the person typed of a part of a user's message; "" of what the program wrote in their name.

    >>> typed("<environment_context>\\n<cwd>/srv</cwd>\\n</environment_context>")
    ''
    >>> typed("# Context from my IDE setup:\\n...\\n## My request for Codex:\\nFix it.")
    'Fix it.'
    """
    text = text.strip()
    opened = _WRAPPED.match(text)
    if (opened and text.endswith(f"</{opened[1]}>")) or text.startswith(_OWN_WORDS):
        return ""
    return text.rpartition(_REQUEST)[2].strip() if _REQUEST in text else text


def _arguments(item: dict[str, Json]) -> Json:
    action = item.get("action")
    if isinstance(action, dict):
        return action
    raw = item.get("arguments") or item.get("input") or ""
    try:
        return json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return raw


def _output(output: Json) -> tuple[str, bool]:
    """(the text, whether it failed) of what a tool answered, in any of the shapes it has had."""
    if isinstance(output, str) and output.startswith("{"):
        try:
            held = json.loads(output)
        except (ValueError, RecursionError):
            return output, False
        if not isinstance(held, dict) or not isinstance(held.get("output"), str):
            return output, False
        about = held.get("metadata")
        return held["output"], isinstance(about, dict) and about.get("exit_code") not in (0, None)
    if isinstance(output, dict):
        return _transcript.text_of(output.get("content")), output.get("success") is False
    return _transcript.parts(output, *_KINDS), False


METHOD = Codex
