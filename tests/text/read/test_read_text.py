"""Plain text and Markdown."""

import io
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memspan.core.errors import MalformedFile
from memspan.text.read import read
from memspan.text.read._pieces import PIECE_CHARS, split
from memspan.text.read._source import Source
from memspan.text.read.markdown import Markdown
from memspan.text.read.plain import is_conversation, said

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MARKS = st.sampled_from(
    ["# ", "## ", "```", "~~~~", "---", "===", "- a", "\n", "a word. ", "Ana: ", "\t", "    ", "#", "|"]
)


def plain(text: str, **options: str) -> list[str]:
    return [turn.text for turn in read(io.BytesIO(text.encode()), format="plain", **options)]


def test_paragraphs_are_turns() -> None:
    """Blank lines stand between paragraphs; lines of one stay together."""
    assert plain("One\ntwo.\n\n \n\nThree.\r\n\r\nFour.\n") == ["One\ntwo.", "Three.", "Four."]


def test_names_before_colons_are_speakers(tmp_path: Path) -> None:
    """Most lines read "Name: words", so each is a turn; a line that does not look so belongs to the one above."""
    path = tmp_path / "call with ana.txt"
    path.write_text("Call of Monday\nAna: Did you pay?\nTom: Yes,\n  on Friday.\n\nAna: Thanks.\nAssistant: Noted.\n")
    turns = list(read(path))
    assert [(turn.speaker, turn.role, turn.text) for turn in turns] == [
        ("", "user", "Call of Monday"),
        ("Ana", "user", "Did you pay?"),
        ("Tom", "user", "Yes,\n  on Friday."),
        ("Ana", "user", "Thanks."),
        ("Assistant", "assistant", "Noted."),
    ]
    assert {turn.session for turn in turns} == {"call with ana"}


@pytest.mark.parametrize(
    ("line", "spoken"),
    [
        ("Ana Lima: hello", ("Ana Lima", "hello")),
        ("小明：你好", ("小明", "你好")),
        ("O'Neil: 12:30 is fine", ("O'Neil", "12:30 is fine")),
        ("Ana:", ("Ana", "")),
        ("http://example.org: gone", None),
        ("12:30 we met", None),
        ("so I said to her: no", None),
        ("no colon", None),
    ],
)
def test_what_reads_like_a_speaker(line: str, spoken: tuple[str, str] | None) -> None:
    """At most four words before the colon, no address, no time of day."""
    assert said(line) == spoken


def test_a_list_of_settings_is_no_conversation() -> None:
    """Where no name comes back, colons mean something else."""
    assert not is_conversation("name: x\nage: 3\ncity: y\nfood: z\n")


@given(st.lists(st.one_of(MARKS, TEXT)).map("".join), st.sampled_from(["plain", "markdown"]))
def test_no_character_is_lost(text: str, name: str) -> None:
    """Apart from white space, the turns hold the file's characters in its order, whatever it looks like."""
    assume(name == "markdown" or not is_conversation(text))
    turns = list(read(io.BytesIO(text.encode()), format=name))
    joined = "".join(turn.text for turn in turns)
    assert "".join(joined.split()) == "".join(text.removeprefix("\ufeff").split())
    assert all(len(turn.text) <= PIECE_CHARS for turn in turns)


@given(
    st.lists(
        st.tuples(st.sampled_from(["Ana", "Tom Lee", "小明"]), st.from_regex(r"[\w ]*\w", fullmatch=True)), min_size=4
    )
)
def test_conversations_are_read_as_written(spoken: list[tuple[str, str]]) -> None:
    """Each line is a turn with its speaker and words."""
    text = "".join(f"{name}: {words}\n" for name, words in spoken)
    turns = list(read(io.BytesIO(text.encode()), format="plain"))
    assert [(turn.speaker, turn.text) for turn in turns] == [(name, words.lstrip()) for name, words in spoken]


@given(TEXT, st.integers(1, 30))
def test_pieces_joined_are_the_text(text: str, most: int) -> None:
    """Cutting loses nothing and keeps the bound."""
    pieces = list(split(text, most))
    assert "".join(pieces) == text and all(1 <= len(piece) <= most for piece in pieces)


def test_long_paragraphs_are_cut_behind_sentences() -> None:
    """4,200 characters of sentences make three turns that end in full stops."""
    turns = plain("A sentence of thirty letters. " * 140)
    assert len(turns) == 3 and all(turn.rstrip().endswith(".") for turn in turns)


MARKDOWN = """---
tags: [trip]
---
Before any heading.

# Travel
Notes on travel.

## Porto ##
Stayed at the river.

```sh
# no heading, a comment
```

Lisbon
------
Later.

# Food
No cod.
"""


def test_markdown_keeps_the_path_of_headings(tmp_path: Path) -> None:
    """ATX and setext headings begin sections; a # inside a fence does not."""
    path = tmp_path / "notes.md"
    path.write_text(MARKDOWN)
    turns = list(read(path))
    assert [turn.meta.get("path") for turn in turns] == [
        None,
        ["Travel"],
        ["Travel", "Porto"],
        ["Travel", "Lisbon"],
        ["Food"],
    ]
    assert turns[2].text == "## Porto ##\nStayed at the river.\n\n```sh\n# no heading, a comment\n```"
    assert turns[3].text == "Lisbon\n------\nLater."


def test_long_sections_are_cut_between_blocks() -> None:
    """Each piece keeps the path, none is longer than the bound, a fence stays whole where it fits."""
    fence = "```\n" + "x\n\n" * 20 + "```"
    text = "# A\n\n" + "\n\n".join(["word " * 10, fence] * 4)
    turns = list(read(io.BytesIO(text.encode()), format="markdown"))
    assert len(turns) == 1
    pieces = list(Markdown(piece_chars=130).read(source(text)))
    assert all(len(turn.text) <= 130 and turn.meta["path"] == ["A"] for turn in pieces)
    assert sum(turn.text.count("```") == 2 for turn in pieces) == 4


def source(text: str) -> Source:
    return Source(io.BytesIO(text.encode()), "notes.md")


def test_the_paragraph_before_a_bad_byte_is_kept(tmp_path: Path) -> None:
    """What stands before the broken line comes out, then the error that names it."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"One.\n\nTwo,\nstill two.\ncaf\xe9.\nThree.\n")
    got = []
    with pytest.raises(MalformedFile, match="line 5: byte 0xe9 is not UTF-8") as caught:
        got.extend(turn.text for turn in read(path))
    assert caught.value.line == 5
    turns = read(path)
    assert [next(turns).text, next(turns).text] == ["One.", "Two,\nstill two."]
