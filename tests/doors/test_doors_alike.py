"""One script of operations through Python, the command line, REST and MCP: the same memory, the same answers."""

import json

import pytest
from click.testing import CliRunner

from memspan import Memory
from memspan.bench.doors.mcp import Host
from memspan.bench.doors.processes import Server, free_port
from memspan.bench.doors.wire import Connection, request
from memspan.doors import fields
from memspan.doors.cli.main import cli

pytest.importorskip("fastapi")
pytest.importorskip("mcp")
pytestmark = pytest.mark.slow
SCOPE = "acme/ann"
SAID = [
    ("I live in Oslo.", "2024-01-01T10:00:00Z"),
    ("I live in Rome now, near the river.", "2024-03-01T10:00:00Z"),
    ("My sister is called Ines. Olá!", "2024-03-02T10:00:00Z"),
    ("The code of the door is 4711.", "2024-03-03T10:00:00Z"),
]
BETTER = "My sister is called Inês."
ASKED = "Where does Ann live?"


class Python:
    def __init__(self, place):
        self.memory = Memory(place, scope=SCOPE)

    def remember(self, text, at):
        return fields.of_remembered(self.memory.remember(text, speaker="Ann", session="s", at=at))

    def correct(self, id, text):
        return {"id": self.memory.correct(id, text, reason="spelt"), "replaces": id}

    def forget(self, id):
        return fields.of_receipt(self.memory.forget(id))

    def recall(self, question):
        return fields.of_recall(self.memory.recall(question), SCOPE)

    def close(self):
        self.memory.close()


class CommandLine:
    def __init__(self, place):
        self.where = ["--memory", str(place), "--scope", SCOPE, "--json"]

    def _run(self, *words):
        done = CliRunner().invoke(cli, [words[0], *self.where, *words[1:]], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def remember(self, text, at):
        return self._run("remember", "--text", text, "--at", at, "--speaker", "Ann", "--session", "s")

    def correct(self, id, text):
        return self._run("correct", id, text, "--reason", "spelt")

    def forget(self, id):
        return self._run("forget", id, "--yes")

    def recall(self, question):
        return self._run("recall", question)

    def close(self):
        """Nothing is open."""


class Rest:
    def __init__(self, place):
        port = free_port()
        self.server = Server("memspan serve", ["serve", "--memory", str(place), "--port", str(port)])
        self.server.await_port(port)
        self.connection = Connection(port)

    def _post(self, path, body):
        reply = self.connection.call(request("POST", f"/v1/{path}", SCOPE, body))
        assert reply.status in (200, 201), reply.body
        return reply.json()

    def remember(self, text, at):
        return self._post("remember", {"text": text, "at": at, "speaker": "Ann", "session": "s"})

    def correct(self, id, text):
        return self._post(f"items/{id}/correct", {"text": text, "reason": "spelt"})

    def forget(self, id):
        return self._post("forget", {"ids": [id]})

    def recall(self, question):
        return self._post("recall", {"question": question})

    def close(self):
        self.connection.close()
        assert self.server.stop() == 0


class Mcp:
    def __init__(self, place):
        self.server = Server("memspan mcp", ["mcp", "--memory", str(place), "--scope", SCOPE], pipes=True)
        self.host = Host(self.server)

    def _call(self, name, **arguments):
        found = self.host.call("tools/call", {"name": f"memory_{name}", "arguments": arguments})
        assert not found["isError"], found
        return found["structuredContent"]

    def remember(self, text, at):
        return self._call("remember", text=text, at=at, speaker="Ann", session="s", role="user")  # else a model's word

    def correct(self, id, text):
        return self._call("correct", id=id, text=text, reason="spelt")

    def forget(self, id):
        return self._call("forget", ids=[id])

    def recall(self, question):
        return self._call("recall", question=question)

    def close(self):
        self.server.stop()


def state(place):
    """What is in the memory then, but for when it was learned."""
    with Memory(place, scope=SCOPE) as memory:
        items = [fields.of_item(*memory.item(turn.id)) for turn in memory.turns()]
        for item in items:
            del item["seen_at"]
            item["state"].pop("retired_at"), item["state"].pop("used_at")
        return items, [(one.status, one.items, one.rows) for one in memory.receipts()]


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    """Ids follow from what is said, so that all doors give the same."""
    with Memory(tmp_path_factory.mktemp("ids") / "m.mem", scope=SCOPE) as memory:
        return [memory.remember(text, speaker="Ann", session="s", at=at).ids[0] for text, at in SAID]


@pytest.fixture(scope="module")
def through(tmp_path_factory, ids):
    """Door -> (answers, state), each on a file of its own."""
    found = {}
    for kind in (Python, CommandLine, Rest, Mcp):
        place = tmp_path_factory.mktemp(kind.__name__) / "m.mem"
        door = kind(place)
        try:
            remembered = [door.remember(text, at) for text, at in SAID]
            corrected = door.correct(ids[2], BETTER)
            receipt = door.forget(ids[3])
            recall = door.recall(ASKED)
        finally:
            door.close()
        found[kind.__name__] = (remembered, corrected, receipt, recall), state(place)
    return found


@pytest.mark.parametrize("door", ["CommandLine", "Rest", "Mcp"])
def test_the_memory_is_the_same(through, door):
    """Turns with their states, and receipts."""
    assert through[door][1] == through["Python"][1]
    items, receipts = through["Python"][1]
    assert len(items) == 4 and receipts[0][:2] == ("erased", 1)


@pytest.mark.parametrize("door", ["CommandLine", "Rest", "Mcp"])
def test_answers_have_the_same_values(through, ids, door):
    """Whatever a door says under a name that Python's shape has, says the same; hits are the same in the same order."""
    (_, corrected, receipt, recall), _ = through[door]
    (_, corrected_here, receipt_here, recall_here), _ = through["Python"]
    assert corrected["id"] == corrected_here["id"]
    names = ("status", "selector", "items")
    assert {name: receipt[name] for name in names} == {name: receipt_here[name] for name in names}
    assert recall["confidence"] == pytest.approx(recall_here["confidence"], abs=0.005)  # two places are enough for some
    assert [hit["id"] for hit in recall["hits"]] == [hit["id"] for hit in recall_here["hits"]]
    shared = set(recall["hits"][0]) & set(recall_here["hits"][0]) - {"tokens"}
    assert len(shared) >= 3  # MCP leaves out what its context says
    for hit, wanted in zip(recall["hits"], recall_here["hits"], strict=True):
        for name in shared & hit.keys():
            assert hit[name] == (pytest.approx(wanted[name], abs=0.005) if name == "score" else wanted[name])
    assert ids[3] not in json.dumps(recall)
