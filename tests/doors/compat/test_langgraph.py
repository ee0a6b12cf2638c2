"""LangGraph's store on a file of ours, beside LangGraph's own InMemoryStore."""

import asyncio
import operator
import subprocess
import sys
import threading
from typing import Annotated, TypedDict

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from memspan import Memory
from memspan.core.errors import BadScope, UsageError

pytest.importorskip("langgraph.store.base", reason="needs langgraph")

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from memspan.doors.compat.langgraph import MemspanStore


class Ticking:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Ticking()


@pytest.fixture
def store(tmp_path, clock):
    with MemspanStore(tmp_path / "m.mem", clock=clock) as made:
        yield made


# -- the same random operations on both

LABELS = st.sampled_from(["a", "b", "c", "ä", "x y", "a/b", "%41"])
SPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["1", "2", "3", "key with / and ü", ""])
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["red", "blue", "red wine", ""])
VALUES = st.dictionaries(
    st.sampled_from(["text", "color", "n", "nested"]),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("n"), inner, max_size=1),
        max_leaves=4,
    ),
    max_size=3,
)
NUMBERS = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), st.integers(-3, 3), min_size=1, max_size=2)
WANTED = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(["text", "color", "nested"]), LEAVES, max_size=2),
    st.dictionaries(st.sampled_from(["text", "color"]), st.fixed_dictionaries({"$ne": LEAVES}), max_size=1),
    st.dictionaries(st.sampled_from(["text", "n"]), st.fixed_dictionaries({"$eq": LEAVES}), max_size=1),
    st.dictionaries(st.just("rank"), NUMBERS, min_size=1),
)
RANKED = st.builds(lambda value, rank: {**value, "rank": rank}, VALUES, st.integers(-5, 5))
PUTS = st.builds(lambda space, key, value: PutOp(space, key, value), SPACES, KEYS, st.none() | RANKED)
PATTERNS = st.builds(
    MatchCondition,
    st.sampled_from(["prefix", "suffix"]),
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2).map(tuple),
)
READS = st.one_of(
    st.tuples(SPACES, KEYS).map(lambda given: GetOp(*given)),
    st.tuples(st.lists(LABELS, max_size=2).map(tuple), WANTED, st.just(100), st.just(0)).map(
        lambda given: SearchOp(*given)
    ),
    st.tuples(SPACES, WANTED, st.integers(0, 3), st.integers(0, 3)).map(lambda given: SearchOp(*given)),
    st.tuples(st.lists(PATTERNS, max_size=2).map(tuple), st.none() | st.integers(1, 3)).map(
        lambda given: ListNamespacesOp(*given)
    ),
)
BATCHES = st.lists(st.lists(PUTS | READS, min_size=1, max_size=6), min_size=1, max_size=6)


def answers(theirs, ops):
    """What InMemoryStore says; what reads comes first, as in its batch(), and no empty namespace is listed by it."""
    for op in ops:
        for empty in [space for space, items in theirs._data.items() if not items]:
            del theirs._data[empty]
        yield None if isinstance(op, PutOp) else theirs.batch([op])[0]
    theirs.batch([op for op in ops if isinstance(op, PutOp)])


def plain(op, answer):
    """What both must agree on: an item's times are its own."""
    if isinstance(op, GetOp) and answer is not None:
        return (answer.namespace, answer.key, answer.value)
    return [(one.namespace, one.key, one.value) for one in answer] if isinstance(op, SearchOp) else answer


def agree(op, mine, other, filled):
    """Whether both answers are the same, but for the order in which namespaces come up again after they were empty."""
    if (
        isinstance(op, SearchOp)
        and sum(space[: len(op.namespace_prefix)] == op.namespace_prefix for space in filled) > 1
    ):
        assert len(mine) == len(other)
        for space in {item[0] for item in mine} if op.limit == 100 else ():
            assert [one for one in mine if one[0] == space] == [one for one in other if one[0] == space]
    else:
        assert mine == other


@settings(max_examples=25, phases=(Phase.explicit, Phase.generate))  # an example takes too long to be made smaller
@given(batches=BATCHES)
def test_the_same_operations_have_the_same_answers(tmp_path_factory, batches):
    """Puts, gets, deletes, searches with filters and pages, listings; in batches, as InMemoryStore answers them."""
    folder = tmp_path_factory.mktemp("store")
    theirs, filled = InMemoryStore(), set()
    with MemspanStore(folder / "m.mem", durability="process") as ours:
        for ops in batches:
            others = list(answers(theirs, ops))
            for op, one, other in zip(ops, ours.batch(ops), others, strict=True):
                agree(op, plain(op, one), plain(op, other), filled)
            filled = {item.namespace for item in theirs.search((), limit=10_000)}
        assert set(ours.list_namespaces(limit=10_000)) == filled


def test_search_ranks_as_the_index_says(tmp_path):
    """Fields of the store, or of the put; what is not indexed comes last and without a score, as in InMemoryStore."""
    fields = ["text", "parts[*].text"]
    with MemspanStore(tmp_path / "m.mem", fields=fields) as ours:
        theirs = InMemoryStore(
            index={"dims": 4, "embed": lambda texts: [by_word(text) for text in texts], "fields": fields}
        )
        for store in (ours, theirs):
            store.put(("n",), "tea", {"text": "a pot of tea", "hidden": "sail"})
            store.put(("n",), "boat", {"parts": [{"text": "we sail"}, {"text": "on sundays"}]})
            store.put(("n",), "none", {"text": "sail"}, index=False)
            store.put(("n",), "other", {"text": "a kettle", "deep": {"why": "sail again"}}, index=["deep.why"])
            store.put(("n",), "empty", {"n": 1})
        for query in ("sail", "tea"):
            mine, other = ours.search(("n",), query=query), theirs.search(("n",), query=query)
            assert {item.key for item in mine if item.score is None} == {"none", "empty"}
            assert {item.key for item in other if item.score is None} == {"none", "empty"}
            assert mine[0].key in {"tea": {"tea"}, "sail": {"boat", "other"}}[query]
        assert [item.key for item in ours.search(("n",), query="sail", limit=2)] != ["none", "empty"]
        assert [item.key for item in ours.search(("n",), query="sail", limit=10, offset=3)] == ["none", "empty"]


def by_word(text):
    """A vector that knows tea from sailing."""
    return [float(word in text) for word in ("tea", "sail", "kettle")] + [0.1]


def test_a_query_goes_over_all_namespaces_below_a_prefix(store):
    """Best first, filtered, paged; nothing of another prefix."""
    for number in range(6):
        store.put(("users", str(number), "facts"), "k", {"text": f"User {number} likes tea.", "even": number % 2 == 0})
    store.put(("users", "3", "facts"), "hobby", {"text": "They sail on Sundays.", "even": True})
    store.put(("other",), "k", {"text": "They sail on Sundays too.", "even": True})
    found = store.search(("users",), query="Who sails on Sundays?", filter={"even": True})
    assert found[0].key == "hobby" and len(found) == 4 and {item.namespace[0] for item in found} == {"users"}
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    pages = [store.search(("users",), query="Who sails?", limit=3, offset=offset) for offset in (0, 3, 6)]
    assert len({(item.namespace, item.key) for page in pages for item in page}) == 7


def test_namespaces_of_one_item_are_ranked_beside_each_other(store):
    """Where a scope's own statistics say nothing; within a namespace the order stays that of the recall."""
    for number in range(12):
        store.put(("users", str(number)), "k", {"text": f"User {number} likes tea and item{number}."})
    store.put(("users", "12"), "a", {"text": "They sail on Sundays."})
    store.put(("users", "12"), "b", {"text": "They mend nets on Mondays."})
    assert store.search(("users",), query="item7")[0].namespace == ("users", "7")
    assert store.search(("users",), query="Who sails on Sundays?")[0].key == "a"
    keys = [item.key for item in store.search(("users",), query="nets on Mondays", limit=20) if item.key in "ab"]
    assert keys == [item.key for item in store.search(("users", "12"), query="nets on Mondays")] == ["b", "a"]


def test_an_earlier_value_is_in_the_history_until_the_key_is_deleted(tmp_path, store, clock):
    """One item a key, found by its newest words only; then no byte of any version is left."""
    store.put(("users", "1"), "code", {"text": "The code is 4711-abcd."})
    clock.now += 60
    store.put(("users", "1"), "code", {"text": "The code is 9999-wxyz."})
    item = store.get(("users", "1"), "code")
    assert (item.created_at.timestamp(), item.updated_at.timestamp()) == (1000.0, 1060.0)
    assert [one.value["text"] for one in store.search(("users",), query="code")] == ["The code is 9999-wxyz."]
    with Memory(tmp_path / "m.mem", scope="langgraph/users/1") as memory:
        assert len(list(memory.turns())) == 2
    store.delete(("users", "1"), "code")
    assert store.get(("users", "1"), "code") is None and store.list_namespaces() == []
    store.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"4711-abcd" not in raw and b"9999-wxyz" not in raw


def test_the_same_value_again_writes_nothing(tmp_path, store):
    """A retry is free."""
    for _ in range(3):
        store.put(("n",), "k", {"text": "same"})
    with Memory(tmp_path / "m.mem", scope="langgraph/n") as memory:
        assert len(list(memory.turns())) == 1


def test_time_to_live(store, clock):
    """Hidden at its end, which reading puts off; the sweep erases it."""
    store.put(("n",), "short", {"a": 1}, ttl=1)
    store.put(("n",), "long", {"a": 2}, ttl=10)
    store.put(("n",), "ever", {"a": 3})
    clock.now += 59
    assert store.get(("n",), "short").value == {"a": 1}  # puts its end off
    assert store.get(("n",), "long", refresh_ttl=False)
    clock.now += 59
    assert store.get(("n",), "short", refresh_ttl=False)
    clock.now += 2
    assert store.get(("n",), "short") is None
    assert {item.key for item in store.search(("n",), query="a")} == {"long", "ever"}
    assert {item.key for item in store.search(("n",))} == {"long", "ever"}
    store.put(("n",), "long", {"a": 2})  # without an end from now on
    clock.now += 10_000
    assert store.sweep_ttl() == 1
    assert {item.key for item in store.search(("n",))} == {"long", "ever"}


def test_a_default_time_to_live(tmp_path, clock):
    """LangGraph's TTLConfig."""
    with MemspanStore(tmp_path / "m.mem", ttl={"default_ttl": 1, "refresh_on_read": False}, clock=clock) as store:
        store.put(("n",), "k", {"a": 1})
        clock.now += 59
        assert store.get(("n",), "k")
        clock.now += 2
        assert store.get(("n",), "k") is None
        assert store.sweep_ttl() == 1 and store.list_namespaces() == []


def test_what_langgraph_refuses_is_refused(store):
    """Namespaces by LangGraph's own rules, filters and depths by ours; each a ValueError."""
    for namespace in ((), ("",), ("a.b",), ("langgraph",)):
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "k", {"a": 1})
    with pytest.raises(BadScope):
        store.put(tuple("abcdefgh"), "k", {"a": 1})
    store.put(("n",), "k", {"a": 1})
    with pytest.raises(UsageError, match="like"):
        store.search(("n",), filter={"a": {"$like": 1}})
    with pytest.raises(ValueError, match="JSON"):
        store.put(("n",), "k", {"a": {1, 2}})
    assert store.get(("n",), "k").value == {"a": 1}
    with pytest.raises(UsageError, match="list"):
        MemspanStore("m.mem", fields="text")


def test_another_process_sees_what_was_put(tmp_path, store):
    """Two stores on one file, each writing what the other reads; none undoes the other."""
    with MemspanStore(tmp_path / "m.mem") as other:
        store.put(("n",), "k", {"text": "first"})
        assert other.get(("n",), "k").value == {"text": "first"}
        other.put(("n",), "k", {"text": "second"})
        assert store.search(("n",), query="second")[0].value == {"text": "second"}
        store.delete(("n",), "k")
        assert other.get(("n",), "k") is None and other.list_namespaces() == []
        other.put(("n",), "k", {"text": "third"})
        assert store.get(("n",), "k").value == {"text": "third"}


def test_threads_may_put_one_key(store):
    """The last one stays, every key is there."""

    def work(number):
        for turn in range(4):
            store.put(("n",), "shared", {"text": f"{number} {turn}"})
            store.put(("n",), f"{number}-{turn}", {"text": "own"})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.search(("n",), limit=100)) == 13
    assert store.get(("n",), "shared").value["text"].endswith("3")


class State(TypedDict):
    said: Annotated[list[str], operator.add]


def test_a_graph_remembers_across_threads(store):
    """A real graph, compiled with this store, run twice."""
    from langgraph.graph import START, StateGraph
    from langgraph.store.base import BaseStore

    async def note(state: State, *, store: BaseStore) -> State:
        found = await store.asearch(("users", "1"), query=state["said"][-1])
        await store.aput(("users", "1"), str(len(found)), {"text": state["said"][-1]})
        return {"said": [item.value["text"] for item in found]}

    graph = StateGraph(State).add_node("note", note).add_edge(START, "note").compile(store=store)

    async def run():
        await graph.ainvoke({"said": ["I keep bees in Sintra."]})
        return await graph.ainvoke({"said": ["Where are my bees?"]})

    assert asyncio.run(run())["said"] == ["Where are my bees?", "I keep bees in Sintra."]


HAMMER = """
import random, sys
from memspan.doors.compat.langgraph import MemspanStore
place, name = sys.argv[1:]
dice = random.Random(int(name))
with MemspanStore(place, durability="process") as store:
    for number in range(60):
        space, key, fate = ("n", str(dice.randrange(2))), str(dice.randrange(3)), dice.random()
        if fate < 0.5:
            store.put(space, key, {"text": f"{name} {number}"}, ttl=5 if fate < 0.1 else None)
        elif fate < 0.75:
            store.delete(space, key)
        elif fate < 0.9:
            store.search(("n",), query="text", limit=5)
        else:
            store.list_namespaces()
    store.put(("last", name), "k", {"done": True})
"""


@pytest.mark.slow
def test_processes_may_put_delete_and_search_at_once(tmp_path):
    """No call fails because another process was faster, and what is there is listed."""
    working = [
        subprocess.Popen([sys.executable, "-c", HAMMER, str(tmp_path / "m.mem"), str(number)], stderr=subprocess.PIPE)
        for number in range(2)
    ]
    assert [(process.communicate(timeout=120)[1].decode(), process.returncode) for process in working] == [("", 0)] * 2
    with MemspanStore(tmp_path / "m.mem") as store:
        filled = {item.namespace for item in store.search((), limit=1000)}
        assert filled == set(store.list_namespaces(limit=1000)) >= {("last", "0"), ("last", "1")}
