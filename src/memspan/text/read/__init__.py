"""Reading in: conversations and notes from files, turn by turn.

One format, one file: `plain`, `markdown`, `jsonl`, `chatgpt`, `claude`, `openai_messages`, ...; the transcripts of
coding agents (`claude_code`, `codex`, `gemini_cli`) can also be followed while they grow.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from memspan.core.protocols import Progress
from memspan.core.records import Turn
from memspan.text.read import _detect, _source, _stable
from memspan.text.read._detect import formats
from memspan.text.read._transcript import Known, Transcript

__all__ = ["Known", "Transcript", "formats", "read", "transcript"]

_TRANSCRIPTS = ("claude_code", "codex", "gemini_cli")


def read(
    path: str | Path | BinaryIO,
    *,
    format: str | None = None,
    session: str | None = None,
    speaker: str = "",
    progress: Progress | None = None,
) -> Iterator[Turn]:
    """The turns of a file, as they are found; reading it again gives equal turns with equal ids.

    path: a file, a zip that holds `conversations.json`, or a stream of bytes
    format: one of `formats()`; None = recognised by the content, the file's ending is a hint
    session: put in place of the session of every turn; None = as the file says, else the file's name
    speaker: who speaks where a turn of role "user" does not say so
    progress: called with (bytes read, bytes in all), once a block
    Raises MalformedFile at the first line that breaks the format, after all turns before it; UsageError where
    there is no such format; OSError where the file cannot be opened.

    >>> import io
    >>> [turn.text for turn in read(io.BytesIO(b"Alice: hi\\nBob: hello"))]
    ['hi', 'hello']
    """
    if format is not None:
        _detect.reader(format)
    return _stable.with_stable_ids(_placed(_raw(path, format, progress), session, speaker))


def transcript(head: str) -> Transcript | None:
    """The format of a coding agent's transcript that a file of lines begins like; None where it is none.

    >>> transcript('{"type": "session_meta", "payload": {}}\\n')
    Codex()
    >>> transcript('{"text": "hello"}') is None
    True
    """
    beginning = _detect.Head(head, ".jsonl")
    known: list[Transcript] = [import_module(f"{__name__}.{name}").METHOD() for name in _TRANSCRIPTS]
    return next((one for one in known if one.recognises(beginning)), None)


def _raw(path: str | Path | BinaryIO, name: str | None, progress: Progress | None) -> Iterator[Turn]:
    with _source.opened(path, progress) as sources:
        for source in sources:
            for turn in _detect.reader(name or _detect.detect(source)).read(source):
                yield turn if turn.session else replace(turn, session=source.stem)


def _placed(turns: Iterable[Turn], session: str | None, speaker: str) -> Iterator[Turn]:
    for turn in turns:
        spoken = turn.speaker or (speaker if turn.role == "user" else "")
        there = turn.session if session is None else session
        same = spoken == turn.speaker and there == turn.session
        yield turn if same else replace(turn, session=there, speaker=spoken)
