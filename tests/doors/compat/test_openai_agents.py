"""A session of the OpenAI Agents SDK in a memory: in the SDK's own Runner with a scripted model, and beside its own."""

import asyncio
import json

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from memspan import Memory
from memspan.core.errors import BadText
from memspan.doors.compat.openai_agents import MemspanSession


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "m.mem", scope="ann") as made:
        yield made


def run(coroutine):
    return asyncio.run(coroutine)


ITEMS = [
    {"role": "user", "content": "My cat is called Mimi.", "type": "message"},
    {
        "role": "user",
        "content": [{"type": "input_text", "text": "Look:"}, {"type": "input_image", "image_url": "data:x"}],
    },
    {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "xyz"},
    {"type": "function_call", "call_id": "c", "name": "weather", "arguments": '{"city": "Porto"}'},
    {"type": "function_call_output", "call_id": "c", "output": "12 mm of rain in Porto"},
    {
        "role": "assistant",
        "content": [{"type": "output_text", "text": "It rains.", "annotations": []}],
        "status": "completed",
    },
    {"role": "developer", "content": "Be brief."},
]


def test_every_item_comes_back_as_it_was_and_in_order(tmp_path, memory):
    """Byte for byte, the order of keys too; after the file was opened anew; twice the same is two items."""
    session = MemspanSession("s", memory)
    run(session.add_items(ITEMS))
    run(session.add_items([ITEMS[0], ITEMS[0]]))
    wanted = json.dumps([*ITEMS, ITEMS[0], ITEMS[0]])
    assert json.dumps(run(session.get_items())) == wanted
    with Memory(tmp_path / "m.mem", scope="ann") as again:
        assert json.dumps(run(MemspanSession("s", again).get_items())) == wanted
        assert run(MemspanSession("another", again).get_items()) == []


def test_what_tools_said_is_kept_apart(memory):
    """Role tool, named in the block; what people and the model said has their own role."""
    run(MemspanSession("s", memory).add_items(ITEMS))
    said = [(turn.role, turn.text) for turn in memory.turns(session="s")]
    assert [role for role, _ in said] == ["user", "user", "tool", "tool", "tool", "assistant", "system"]
    assert said[1][1] == "Look:" and said[3][1] == 'weather({"city": "Porto"})' and said[5][1] == "It rains."
    found = memory.recall("How much rain in Porto?")
    assert found.hits[0].role == "tool" and found.hits[0].trust == 0.5 and "(tool" in found.context
    assert memory.recall("What is my cat called?").hits[0].text == "My cat is called Mimi."


@pytest.mark.parametrize("content", ["x" * 150_000, "a\0b", "\ud800", "   ", "", "naïve 中文 🙂"], ids=range(6))
def test_whatever_the_content_it_comes_back(memory, content):
    """Longer than meta or a text may be, not storable as text, blank."""
    items = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "output_text", "text": content}]},
        {"type": "function_call_output", "call_id": "1", "output": content},
        {"role": "user", "content": "the last"},
    ]
    session = MemspanSession("s", memory)
    run(session.add_items(items))
    assert run(session.get_items()) == items
    assert run(session.get_items(2)) == items[2:]
    assert [run(session.pop_item()) for _ in range(4)] == items[::-1]
    assert list(memory.turns()) == []


def test_an_item_longer_than_a_text_may_be(memory):
    """A picture in words of base64, say: several turns, one item."""
    items = [{"type": "function_call_output", "call_id": "1", "output": [{"image_url": "A" * 1_100_000}]}, ITEMS[0]]
    session = MemspanSession("s", memory)
    run(session.add_items(items))
    assert len(list(memory.turns())) == 3 and run(session.get_items()) == items
    assert [run(session.pop_item()) for _ in range(3)] == [*items[::-1], None]


def test_nothing_is_added_where_one_item_is_no_json(memory):
    """All or nothing."""
    session = MemspanSession("s", memory)
    with pytest.raises(BadText):
        run(session.add_items([ITEMS[0], {"role": "user", "content": {1, 2}}]))
    assert run(session.get_items()) == []


def test_what_is_popped_or_cleared_is_erased(tmp_path, memory):
    """From the file, and may be said again; other turns of the memory stay."""
    memory.remember("Said elsewhere.", session="s")
    session = MemspanSession("s", memory)
    run(session.add_items([{"role": "user", "content": "The code is 4711-abcd."}]))
    assert run(session.pop_item()) == {"role": "user", "content": "The code is 4711-abcd."}
    assert run(session.pop_item()) is None
    run(session.add_items([{"role": "user", "content": "The code is 4711-abcd."}, ITEMS[0]]))
    assert len(run(session.get_items())) == 2
    run(session.clear_session())
    run(session.clear_session())
    assert run(session.get_items()) == [] and [turn.text for turn in memory.turns()] == ["Said elsewhere."]
    memory.close()
    assert b"4711-abcd" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add_items"), st.lists(st.sampled_from(ITEMS), max_size=3)),
        st.tuples(st.just("get_items"), st.none() | st.integers(-1, 5)),
        st.tuples(st.sampled_from(["pop_item", "clear_session"])),
    ),
    max_size=12,
)


@settings(max_examples=15, phases=(Phase.explicit, Phase.generate))
@given(steps=STEPS, limit=st.none() | st.integers(1, 3))
def test_it_answers_as_the_sdks_own_session(tmp_path_factory, steps, limit):
    """Any order of calls, with and without a limit in the settings."""
    agents = pytest.importorskip("agents", reason="needs openai-agents")
    given_settings = agents.SessionSettings(limit=limit)

    async def both():
        theirs = agents.SQLiteSession("s", session_settings=given_settings)
        ours = MemspanSession("s", memory, session_settings=given_settings)
        try:
            for name, *arguments in steps:
                assert await getattr(ours, name)(*arguments) == await getattr(theirs, name)(*arguments)
            assert await ours.get_items() == await theirs.get_items()
        finally:
            theirs.close()

    with Memory(tmp_path_factory.mktemp("s") / "m.mem", scope="a", durability="process") as memory:
        run(both())


def test_the_sdks_runner_keeps_a_conversation_in_it(memory):
    """A real agent with a tool, a scripted model: the second run sees what the first one said and found."""
    agents = pytest.importorskip("agents", reason="needs openai-agents")
    from agents.memory import Session
    from agents.testing import ScriptedModel, assistant_message, function_call

    agents.set_tracing_disabled(True)

    @agents.function_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"12 mm of rain in {city}"

    model = ScriptedModel(
        [
            [function_call("weather", {"city": "Porto"}, call_id="c1")],
            [assistant_message("It rains in Porto.")],
            [assistant_message("Take the red umbrella.")],
        ]
    )
    agent = agents.Agent(name="guide", model=model, tools=[weather])
    session = MemspanSession("trip", memory)
    assert isinstance(session, Session)

    async def talk():
        await agents.Runner.run(agent, "What is the weather in Porto?", session=session)
        return await agents.Runner.run(agent, "What shall I take?", session=session)

    assert run(talk()).final_output == "Take the red umbrella."
    seen = json.dumps(model.last_call.input)
    assert all(text in seen for text in ("What is the weather in Porto?", "12 mm of rain", "What shall I take?"))
    kinds = [item.get("type") or item["role"] for item in run(session.get_items())]
    assert kinds == ["user", "function_call", "function_call_output", "message", "user", "message"]
    assert memory.recall("umbrella").hits[0].text == "Take the red umbrella."
