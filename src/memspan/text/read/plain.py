"""Plain text: paragraphs, or a conversation where most lines read "Name: words".

Source: ours; the form in which chat logs and transcripts are usually kept.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import MAX_TEXT_CHARS, Role, Turn
from memspan.text.read import _characters, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

# a name: up to four words and 40 characters, no digit first, no address ("http://")
_SAID = re.compile(
    r"^(?P<name>[^\W\d_][^\n:：.,;!?\"()\[\]{}<>/\\|=]{0,39}?)\s?(?::(?:\s+|$)|：\s*)(?P<words>.*)$", re.S
)
_NAME_WORDS = 4
_ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "claude": "assistant",
    "bot": "assistant",
    "system": "system",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Read plain text.

    A line "Name: words" begins a turn of that speaker where more than half of the lines look so and a name
    comes back; a line that does not look so belongs to the turn above it. Otherwise each paragraph (blank lines
    between) is a turn; no character that is not white space is lost.

    piece_chars: longer paragraphs are cut, behind a sentence where possible [characters], >= 1
    """

    card: ClassVar[Card] = Card(
        title='Plain text, with "Name: words" lines as turns',
        source="how chat logs and transcripts are usually kept",
        year=2026,
    )

    piece_chars: int = _pieces.PIECE_CHARS

    def recognises(self, head: Head) -> int:
        """Any text will do, where nothing else knows it."""
        return 1

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile where the bytes are no text."""
        if is_conversation(_characters.head(source)):
            yield from self._conversation(source)
        else:
            yield from self._paragraphs(source)

    def _paragraphs(self, source: Source) -> Iterator[Turn]:
        for line, text in _blocks(source, lambda line: not line.strip()):
            for piece in _pieces.split(text, self.piece_chars):
                if piece.strip():
                    yield source.turn(line, piece.strip("\n"))

    def _conversation(self, source: Source) -> Iterator[Turn]:
        for line, text in _blocks(source, lambda line: said(line) is not None):
            spoken = said(text)
            name, words = spoken or ("", text)
            for piece in _pieces.split(words.strip("\n"), MAX_TEXT_CHARS):
                if piece.strip():
                    role = _ROLES.get(name.lower(), "user")
                    yield source.turn(line, piece, speaker=name, role=role)


def said(text: str) -> tuple[str, str] | None:
    """(name, words) of "Name: words"; None where it does not read so.

    >>> said("Alice: I moved to Lisbon.")
    ('Alice', 'I moved to Lisbon.')
    """
    match = _SAID.match(text)
    if match is None or len(match["name"].split()) > _NAME_WORDS:
        return None
    return match["name"].strip(), match["words"]


def is_conversation(head: str) -> bool:
    """True where more than half of the lines read "Name: words" and a name comes back.

    >>> is_conversation("Alice: hi\\nBob: hello\\nAlice: how are you?")
    True
    >>> is_conversation("name: Alice\\nage: 30\\ncity: Lisbon\\nfood: figs")
    False
    """
    lines = [line for line in head.splitlines() if line.strip()]
    names = [spoken[0] for line in lines if (spoken := said(line))]
    return 2 * len(names) > len(lines) and (len(set(names)) < len(names) or len(names) <= 2)


def _blocks(source: Source, begins: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """(first line, text) of each run of lines; a new one begins where `begins(line)` is true."""
    held, first, broken = list[str](), 1, None
    try:
        for number, line in _characters.lines(source):
            if held and begins(line):
                yield first, "\n".join(held)
                held = []
            if not held:
                first = number
            held.append(line)
    except MalformedFile as error:
        broken = error
    if held:
        yield first, "\n".join(held)
    if broken:
        raise broken


METHOD = Plain
