"""A retriever for LangChain, used as its own runnables use one."""

import asyncio

import pytest

from memspan import Memory

pytest.importorskip("langchain_core", reason="needs langchain-core")

from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from memspan.doors.compat.langchain import MemspanRetriever


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "m.mem", scope="ann") as made:
        yield made


def test_documents_carry_what_recall_said(memory):
    """Text, id, score, time, session, sources; best first, at most k."""
    (told,) = memory.remember("I moved to Lisbon.", speaker="Ann", session="s1", at=0, meta={"tag": "x"}).ids
    memory.remember("I keep bees.", speaker="Ann", at=86400)
    retriever = MemspanRetriever(memory=memory, k=1)
    (document,) = retriever.invoke("Where did Ann move to?")
    assert (document.page_content, document.id) == ("I moved to Lisbon.", told)
    held = document.metadata
    assert (held["at"], held["session"], held["speaker"]) == ("1970-01-01T00:00:00Z", "s1", "Ann")
    assert (held["sources"], held["meta"], held["rank"]) == ([told], {"tag": "x"}, 1)
    assert held["score"] == memory.recall("Where did Ann move to?", tokens=None, limit=1).hits[0].score
    assert 0 <= held["confidence"] <= 1


def test_budget_and_options_reach_recall(memory):
    """tokens holds for the block as everywhere; options are recall's own; async is the same."""
    for number in range(30):
        memory.remember(
            f"Note {number} is about bees and honey, and about how the bees of hive {number} fare.", at=number
        )
    few = MemspanRetriever(memory=memory, tokens=120).invoke("bees")
    assert 0 < len(few) < 10
    assert asyncio.run(MemspanRetriever(memory=memory, tokens=120).ainvoke("bees")) == few
    early = MemspanRetriever(memory=memory, options={"as_of": 5}).invoke("bees")
    assert {document.page_content.split()[1] for document in early} == {str(number) for number in range(6)}


def test_standing_instructions_come_along_once(memory):
    """They take part in every prompt, so they are documents too."""
    memory.remember("Always answer in French.")
    memory.remember("I keep bees.")
    for tokens in (None, 500):
        found = MemspanRetriever(memory=memory, tokens=tokens).invoke("What do I keep?")
        assert sorted(document.page_content for document in found) == ["Always answer in French.", "I keep bees."]


def test_it_takes_its_place_in_a_chain(memory):
    """Piped like any retriever."""
    memory.remember("I keep bees in Sintra.")
    prompt = RunnableLambda(lambda given: f"{given['question']} {given['found'][0].page_content}")
    chain = {"found": MemspanRetriever(memory=memory), "question": RunnablePassthrough()} | prompt
    assert chain.invoke("Where are my bees?") == "Where are my bees? I keep bees in Sintra."
