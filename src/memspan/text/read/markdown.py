"""Markdown: sections, each with the path of headings that leads to it.

Source: CommonMark 0.31, sections 4.2 (ATX headings), 4.3 (setext headings), 4.5 (fenced code).
Ours differs: no other construct matters here; nothing is rendered, the text stays as written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from memspan.core.card import Card
from memspan.core.errors import MalformedFile
from memspan.core.records import Turn
from memspan.text.read import _characters, _pieces
from memspan.text.read._detect import Head
from memspan.text.read._source import Source

SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")
_ATX = re.compile(r"^ {0,3}(?P<marks>#{1,6})(?=[ \t]|$)(?P<title>.*)$")
_SETEXT = re.compile(r"^ {0,3}(?:(?P<first>=+)|-{2,})[ \t]*$")
_NO_TITLE = re.compile(r"^(?: {4}|\t|[ ]*(?:[-*+>|]|\d+[.)]))")
_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Markdown:
    """Read Markdown.

    A section is a turn, its heading the first line; `meta["path"]` holds the headings above it and its own. A
    longer section is cut between its blocks, a block that is longer alone behind a sentence where possible. No
    character that is not white space is lost.

    piece_chars: the longest turn [characters], >= 1
    """

    card: ClassVar[Card] = Card(
        title="Markdown, by sections", source="CommonMark 0.31, sections 4.2, 4.3, 4.5", year=2024
    )

    piece_chars: int = _pieces.PIECE_CHARS

    def recognises(self, head: Head) -> int:
        if head.suffix in SUFFIXES:
            return 2
        headings = sum(1 for line in head.text.splitlines() if (heading := _atx(line)) and heading[1])
        return 2 if headings > 1 and not head.suffix else 0

    def read(self, source: Source) -> Iterator[Turn]:
        """The turns. Raises MalformedFile where the bytes are no text."""
        section, broken = _Section(), None
        try:
            for number, line in _characters.lines(source):
                if following := section.ended_by(line, number):
                    yield from self._turns(source, section)
                    section = following
                section.add(line)
        except MalformedFile as error:
            broken = error
        yield from self._turns(source, section)
        if broken:
            raise broken

    def _turns(self, source: Source, section: "_Section") -> Iterator[Turn]:
        path = section.full_path()
        meta = {"path": [title for _, title in path]} if path else {}
        for text in _packed(section.blocks(), self.piece_chars):
            if text.strip():
                yield source.turn(section.first, text.strip("\n"), meta=meta)


@dataclass(slots=True)
class _Section:
    """Lines under one heading. first: number of its first line;  above: (level, title) of the headings so far"""

    first: int = 1
    above: list[tuple[int, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    fence: str = ""
    heading: tuple[int, str] | None = None
    front: bool = False

    def ended_by(self, line: str, number: int) -> "_Section | None":
        """The next section, where the line begins one or underlines its title."""
        if self.fence or self.front:
            return None
        if _SETEXT.match(line) and self._title_stands_last():
            title = self.lines.pop()
            level = 1 if "=" in line else 2
            return _Section(number - 1, self.full_path(), [title], heading=(level, title.strip()))
        if _atx(line) is None or not any(map(str.strip, self.lines)):
            return None
        return _Section(number, self.full_path())

    def _title_stands_last(self) -> bool:
        """True where the last line is alone between white lines and reads like a title."""
        last, before = [*self.lines[:-3:-1], "", ""][:2]
        return bool(last.strip()) and not before.strip() and not _NO_TITLE.match(last) and _atx(last) is None

    def add(self, line: str) -> None:
        if self.first == 1 and not self.lines:
            self.front = line.rstrip() == "---"  # a block of settings at the top, as many tools write it
        elif self.front and line.rstrip() in ("---", "..."):
            self.front = False
        if self.heading is None and not self.fence and not self.front:
            self.heading = _atx(line)
        self._note_fence(line)
        self.lines.append(line)

    def full_path(self) -> list[tuple[int, str]]:
        """(level, title) of the headings above this section, and its own."""
        if self.heading is None:
            return self.above
        return [*(above for above in self.above if above[0] < self.heading[0]), self.heading]

    def blocks(self) -> Iterator[str]:
        """Runs of lines that are better not cut: up to the next blank line, or a whole fence. Joined: the text."""
        held, fence = list[str](), ""
        for line in self.lines:
            held.append(line + "\n")
            if match := _FENCE.match(line):
                fence = _toggled(fence, match["fence"])
            if not line.strip() and not fence:
                yield "".join(held)
                held = []
        yield "".join(held)

    def _note_fence(self, line: str) -> None:
        if match := _FENCE.match(line):
            self.fence = _toggled(self.fence, match["fence"])


def _atx(line: str) -> tuple[int, str] | None:
    """(level, title) of "## title ##"; None where it is no heading."""
    match = _ATX.match(line)
    if match is None:
        return None
    title = match["title"].strip()
    bare = title.rstrip("#")
    return len(match["marks"]), bare.strip() if bare[-1:] in ("", " ", "\t") else title


def _toggled(fence: str, marks: str) -> str:
    """The fence that is open after a line with these marks; a fence closes by marks of its kind, as many or more."""
    if not fence:
        return marks
    return "" if marks[0] == fence[0] and len(marks) >= len(fence) else fence


def _packed(blocks: Iterator[str], most: int) -> Iterator[str]:
    """Blocks joined up to `most` characters; a longer one is cut."""
    held = ""
    for block in blocks:
        if held and len(held) + len(block.rstrip("\n")) > most:
            yield held
            held = ""
        held += block
        if len(held.strip("\n")) > most:
            *full, held = _pieces.split(held, most)
            yield from full
    yield held


METHOD = Markdown
