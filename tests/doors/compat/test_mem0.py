"""mem0's Memory on a file of ours, and beside the real one."""

import asyncio
import inspect
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.doors.compat import mem0_calls

from memspan import Change, Patch
from memspan import Memory as Memspan
from memspan.bench.peers.client import environment
from memspan.core.errors import UnknownId, UsageError
from memspan.doors.compat.mem0 import AsyncMemory, Memory

ANN = {"user_id": "ann"}


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "m.mem") as made:
        yield made


def texts(found):
    return [one["memory"] for one in found["results"]]


DIFFERS = {
    "get_all none": "mem0 2.2.1 gives one memory where top_k is 0",
    'filter 13 {"topic": {"contains": "ame"}}': "on a local Qdrant mem0 looks for whole words",
}


@pytest.mark.slow
def test_the_same_story_told_to_mem0_itself_has_the_same_answers(tmp_path, memory):
    """Same keys, texts, hashes, events, memories found by every filter; what differs is declared above."""
    pytest.importorskip("mem0", reason="needs mem0ai and qdrant-client")
    script = Path(mem0_calls.__file__)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    real = json.loads(done.stdout.splitlines()[-1])
    ours = json.loads(json.dumps(mem0_calls.story(memory)))
    assert len(real["story"]) > 90
    differs = {name for name, answer in real["story"].items() if answer != ours[name]}
    assert differs == set(DIFFERS)
    assert set(real["errors"].values()) == {"ValidationError"}  # no ValueError: ours is one
    assert real["of_strangers"] == ["Bob's secret is 4711."]  # a wildcard for a user is refused here


def test_what_mem0_refuses_is_refused(memory):
    """By an error that is a ValueError."""
    told = mem0_calls.story(memory)
    assert {name: told[name].get("error") for name in mem0_calls.REFUSED} == dict.fromkeys(
        mem0_calls.REFUSED, "ValueError"
    )
    for call in mem0_calls.OWN_ERROR.values():
        with pytest.raises(UsageError):
            call(memory)


def test_ids_may_stand_beside_the_filters_too(memory):
    """With the same spelling as on add; two different ids for one name are refused."""
    memory.add("Ann keeps bees.", user_id="ann")
    memory.add("Bob plays chess.", user_id="bob")
    assert texts(memory.search("bees", user_id="ann")) == ["Ann keeps bees."]
    assert texts(memory.get_all(user_id="bob")) == ["Bob plays chess."]
    with pytest.raises(UsageError, match="beside"):
        memory.get_all(user_id="bob", filters=ANN)
    with pytest.raises(UsageError, match="user"):
        memory.search("bees", user="ann")


def test_nobody_is_read_by_a_wildcard_or_out_of_another_scope(memory):
    """'*' is no id, and OR cannot widen whose memory is read."""
    memory.add("Bob's secret is 4711.", user_id="bob")
    memory.add("Ann is here.", user_id="ann")
    with pytest.raises(UsageError):
        memory.search("secret", user_id="*")
    wide = {"user_id": "ann", "OR": [{"user_id": "bob"}, {"user_id": "ann"}]}
    assert texts(memory.search("secret", filters=wide, threshold=0.0)) == ["Ann is here."]
    for odd in ("../bob", "a/b", "bob%2F", "é"):
        memory.add(f"This is {odd}.", user_id=odd)
        assert texts(memory.get_all(user_id=odd)) == [f"This is {odd}."]
    assert texts(memory.get_all(user_id="bob")) == ["Bob's secret is 4711."]


def test_an_agents_memories_of_many_users_are_ranked_together(memory):
    """By how likely each user's recall has the answer; the scores go down."""
    for number in range(8):
        memory.add(f"User {number} likes tea and item{number}.", user_id=f"u{number}", agent_id="guide")
    memory.add("They sail on Sundays.", user_id="u9", agent_id="guide")
    found = memory.search("Who sails on Sundays?", agent_id="guide", threshold=0.0)["results"]
    assert found[0]["user_id"] == "u9" and len(found) == 9
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    assert memory.search("item5", agent_id="guide")["results"][0]["user_id"] == "u5"


def test_infer_keeps_words_but_neither_repeats_nor_what_was_deleted(memory):
    """The default; infer=False stores whatever is said."""
    first = memory.add("I moved to Lisbon.", user_id="ann")
    assert [one["event"] for one in first["results"]] == ["ADD"] and texts(first) == ["I moved to Lisbon."]
    assert memory.add(["not", "messages"], user_id="ann") == {"results": []}
    assert memory.add("I moved to Lisbon.", user_id="ann") == {"results": []}
    twice = [{"role": "user", "content": "Twice."}] * 2
    assert texts(memory.add(twice, user_id="ann")) == ["Twice."]
    assert len(memory.add(twice, user_id="ann", infer=False)["results"]) == 2
    memory.delete(first["results"][0]["id"])
    assert memory.add("I moved to Lisbon.", user_id="ann") == {"results": []}
    assert texts(memory.add("I moved to Lisbon.", user_id="ann", infer=False)) == ["I moved to Lisbon."]


def test_what_is_for_an_llm_is_refused(memory):
    """Rather than passed over in silence."""
    with pytest.raises(UsageError, match="LLM"):
        memory.add("x", user_id="ann", prompt="Extract names.")
    with pytest.raises(UsageError, match="LLM"):
        memory.add("x", agent_id="a", memory_type="procedural_memory")


def test_what_is_deleted_is_gone_from_the_file(tmp_path):
    """Its versions and its history too."""
    with Memory(tmp_path / "m.mem") as memory:
        made = memory.add("The code is 4711-abcd.", user_id="ann")["results"][0]["id"]
        memory.update(made, "The code is 9999-wxyz.")
        assert [one["event"] for one in memory.history(made)] == ["ADD", "UPDATE"]
        memory.delete(made)
        assert memory.get(made) is None and memory.history(made) == []
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"4711-abcd" not in raw and b"9999-wxyz" not in raw


def test_it_is_a_memory_like_any_other(tmp_path):
    """The scope of a user can be opened by the other doors, and what is said again after a restart is known."""
    with Memory(tmp_path / "m.mem", scope="app") as memory:
        made = memory.add("I moved to Lisbon.", user_id="ann", run_id="r1")["results"][0]["id"]
    with Memspan(tmp_path / "m.mem", scope="app/users/ann") as other:
        (hit,) = other.recall("Where do I live?").hits
        assert (hit.id, hit.session) == (made, "r1")
    with Memory(tmp_path / "m.mem", scope="app") as memory:
        assert memory.get(made)["memory"] == "I moved to Lisbon."
        assert memory.get_all(run_id="r1")["results"][0]["id"] == made
    with Memory(tmp_path / "m.mem", scope="another") as memory:
        assert memory.get(made) is None and memory.get_all(user_id="ann") == {"results": []}


def test_a_memory_that_another_put_out_of_date_can_still_be_updated(tmp_path, memory):
    """Superseded by another memory, not by a version of its own."""
    old = memory.add("My phone number is 555 1234.", user_id="ann", timestamp=10)["results"][0]["id"]
    new = memory.add("My phone number is 555 9876.", user_id="ann", timestamp=20)["results"][0]["id"]
    with Memspan(tmp_path / "m.mem", scope="mem0/users/ann") as other:
        other.apply([Change("set", Patch(id=old, status="superseded", heir=new))])
    assert memory.get(old)["memory"] == "My phone number is 555 1234."
    assert memory.search("phone number", user_id="ann")["results"][0]["memory"].endswith("9876.")
    memory.update(old, "My office number is 555 1234.")
    assert memory.get(old)["memory"] == "My office number is 555 1234."


def test_many_threads_may_add_and_update(memory):
    """Nothing is lost, and every update is a version."""
    made = memory.add("Version 0.", user_id="ann")["results"][0]["id"]

    def work(number):
        for turn in range(3):
            memory.add(f"Thread {number}, turn {turn}.", user_id="ann", infer=False)
            memory.update(made, f"Version {number}.{turn}.")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.get_all(user_id="ann", top_k=100)["results"]) == 10
    assert len(memory.history(made)) == 10


def test_the_async_twin_has_the_same_calls(tmp_path):
    """Each with the same parameters, awaited."""
    calls = ["add", "search", "get", "get_all", "update", "delete", "delete_all", "history", "reset"]
    for name in calls:
        assert inspect.signature(getattr(AsyncMemory, name)) == inspect.signature(getattr(Memory, name))

    async def use():
        async with AsyncMemory.from_config({"memspan": {"place": tmp_path / "m.mem"}}) as memory:
            added = await memory.add("I keep bees.", user_id="ann")
            assert await memory.get(added["results"][0]["id"])
            await asyncio.gather(*(memory.add(f"Ants march {number}.", user_id="ann") for number in range(5)))
            found = await memory.search("bees", filters=ANN, top_k=1)
            await memory.delete_all(user_id="ann")
            return texts(found), await memory.get_all(user_id="ann")

    assert asyncio.run(use()) == (["I keep bees."], {"results": []})


def test_from_config(tmp_path):
    """The file is named in a section of ours; sections for parts that are not here are refused by name."""
    with Memory.from_config({"memspan": {"place": tmp_path / "m.mem"}, "version": "v1.1"}) as memory:
        assert memory.add("x is y", user_id="ann")["results"]
    with pytest.raises(UsageError, match="llm, vector_store"):
        Memory.from_config({"llm": {}, "vector_store": {}, "memspan": {"place": "x"}})
    with pytest.raises(UsageError, match="place"):
        Memory.from_config({})


def test_updating_what_is_not_there(memory):
    """An UnknownId, which is a ValueError as in mem0."""
    with pytest.raises(UnknownId):
        memory.update("nothing", text="x")
