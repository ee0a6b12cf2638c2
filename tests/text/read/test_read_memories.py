"""What other memory systems hold, read in. The files were written by hand after the published shapes:

mem0: https://docs.mem0.ai/api-reference/memory/get-memories, and what mem0ai 2.2.1 returns
Letta: https://github.com/letta-ai/agent-file (memgpt_agent.af), letta/schemas/agent_file.py of letta-ai/letta
MCP memory server: https://github.com/modelcontextprotocol/servers, src/memory (README.md, index.ts)
"""

import io
import json
from pathlib import Path

import pytest

from memspan import Memory
from memspan.core.clock import seconds
from memspan.core.errors import MalformedFile
from memspan.doors.compat.mem0 import Memory as Mem0
from memspan.text.read import read

FILES = Path(__file__).parent / "files"
MEM0, LETTA, MCP = (FILES / name for name in ("mem0_memories.json", "letta_agent.af", "mcp_memory.jsonl"))


def stream(value):
    return io.BytesIO(json.dumps(value).encode())


def test_mem0():
    """Text, time with its zone, ids and metadata; who spoke where that was stored; blank memories are none."""
    first, second = read(MEM0)
    assert (first.text, first.role, first.session) == (
        "Is a vegetarian and allergic to nuts",
        "assistant",
        "mem0_memories",
    )
    assert first.at == seconds("2025-03-01T17:00:00.5Z")
    assert first.meta["memory"] == "892db2ae-06d9-49e5-8b3e-585ef9b85b8e" and first.meta["metadata"] == {
        "category": "food"
    }
    assert first.meta["categories"] == ["food", "health"] and first.meta["user_id"] == "ines"
    assert (second.role, second.speaker, second.session) == ("user", "Ines", "trip-1")


@pytest.mark.parametrize("wrap", [lambda found: found, lambda found: found["results"]], ids=["object", "list"])
def test_what_our_own_shim_lists_reads_back(tmp_path, wrap):
    """The same shape as mem0's own get_all(), with or without the object around it."""
    with Mem0(tmp_path / "m.mem") as memory:
        memory.add("I keep bees.", user_id="ann", metadata={"topic": "bees"})
        listed = memory.get_all(user_id="ann")
    (turn,) = read(stream(wrap(listed)))
    assert (turn.text, turn.role) == ("I keep bees.", "user") and turn.meta["metadata"] == {"topic": "bees"}


def test_letta():
    """What was said by whom and what the blocks hold; no prompts, thoughts, heartbeats, or calls."""
    told = [(turn.session, turn.role, turn.speaker, turn.text) for turn in read(LETTA)]
    assert told == [
        ("memory blocks", "assistant", "", "First name: Ines\nCat: Mimi"),
        ("Nina", "user", "", "My cat is called Mimi."),
        ("Nina", "assistant", "Nina", "Hello to Mimi!"),
        ("Nina", "tool", "weather", "12 mm in Porto"),
        ("Nina", "system", "", "Earlier the user spoke of Lisbon."),
        ("Otto", "user", "", "Plain words, {not wrapped}."),
        ("Otto", "assistant", "Otto", "Plain answer."),
        ("Otto", "system", "", "They talked of words."),
    ]
    block, said, *_ = read(LETTA)
    assert block.meta == {"block": "human", "description": "About the person."} and block.at is None
    assert said.at == seconds("2025-05-01T08:02:00Z") and said.meta == {"message": "message-2"}


def test_letta_before_agents_were_a_list():
    """One agent alone, its blocks under core_memory, texts under "text"."""
    old = {
        "agent_type": "memgpt_agent",
        "core_memory": [{"label": "human", "value": "Name: Ines"}],
        "messages": [
            {"role": "user", "text": '{"type": "user_message", "message": "Hello."}', "created_at": "2024-05-01"}
        ],
        "name": "Nina",
    }
    assert [(turn.session, turn.text) for turn in read(stream(old))] == [
        ("memory blocks", "Name: Ines"),
        ("Nina", "Hello."),
    ]


def test_mcp_memory():
    """An observation a turn, headed by its entity; relations as sentences; a bare entity with its type."""
    told = [(turn.session, turn.text, dict(turn.meta)) for turn in read(MCP)]
    person = {"entity": "John_Smith", "type": "person"}
    assert told == [
        ("John_Smith", "John_Smith: Speaks fluent Spanish", person),
        ("John_Smith", "John_Smith: Graduated in 2019", person),
        ("Anthropic", "Anthropic (organization)", {"entity": "Anthropic", "type": "organization"}),
        ("John_Smith", "John_Smith works_at Anthropic", {"relation": ["John_Smith", "works_at", "Anthropic"]}),
    ]


@pytest.mark.parametrize("path", [MEM0, LETTA, MCP], ids=lambda path: path.stem)
def test_reading_again_adds_nothing(tmp_path, path):
    """Ids are stable, and what was read can be recalled."""
    with Memory(tmp_path / "m.mem", scope="a") as memory:
        first = memory.remember(read(path))
        assert first.added > 1 and memory.remember(read(path)).added == 0
        assert memory.recall("cat vegetarian Spanish").hits


@pytest.mark.parametrize(
    ("name", "raw", "line"),
    [
        ("mem0", b'[{"id": "1", "memory": "x"},\n{"id": "2"}]', 2),
        ("mem0", b'{"results": "x"}', 1),
        ("letta", b'{"agents": "x"}', 1),
        ("letta", b'{"agents": [{"name": "Nina"}]}', 1),
        ("mcp_memory", b'{"type":"entity","name":"a","entityType":"b","observations":[]}\n{"type":"thing"}', 2),
        ("mcp_memory", b'{"type":"relation","from":"a","to":7,"relationType":"x"}', 1),
    ],
)
def test_what_breaks_the_shape_is_named_with_its_line(name, raw, line):
    """After the turns before it."""
    with pytest.raises(MalformedFile) as broken:
        list(read(io.BytesIO(raw), format=name))
    assert broken.value.line == line
