"""What the transcripts of coding agents have in common: files that grow, a line at a time, with tools in them.

A tool's output is a turn of its own (role "tool", so that it is trusted like one), headed by the call that it answers
and cut in the middle where it is long. What the program puts among the person's words is taken out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from memspan.core.clock import seconds
from memspan.core.errors import BadTime
from memspan.core.records import MAX_TEXT_CHARS, Json, Role, Turn
from memspan.text.read import _json, _pieces
from memspan.text.read._detect import Reader
from memspan.text.read._source import Source

TOOL_CHARS = 2_000
"""Kept of a tool's output; the turn says how long the whole was."""
CALL_CHARS = 200
OPEN_CALLS = 32
"""Calls remembered until they are answered; what was called before these is taken for given up."""
_HEAD_SHARE = 0.7
_TELLING = ("command", "file_path", "path", "pattern", "query", "url", "description", "prompt")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool. line: where it stands;  name: of the tool;  shown: what was asked of it, on one line"""

    line: int
    name: str
    shown: str


@dataclass(slots=True)
class Known:
    """What a transcript has told so far, so that reading it can go on anywhere.

    session: its id;  cwd: where the agent was started;  at: the last time it named [s]
    inner: whether all of it was said between an agent and its subagent;  calls: not answered yet, by id
    """

    session: str = ""
    cwd: str = ""
    at: float | None = None
    inner: bool = False
    calls: dict[str, Call] = field(default_factory=dict)

    def when(self, value: Json) -> float | None:
        """A time in the file, or the last one before where it is none [s]."""
        if isinstance(value, str):
            try:
                self.at = seconds(value)
            except BadTime:
                return self.at
        return self.at

    def called(self, line: int, key: Json, name: Json, asked: Json) -> None:
        """Take in a call of a tool."""
        self.calls[str(key)] = Call(line, plain(str(name or "tool")), _shown(asked))
        while len(self.calls) > OPEN_CALLS:
            del self.calls[next(iter(self.calls))]


class Transcript(Reader, Protocol):
    """A format that grows while it is read: lines are taken one by one."""

    def take(self, line: int, value: Json, known: Known) -> Iterator[Turn]:
        """The turns of one line, which may change what is known.

        line: its number;  value: the JSON in it
        Raises UsageError where a turn of it cannot be stored.
        """
        ...


def read(transcript: Transcript, source: Source) -> Iterator[Turn]:
    """All turns of a whole file; a turn that is there twice to the word and the second is given once.

    Raises MalformedFile at the first line that is not JSON.
    """
    known, seen = Known(), set[int]()
    for line, value in _json.items(source):
        for turn in transcript.take(line, value, known):
            if (key := hash((turn.session, turn.speaker, turn.at, turn.text))) not in seen:
                seen.add(key)
                yield turn


def plain(text: str) -> str:
    """Text that can be stored: no NUL, no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def said(text: str, role: Role, speaker: str, known: Known, **meta: Json) -> Iterator[Turn]:
    """What somebody said, in as many turns as it takes; none of blank text."""
    for piece in _pieces.split(plain(text), MAX_TEXT_CHARS):
        if piece.strip():
            yield Turn(piece.strip(), speaker=speaker, role=role, session=known.session, at=known.at, meta=meta)


def told_by_tool(agent: str, key: Json, output: str, known: Known, *, failed: bool = False) -> Iterator[Turn]:
    """What a tool answered, headed by the call. agent: the program;  key: the id of the call;  failed: it says so"""
    call = known.calls.pop(str(key), None)
    name = call.name if call else "tool"
    whole = plain(output).strip()
    kept = bounded(whole)
    asked = f"{name}({call.shown if call else ''})"
    meta: dict[str, Json] = {"source": f"{agent}/{name}"[:200]}
    if len(kept) < len(whole):
        meta["chars"] = len(whole)
    if failed:
        meta["failed"] = True
    text = f"{asked}\n{kept}" if kept else asked
    yield Turn(text, speaker=name[:100], role="tool", session=known.session, at=known.at, meta=meta)


def bounded(text: str, most: int = TOOL_CHARS) -> str:
    """The text, or its beginning and its end and how long the whole was.

    >>> bounded("a" * 5000, 100)[68:104]
    'aa\\n[... 5,000 characters in all ...]'
    """
    if len(text) <= most:
        return text
    head = int(_HEAD_SHARE * most)
    return f"{text[:head]}\n[... {len(text):,} characters in all ...]\n{text[head - most :]}"


def without(text: str, tags: Iterable[str]) -> str:
    """The text without whatever stands between <tag ...> and </tag>; nothing where it begins with one of the tags and
    that is not closed.

    >>> without("<hook>x</hook>Fix <b>this</b>.", ["hook"])
    'Fix <b>this</b>.'
    """
    kept, at, open_for_good = "", 0, set[str]()
    for opened in re.finditer(rf"<({'|'.join(map(re.escape, tags))})(?=[\s>])", text):
        tag = opened[1]
        if opened.start() < at or tag in open_for_good:
            continue
        end = text.find(f"</{tag}>", opened.end())
        if end >= 0:
            kept, at = kept + text[at : opened.start()], end + len(tag) + 3
        elif not (kept + text[at : opened.start()]).strip():
            return ""
        else:
            open_for_good.add(tag)
    return (kept + text[at:]).strip()


def between(text: str, tag: str) -> str:
    """What stands between the first <tag> and its end; "" where there is none.

    >>> between("<name>/fix</name>", "name")
    '/fix'
    """
    start = text.find(f"<{tag}>")
    end = text.find(f"</{tag}>", start)
    return text[start + len(tag) + 2 : end].strip() if 0 <= start < end else ""


def parts(content: Json, *kinds: str) -> str:
    """The text of a content that is text, or a list of parts of which those of these kinds count."""
    if isinstance(content, str):
        return content
    found = (part.get("text") for part in objects(content) if part.get("type", kinds[0]) in kinds)
    return "\n".join(text for text in found if isinstance(text, str) and text)


def objects(value: Json) -> list[dict[str, Json]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: Json) -> str:
    """The value where it is text, else ""."""
    return value if isinstance(value, str) else ""


def _shown(asked: Json) -> str:
    """What was asked of a tool: its most telling argument, on one line."""
    if isinstance(asked, dict):
        told = next((asked[name] for name in _TELLING if asked.get(name)), None)
        asked = told if told is not None else ", ".join(f"{name}={value}" for name, value in asked.items())
    shown = " ".join(map(str, asked)) if isinstance(asked, list) else str(asked or "")
    line = " ".join(plain(shown[: 8 * CALL_CHARS]).split())
    return line if len(line) <= CALL_CHARS else f"{line[: CALL_CHARS - 3]}..."
