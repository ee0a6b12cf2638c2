"""Beside published programs from npm: the Inspector, and the reference memory server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="needs the extra [mcp]")
from mcp.client.stdio import StdioServerParameters
from processes import arguments, environment, spoken

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npx") is None, reason="needs npx, of Node.js, and the npm registry"),
]

REFERENCE = "@modelcontextprotocol/server-memory"
CALLS = [
    ("create_entities", {"entities": [
        {"name": "Ana", "entityType": "person", "observations": ["speaks Português", "likes tea"]},
        {"name": "Acme", "entityType": "company", "observations": []},
        {"name": "Bob", "entityType": "person", "observations": ["likes: coffee"]}]}),
    ("create_entities", {"entities": [{"name": "Ana", "entityType": "robot", "observations": ["x"]}]}),
    ("create_relations", {"relations": [
        {"from": "Ana", "to": "Acme", "relationType": "works_at"},
        {"from": "Bob", "to": "Ana", "relationType": "knows"}]}),
    ("create_relations", {"relations": [{"from": "Ana", "to": "Acme", "relationType": "works_at"}]}),
    ("add_observations", {"observations": [{"entityName": "Ana", "contents": ["likes tea", "has a cat"]}]}),
    ("add_observations", {"observations": [{"entityName": "Nobody", "contents": ["x"]}]}),
    ("read_graph", {}),
    ("search_nodes", {"query": "TEA"}),
    ("search_nodes", {"query": "person"}),
    ("search_nodes", {"query": "nothing like it"}),
    ("open_nodes", {"names": ["Bob", "Nobody"]}),
    ("delete_observations", {"deletions": [{"entityName": "Ana", "observations": ["likes tea", "not there"]}]}),
    ("delete_relations", {"relations": [{"from": "Bob", "to": "Ana", "relationType": "knows"}]}),
    ("read_graph", {}),
    ("add_observations", {"observations": [{"entityName": "Ana", "contents": ["likes tea"]}]}),
    ("delete_entities", {"entityNames": ["Acme", "Nobody"]}),
    ("delete_entities", {"entityNames": ["Acme"]}),
    ("read_graph", {}),
    ("create_entities", {"entities": [{"name": "Acme", "entityType": "company", "observations": ["again"]}]}),
    ("open_nodes", {"names": ["Acme", "Ana"]}),
]  # fmt: skip


async def _all(client):
    came = []
    for name, given in CALLS:
        done = await client.call_tool(name, given)
        came.append((name, done.is_error, done.structured_content, [one.text for one in done.content]))
    return came


def test_the_same_calls_give_the_same_answers_as_the_reference_server(place, tmp_path):
    """Texts and structured answers, word for word, over every tool."""
    import asyncio

    from mcp import Client

    async def theirs():
        server = StdioServerParameters(
            command="npx",
            args=["--yes", REFERENCE],
            env=environment(MEMORY_FILE_PATH=str(tmp_path / "memory.jsonl")),
            cwd=tmp_path,
        )
        async with Client(server, mode="legacy") as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            return tools, await _all(client)

    async def ours(client):
        return {tool.name: tool for tool in (await client.list_tools()).tools}, await _all(client)

    their_tools, wanted = asyncio.run(theirs())
    our_tools, came = spoken(place, ours, "--tools", "reference")
    assert list(our_tools) == list(their_tools)
    for name, tool in their_tools.items():
        mine = our_tools[name]
        assert mine.annotations == tool.annotations and mine.title == tool.title
        assert set(mine.input_schema["properties"]) == set(tool.input_schema.get("properties", {}))
    assert came == wanted


def _inspect(place: Path, *more: str) -> dict[str, object]:
    command = ["npx", "--yes", "@modelcontextprotocol/inspector", "--cli", sys.executable, *arguments(place)]
    done = subprocess.run([*command, *more], capture_output=True, env=environment(), timeout=120, cwd=place.parent)
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout))


def test_the_inspector_lists_and_calls(place):
    listed = _inspect(place, "--method", "tools/list")
    assert [tool["name"] for tool in listed["tools"]][:2] == ["memory_remember", "memory_recall"]
    asked = ("--method", "tools/call", "--tool-name")
    made = _inspect(place, *asked, "memory_remember", "--tool-arg", "text=Olá, 世界", "session=a b")
    assert made["structuredContent"]["added"] == 1
    found = _inspect(place, *asked, "memory_recall", "--tool-arg", "question=世界")
    assert "Olá, 世界" in found["content"][0]["text"]
    read = _inspect(place, "--method", "resources/read", "--uri", "memory://session/a%20b")
    assert "Olá, 世界" in read["contents"][0]["text"]
