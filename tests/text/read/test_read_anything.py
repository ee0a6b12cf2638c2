"""Whatever a file holds: turns, or a MalformedFile; never another error."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memspan.core.errors import MalformedFile
from memspan.text.read import formats, read

FILES = Path(__file__).parent / "files"
WORDS = (
    *("mapping", "message", "author", "role", "content", "parts", "parent", "children", "current_node", "create_time"),
    *(
        "text",
        "content_type",
        "metadata",
        "id",
        "title",
        "chat_messages",
        "sender",
        "uuid",
        "created_at",
        "attachments",
    ),
    *("extracted_content", "file_name", "files", "messages", "tool_calls", "function", "name", "arguments", "type"),
    *("user", "assistant", "human", "user_editable_context", "user_profile", "at", "session", "meta", "speaker", "a"),
    *("results", "memory", "run_id", "actor_id", "agents", "agent_type", "blocks", "core_memory", "label", "value"),
    *("entity", "relation", "entityType", "observations", "from", "to", "relationType", "send_message", "tool"),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(WORDS), st.just("a\0b")
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=30,
)


def all_of(raw: bytes, name: str | None) -> None:
    with suppress(MalformedFile):
        for turn in read(io.BytesIO(raw), format=name):
            assert turn.text.strip() and turn.session


@pytest.mark.parametrize("name", [None, *formats()])
@given(raw=st.binary(max_size=200))
@settings(max_examples=30)
def test_any_bytes(name: str | None, raw: bytes) -> None:
    """Bytes that mean nothing."""
    all_of(raw, name)


@pytest.mark.parametrize("name", ["jsonl", "chatgpt", "claude", "openai_messages", "mem0", "letta", "mcp_memory"])
@given(value=VALUES)
@settings(max_examples=60)
def test_any_json(name: str, value: object) -> None:
    """JSON with the right words in the wrong places."""
    for whole in (
        value,
        [value],
        {"mapping": value, "current_node": "a"},
        {"chat_messages": value},
        {"messages": value},
        {"results": value},
        {"agents": value, "blocks": value},
    ):
        all_of(json.dumps(whole).encode(), name)


@pytest.mark.parametrize(
    "name", ["chatgpt_conversations.json", "claude_conversations.json", "mem0_memories.json", "letta_agent.af"]
)
@given(data=st.data())
@settings(max_examples=50)
def test_an_export_with_one_value_changed(name: str, data: st.DataObject) -> None:
    """A real shape with one field that holds something else."""
    whole = json.loads((FILES / name).read_text(encoding="utf-8"))
    places = list(walk(whole))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(VALUES)
    all_of(json.dumps(whole).encode(), name.partition("_")[0])


def walk(value: object):
    """(holder, key) of every place inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in list(inner):
        yield value, key
        yield from walk(held)


@pytest.mark.parametrize("at", [0.2, 0.4, 0.6])
def test_a_zip_with_a_flipped_byte(at: float, tmp_path: Path) -> None:
    """Checksums of the zip are checked."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(FILES / "claude_conversations.json", "conversations.json")
    raw = bytearray(path.read_bytes())
    raw[int(len(raw) * at)] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(MalformedFile, match="zip"):
        list(read(path))
