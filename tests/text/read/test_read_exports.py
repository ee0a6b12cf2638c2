"""Exports of chat services, by the shape they are published in."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from memspan.core.clock import seconds
from memspan.core.errors import MalformedFile
from memspan.text.read import read

FILES = Path(__file__).parent / "files"
CHATGPT = FILES / "chatgpt_conversations.json"
CLAUDE = FILES / "claude_conversations.json"


def stream(value: object) -> io.BytesIO:
    return io.BytesIO(json.dumps(value).encode())


def test_chatgpt_follows_the_shown_branch() -> None:
    """Root to current_node, in order; what was regenerated, hidden or thought is not there."""
    turns = [turn for turn in read(CHATGPT) if turn.session == "c-sintra"]
    assert [(turn.role, turn.speaker) for turn in turns] == [
        ("user", ""),
        ("user", ""),
        ("assistant", "ChatGPT"),
        ("tool", "web"),
        ("assistant", "ChatGPT"),
    ]
    assert turns[1].text == "Is the palace in this picture step-free?"
    assert turns[1].meta["parts"] == ["image_asset_pointer"] and turns[1].meta["title"] == "Weekend in Sintra"
    assert turns[2].meta["to"] == "web" and turns[3].text == "A shuttle runs from the gate."
    assert turns[4].at == 1714554030.0 and "— the last 200 m" in turns[4].text


def test_chatgpt_keeps_custom_instructions_once() -> None:
    """What the user wrote about themselves is sent with every chat; it is one turn."""
    chats = json.loads(CHATGPT.read_text())
    again = {**chats[0], "id": "c-2", "conversation_id": "c-2"}
    told = [turn for turn in read(stream([chats[0], again])) if turn.meta.get("custom_instructions")]
    assert [turn.text for turn in told] == ["I live in Lisbon and walk with a cane.\n\nAnswer briefly."]


def test_chatgpt_names_attached_files() -> None:
    """The export holds their names, not what is in them."""
    message = {
        "author": {"role": "user"},
        "content": {"content_type": "multimodal_text", "parts": ["Read this.", "", None]},
        "metadata": {"attachments": [{"id": "f1", "name": "menu.pdf", "size": 10}, {"id": "f2"}]},
    }
    (turn,) = read(stream([{"id": "c", "mapping": {"a": {"message": message}}, "current_node": "a"}]))
    assert turn.text == "Read this." and turn.meta["files"] == ["menu.pdf"]


def test_chatgpt_without_a_current_node_takes_the_newest_branch() -> None:
    """A conversation whose current_node is not there is still read."""
    last = list(read(CHATGPT))[-1]
    assert (last.session, last.text, last.at) == ("c-word", "Translate 'obrigada'.", 1717200001.5)


def test_chatgpt_survives_a_circle_of_parents() -> None:
    """Nodes that are each other's parent end the walk."""
    message = {"author": {"role": "user"}, "content": {"parts": ["hello"]}}
    nodes = {key: {"message": message, "parent": other, "children": [other]} for key, other in ("ab", "ba")}
    turns = list(read(stream([{"id": "c", "mapping": nodes, "current_node": "a"}])))
    assert [turn.text for turn in turns] == ["hello", "hello"] and len({turn.id for turn in turns}) == 2


@pytest.mark.parametrize("parts", [1, {"a": 1}, "text", None])
def test_chatgpt_parts_that_are_no_list(parts: object) -> None:
    """A message of an unknown shape is passed over, or read by its `text`."""
    message = {"author": {"role": "user"}, "content": {"parts": parts, "text": "hello"}}
    (turn,) = read(stream([{"id": "c", "mapping": {"a": {"message": message, "parent": None}}, "current_node": "a"}]))
    assert turn.text == "hello"


def test_claude_reads_text_parts_and_attachments() -> None:
    """Text parts are joined, other parts are counted, an attachment's text is a turn of the user's."""
    asked, attached, answer, old = read(CLAUDE)
    assert asked.at == seconds("2025-02-03T09:00:01.250Z") and asked.role == "user"
    assert asked.meta["files"] == ["log.txt", "starter.jpg"]
    assert attached.text == "Monday: fed 1:1:1\nTuesday: flat" and attached.meta["attachment"] == "log.txt"
    assert answer.text == "It is hungry.\n\nFeed it twice a day for three days." and answer.speaker == "Claude"
    assert answer.meta["parts"] == {"thinking": 1, "tool_use": 1}
    assert old.text == "An old export holds only this text." and "title" not in old.meta


@pytest.mark.parametrize("path", [CHATGPT, CLAUDE], ids=["chatgpt", "claude"])
def test_an_export_is_read_from_its_zip(path: Path, tmp_path: Path) -> None:
    """The zip as it was sent gives the same turns as the file inside it."""
    packed = tmp_path / "export.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "some folder/conversations.json")
        archive.writestr("user.json", "{}")
    assert list(read(packed)) == list(read(path))


@pytest.mark.parametrize("content", [b"PK\x03\x04 and then nothing", None], ids=["broken", "without conversations"])
def test_a_zip_without_conversations_is_refused(content: bytes | None, tmp_path: Path) -> None:
    """A zip that is broken or holds something else is a MalformedFile, not nothing."""
    packed = tmp_path / "other.zip"
    if content is None:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("letter.txt", "hello")
    else:
        packed.write_bytes(content)
    with pytest.raises(MalformedFile, match="a zip"):
        list(read(packed))


def test_a_cut_off_export_gives_what_came_before() -> None:
    """A download that broke off: whole conversations come out, then the line of the one that is cut."""
    text = CLAUDE.read_bytes()
    cut = text.index(b"m9")
    turns, broken = collect(io.BytesIO(text[:cut]))
    assert len(turns) == 3
    assert broken is not None and broken.line == text[:cut].count(b"\n") + 1


def test_a_conversation_of_another_shape_names_its_number() -> None:
    """Line numbers say little in a file of one line; the message counts conversations."""
    turns, broken = collect(stream([{"id": "c", "mapping": {}}, {"id": "d"}]))
    assert turns == [] and broken is not None and "conversation 2 has no 'mapping'" in broken.why


def collect(source: io.BytesIO) -> tuple[list[object], MalformedFile | None]:
    turns: list[object] = []
    try:
        turns.extend(read(source))
    except MalformedFile as broken:
        return turns, broken
    return turns, None


def test_messages_in_one_list_are_one_session() -> None:
    """[{role, content}]: parts that are no text are noted, a call of a tool is its text."""
    turns = list(
        read(
            stream(
                [
                    {"role": "developer", "content": "Be brief."},
                    {
                        "role": "user",
                        "name": "Ana",
                        "content": [{"type": "text", "text": "Rain?"}, {"type": "image_url"}],
                    },
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": '{"city": "Porto"}'}}],
                    },
                    {"role": "tool", "tool_call_id": "1", "content": "12 mm"},
                ]
            )
        )
    )
    assert [(turn.role, turn.speaker, turn.text) for turn in turns] == [
        ("system", "", "Be brief."),
        ("user", "Ana", "Rain?"),
        ("assistant", "", 'weather({"city": "Porto"})'),
        ("tool", "", "12 mm"),
    ]
    assert turns[1].meta["parts"] == ["image_url"] and turns[3].meta["tool_call"] == "1"
    assert {turn.session for turn in turns} == {"stream"} and {turn.at for turn in turns} == {None}


@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "many lines"])
def test_messages_in_an_object(indent: int | None) -> None:
    """{"messages": [...]}: the object's id is the session."""
    value = {"id": "thread-7", "messages": [{"role": "user", "content": "hello"}]}
    (turn,) = read(io.BytesIO(json.dumps(value, indent=indent).encode()))
    assert (turn.session, turn.text) == ("thread-7", "hello")


def test_messages_per_line_are_sessions() -> None:
    """The fine-tuning form: each line is a conversation of its own."""
    lines = [json.dumps({"messages": [{"role": "user", "content": f"hello {n}"}]}) for n in range(2)]
    turns = list(read(io.BytesIO("\n".join(lines).encode())))
    assert [turn.session for turn in turns] == ["stream-1", "stream-2"]


def test_a_message_without_a_role_names_the_line() -> None:
    """The turns before it are read."""
    turns, broken = collect(io.BytesIO(b'{"role": "user", "content": "hi"}\n{"role": "elf", "content": "ho"}\n'))
    assert len(turns) == 1 and broken is not None and broken.line == 2
