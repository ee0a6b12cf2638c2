"""JSONL of turns, the characters below it, and which format a file is taken for."""

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memspan.core.clock import EARLIEST, LATEST
from memspan.core.errors import MalformedFile, UsageError
from memspan.core.records import ROLES, Turn
from memspan.text.read import _detect, formats, read
from memspan.text.read._json import items, keys
from memspan.text.read._source import HEAD_BYTES, Source
from memspan.text.read.jsonl import as_line

CHARS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
WORDS = st.text(CHARS, min_size=1).filter(str.strip)
NAMES = st.one_of(st.just(""), WORDS)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(CHARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARS), inner, max_size=3),
    max_leaves=5,
)
TURNS = st.builds(
    Turn,
    WORDS,
    speaker=NAMES,
    role=st.sampled_from(ROLES),
    session=WORDS,
    at=st.none() | st.floats(EARLIEST, LATEST),
    meta=st.dictionaries(st.text(CHARS), VALUES, max_size=3),
    id=WORDS,
)


def jsonl(*lines: object) -> io.BytesIO:
    return io.BytesIO("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode())


def broken(turns: Iterator[Turn]) -> tuple[list[str], MalformedFile]:
    """The texts before the error, and the error."""
    texts: list[str] = []
    with pytest.raises(MalformedFile) as caught:
        texts.extend(turn.text for turn in turns)
    return texts, caught.value


@given(st.lists(TURNS))
def test_written_turns_are_read_back_equal(turns: list[Turn]) -> None:
    """Any list of turns, written as JSONL and read again, is the same list, to the last bit of the time."""
    written = io.BytesIO("".join(as_line(turn) + "\n" for turn in turns).encode())
    assert list(read(written, format="jsonl")) == turns


def test_all_fields_are_optional_but_text() -> None:
    """What is missing is empty; the session is the file's name; other fields go into meta."""
    (turn,) = read(jsonl({"text": "hi", "mood": "glad", "meta": {"n": 1}, "scope": "x", "seen_at": 3}))
    assert (turn.speaker, turn.role, turn.session, turn.at) == ("", "user", "stream", None)
    assert dict(turn.meta) == {"mood": "glad", "n": 1} and turn.scope == "" and turn.seen_at is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": "b"', "not JSON"),
        ("nonsense", "not JSON"),
        ("[1, 2]", "expected an object with a text, found a list"),
        ("7", "found a number"),
        ('{"words": "b"}', "no 'text' in the object; it holds 'words'"),
        ('{"text": 5}', "text: must be text, not int"),
        ('{"text": "  "}', "is blank"),
        ('{"text": "a\\u0000b"}', "NUL"),
        ('{"text": "a\\ud800b"}', "lone surrogate"),
        ('{"text": "b", "at": "yesterday"}', "not a time"),
        ('{"text": "b", "at": NaN}', "outside the years"),
        ('{"text": "b", "at": true}', "not a time"),
        ('{"text": "b", "role": "elf"}', "'elf' is none of"),
        ('{"text": "b", "speaker": ["c"]}', "speaker: must be text"),
        ('{"text": "b", "meta": 3}', "'meta' must be an object"),
        ('{"text": "b", "n": ' + "9" * 5000 + "}", "JSON"),
        ('{"text": "b", "n": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ],
)
def test_a_malformed_line_is_named(line: str, why: str) -> None:
    """The turns before it come out; the error names the line and says what is wrong."""
    texts, error = broken(read(jsonl({"text": "a"}, "", line, {"text": "c"}), format="jsonl"))
    assert texts == ["a"] and error.line == 3 and why in str(error)


def test_an_oversized_text_is_named() -> None:
    """A turn of the documented schema is never cut: it may carry an id."""
    _, error = broken(read(jsonl({"text": "x" * 1_000_001})))
    assert "1,000,001 characters, the limit is 1,000,000" in str(error)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_byte_order_marks_are_understood(encoding: str) -> None:
    """UTF-16 and UTF-32 with a mark, and UTF-8 with one, are read like UTF-8."""
    mark = "\ufeff" if encoding.endswith("be") else ""
    raw = (mark + '{"text": "Olá, 世界 😀"}\r\n{"text": "b"}\r\n').encode(encoding)
    assert [turn.text for turn in read(io.BytesIO(raw))] == ["Olá, 世界 😀", "b"]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b'{"text": "a"}\n{"text": "\xff"}\n', 2),
        (b'{"text": "a"}\n{"text": "b\xe2\x82', 2),
        (b'{"text": "a"}\n{"text": "b\0"}\n', 2),
        (b'{"text": "a"}\n{"text": "\xed\xa0\x80"}\n', 2),
        ('\ufeff{"text": "a"}\n'.encode("utf-16-le") + b"\x00\xd8\x20\x00", 2),
    ],
    ids=["byte", "cut", "NUL", "surrogate", "UTF-16"],
)
def test_bytes_that_are_no_text_are_named(raw: bytes, line: int) -> None:
    """The line of the first bad byte, whatever the encoding; the turns before it come out."""
    texts, error = broken(read(io.BytesIO(raw)))
    assert texts == ["a"] and error.line == line


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_blocks_may_end_anywhere(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character, a CRLF or a JSON value across two blocks is read like one within."""
    monkeypatch.setattr("memspan.text.read._source.BLOCK_BYTES", block)
    monkeypatch.setattr("memspan.text.read._source.HEAD_BYTES", block)
    monkeypatch.setattr("memspan.text.read._json._GROW_CHARS", 1)
    turns = [{"text": f"é{n} \\u00e9 😀 tru -1", "at": n, "meta": {"on": True, "x": [None, -1.5e3]}} for n in range(5)]
    listed = json.dumps(turns, ensure_ascii=False, indent=1).replace("\n", "\r\n").encode()
    lined = "\r\n".join(json.dumps(turn, ensure_ascii=False) for turn in turns).encode()
    from_list = list(read(io.BytesIO(listed), format="jsonl"))
    assert [dict(turn.meta) for turn in from_list] == [turn["meta"] for turn in turns]
    assert list(read(io.BytesIO(lined), format="jsonl")) == from_list


def test_a_list_comes_out_before_it_is_read_to_its_end() -> None:
    """Reading is lazy: the first turns of a long list or file need its first bytes only."""
    for opening, closing in (("[", "]"), ("", "")):
        separator = "," if opening else "\n"
        long = (opening + separator.join(['{"text": "hello"}'] * 50_000) + closing).encode()
        file = io.BytesIO(long)
        first = list(itertools.islice(read(file), 10))
        assert len(first) == 10 and file.tell() <= 3 * HEAD_BYTES < len(long)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('[{"text": "a"},\n {"text": "b"', 2, "not JSON"),
        ('[{"text": "a"},\n', 2, "not closed"),
        ('[{"text": "a"}\n {"text": "b"}]', 2, "expected ','"),
        ('[{"text": "a"}]\n\n{', 3, "after the end of the list"),
        ('[{"text": "a"},\n\n{"text": "b" "c"}]', 3, "not JSON"),
    ],
)
def test_a_malformed_list_is_named(text: str, line: int, why: str) -> None:
    """As for lines: what precedes the error comes out."""
    texts, error = broken(read(io.BytesIO(text.encode()), format="jsonl"))
    assert texts == ["a"] and error.line == line and why in str(error)


def test_rereading_a_grown_file_keeps_the_ids() -> None:
    """Turns without a time have ids of their own, equal ones too; what is appended does not change them."""
    before = list(read(jsonl({"text": "yes"}, {"text": "no"}, {"text": "yes"})))
    after = list(read(jsonl({"text": "yes"}, {"text": "new"}, {"text": "no"}, {"text": "yes"}, {"text": "yes"})))
    assert len({turn.id for turn in after}) == 5
    assert {turn.id for turn in before} < {turn.id for turn in after}


def test_turns_with_a_time_leave_the_id_to_memory() -> None:
    """So that a file and `remember(...)` in Python agree; only a repeat within the file needs one."""
    once, twice, own = read(jsonl({"text": "a", "at": 5}, {"text": "a", "at": 5}, {"text": "a", "at": 5, "id": "mine"}))
    assert once.id == "" and twice.id.endswith(".2") and own.id == "mine"


def test_session_and_speaker_may_be_given() -> None:
    """The session replaces all; the speaker is put where a user turn has none."""
    lines = [{"text": "a", "session": "s"}, {"text": "b", "speaker": "Bob"}, {"text": "c", "role": "assistant"}]
    turns = list(read(jsonl(*lines), session="mine", speaker="Ana"))
    assert [(turn.session, turn.speaker) for turn in turns] == [("mine", "Ana"), ("mine", "Bob"), ("mine", "")]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "Hello there.\n\n# not markdown", "plain"),
        ("a.md", "no heading", "markdown"),
        ("README", "# One\n\n## Two\n", "markdown"),
        ("a.txt", '{"text": "x"}\n', "jsonl"),
        ("a.json", '[{"text": "x"}]', "jsonl"),
        ("a.jsonl", "garbage", "jsonl"),
        ("a.json", '[{"title": "t", "mapping": {"a": {"text": "x", "messages": []', "chatgpt"),
        ("a.json", '[{"uuid": "u", "name": "\\"mapping\\":", "chat_messages": [{"text": "', "claude"),
        ("a.txt", '[{"role": "user", "content": "text"}]', "openai_messages"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "mapping"}]}', "openai_messages"),
        ("a", "", "plain"),
        ("a.txt", "{curly} words", "plain"),
    ],
)
def test_the_format_is_recognised_by_content(name: str, content: str, expected: str) -> None:
    """The content decides; the ending of the name is a hint."""
    assert _detect.detect(Source(io.BytesIO(content.encode()), name)) == expected


@given(st.text(CHARS))
def test_keys_never_fail(text: str) -> None:
    """Recognising looks at cut-off and broken text."""
    keys(text)
    keys("[{" + text)


def test_every_format_has_a_reader() -> None:
    """A format is a file; it ends with its class."""
    assert all(_detect.reader(name).read for name in formats())
    with pytest.raises(UsageError, match="no format is called 'docx'; there are chatgpt"):
        read("x", format="docx")


@pytest.mark.parametrize(
    ("raw", "why"), [(b"%PDF-1.7\n", "PDF"), (b"SQLite format 3\0", "database"), (b"\x1f\x8b\x08", "gzip")]
)
def test_files_that_are_no_text_are_refused(raw: bytes, why: str) -> None:
    """A PDF begins like text; nothing of it is remembered."""
    texts, error = broken(read(io.BytesIO(raw)))
    assert texts == [] and why in str(error)


def test_progress_counts_bytes(tmp_path: Path) -> None:
    """(done, total) in bytes, ending at the size of the file."""
    path = tmp_path / "long.jsonl"
    path.write_text('{"text": "hello"}\n' * 20_000)
    seen: list[tuple[int, int]] = []
    assert sum(1 for _ in read(path, progress=lambda done, total: seen.append((done, total)))) == 20_000
    assert len(seen) > 3 and seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_items_say_their_line() -> None:
    """An element's line is where it begins."""
    source = Source(io.BytesIO(b'[1,\n\n {"a":\n 2},\n3]'), "x")
    assert list(items(source)) == [(1, 1), (3, {"a": 2}), (5, 3)]
