"""One story told to a mem0-like Memory, and what it answered: `python mem0_calls.py FOLDER` tells it to the real one.

The real one gets a fake embedder (a hash of the words) and local Qdrant; nothing leaves the machine.
"""

import hashlib
import json
import sys

ANN, BOB = {"user_id": "ann"}, {"user_id": "bob"}


def story(memory):
    """Names of the steps and what came of them, ids and times aside."""
    told = {}
    for name, step in steps(memory):
        try:
            told[name] = plain(step())
        except ValueError as error:
            told[name] = {
                "error": "ValueError",
                "of": type(error).__module__.partition(".")[0] in ("builtins", "memspan"),
            }
        except Exception as error:  # noqa: BLE001 - whatever it raises is what is compared
            told[name] = {"error": type(error).__name__}
    return told


def steps(memory):
    """(name, call), in order; later ones use what earlier ones gave back."""
    kept = {}

    def add(key, messages, **more):
        made = memory.add(messages, infer=False, **more)
        kept.update({f"{key}{number}": one["id"] for number, one in enumerate(made["results"])})
        return made

    yield "add text", lambda: add("a", "Ann keeps bees in Sintra.", user_id="ann", metadata={"topic": "bees", "n": 3})
    yield "add a dict", lambda: add("d", {"role": "user", "content": "Ann sails on Sundays."}, user_id="ann")
    yield (
        "add messages",
        lambda: add(
            "m",
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Bob plays chess.", "name": "Bob"},
                {"role": "assistant", "content": "Noted: chess."},
                {"role": "assistant"},
                {"content": "nobody says this"},
                {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "poker."}]},
            ],
            user_id="bob",
            run_id="r1",
            metadata={"topic": "games", "n": 5, "day": "2026-01-02", "tags": ["a", "b"]},
        ),
    )
    yield "add the same again", lambda: add("again", "Ann sails on Sundays.", user_id="ann")
    yield "add for an agent", lambda: add("g", "Answer in French.", agent_id="guide")
    yield "add under all ids", lambda: add("u", "Ann asked the guide.", user_id="ann", agent_id="guide", run_id="r2")
    yield "metadata sets no id", lambda: add("s", "Ann is ann.", user_id="ann", metadata={"user_id": "bob", "x": 1})
    yield "a number is an id", lambda: add("7", "Seven.", user_id=7)
    yield "expired", lambda: add("e", "Old news.", user_id="eve", expiration_date="2020-01-01")
    yield "not expired", lambda: add("f", "Fresh news.", user_id="eve", expiration_date="2999-01-01")

    yield "get", lambda: memory.get(kept["a0"])
    yield "get nothing", lambda: memory.get("00000000-0000-4000-8000-000000000000")
    everything = [("ann", ANN), ("bob", BOB), ("7", {"user_id": "7"}), ("agent", {"agent_id": "guide"})]
    for name, ids in [*everything, ("run", {"run_id": "r1"}), ("two", {**ANN, "agent_id": "guide"})]:
        yield f"get_all {name}", lambda ids=ids: by_text(memory.get_all(filters=ids))
        yield f"search {name}", lambda ids=ids: by_text(memory.search("chess bees news", filters=ids, threshold=0.0))
    yield "get_all few", lambda: len(memory.get_all(filters=ANN, top_k=2)["results"])
    yield "get_all none", lambda: memory.get_all(filters=ANN, top_k=0)
    yield "search few", lambda: len(memory.search("bees", filters=ANN, top_k=2, threshold=0.0)["results"])
    yield "eve", lambda: by_text(memory.get_all(filters={"user_id": "eve"}))
    yield "eve, expired too", lambda: by_text(memory.get_all(filters={"user_id": "eve"}, show_expired=True))
    yield "search eve", lambda: by_text(memory.search("news", filters={"user_id": "eve"}, threshold=0.0))
    for number, extra in enumerate(FILTERS):
        yield (
            f"filter {number} {json.dumps(extra)}",
            lambda extra=extra: by_text(memory.search("chess", filters={**BOB, **extra}, threshold=0.0)),
        )

    yield (
        "update",
        lambda: memory.update(kept["a0"], text="Ann keeps goats in Sintra.", metadata={"n": 4, "user_id": "bob"}),
    )
    yield "get updated", lambda: memory.get(kept["a0"])
    yield "update metadata only", lambda: memory.update(kept["a0"], metadata={"more": True})
    yield "get updated again", lambda: memory.get(kept["a0"])
    yield "search updated", lambda: by_text(memory.search("goats", filters=ANN, threshold=0.0))
    yield "history", lambda: memory.history(kept["a0"])
    yield "history of nothing", lambda: memory.history("00000000-0000-4000-8000-000000000000")
    yield "expire by update", lambda: memory.update(kept["d0"], expiration_date="2020-01-01")
    yield "ann after", lambda: by_text(memory.get_all(filters=ANN))

    yield "update nothing", lambda: memory.update(kept["a0"])
    yield "update nobody", lambda: memory.update("00000000-0000-4000-8000-000000000000", text="x")
    yield "delete nobody", lambda: memory.delete("00000000-0000-4000-8000-000000000000")
    for name, call in REFUSED.items():
        yield name, lambda call=call: call(memory)

    yield "delete", lambda: memory.delete(kept["a0"])
    yield "get deleted", lambda: memory.get(kept["a0"])
    yield "ann without", lambda: by_text(memory.get_all(filters=ANN))
    yield "add what was deleted", lambda: add("back", "Ann keeps bees in Sintra.", user_id="ann")
    yield "delete_all of both", lambda: memory.delete_all(user_id="ann", agent_id="guide")
    yield "ann but the guide", lambda: by_text(memory.get_all(filters=ANN))
    yield "delete_all of a run", lambda: memory.delete_all(run_id="r1")
    yield "bob after", lambda: memory.get_all(filters=BOB)
    yield "delete_all of nobody", lambda: memory.delete_all(user_id="nobody")
    yield "reset", memory.reset
    yield "ann after the reset", lambda: memory.get_all(filters=ANN)


FILTERS = [
    *({"topic": "games"}, {"topic": {"eq": "games"}}, {"topic": {"ne": "games"}}, {"topic": {"ne": "bees"}}),
    *({"n": {"gt": 4}}, {"n": {"gte": 5, "lt": 6}}, {"n": {"lte": 4}}, {"n": {"lt": 5}}, {"n": 5}),
    *({"topic": {"in": ["games", "x"]}}, {"topic": {"nin": ["games"]}}, {"topic": ["games", "x"]}, {"topic": "*"}),
    *({"topic": {"contains": "ame"}}, {"topic": {"contains": "AME"}}, {"tags": "a"}, {"tags": {"in": ["b"]}}),
    *({"missing": "x"}, {"missing": {"ne": "x"}}, {"missing": {"nin": ["x"]}}, {"missing": {"gt": 1}}),
    *({"role": "assistant"}, {"actor_id": "Bob"}, {"day": {"gte": "2026-01-01", "lt": "2026-02-01"}}),
    {"AND": [{"topic": "games"}, {"n": {"gt": 4}}]},
    {"OR": [{"role": "assistant"}, {"actor_id": "Bob"}]},
    {"NOT": [{"role": "assistant"}]},
    {"NOT": [{"role": "assistant"}, {"actor_id": "Bob"}]},
    *({"topic": {"eq": "games", "like": "x"}}, {"OR": []}, {"AND": "x"}, {"OR": "x"}),
]

REFUSED = {
    "search without an id": lambda memory: memory.search("x"),
    "search with filters, without an id": lambda memory: memory.search("x", filters={"topic": "games"}),
    "get_all without an id": lambda memory: memory.get_all(),
    "delete_all without an id": lambda memory: memory.delete_all(),
    "a blank query": lambda memory: memory.search("  ", filters=ANN),
    "a query that is no text": lambda memory: memory.search(7, filters=ANN),
    "a blank id": lambda memory: memory.search("x", filters={"user_id": " "}),
    "an id with a space": lambda memory: memory.add("x", user_id="a b", infer=False),
    "a threshold of 2": lambda memory: memory.search("x", filters=ANN, threshold=2),
    "a negative top_k": lambda memory: memory.get_all(filters=ANN, top_k=-1),
    "a top_k of text": lambda memory: memory.search("x", filters=ANN, top_k="3"),
    "a broken date": lambda memory: memory.add("x", user_id="ann", infer=False, expiration_date="soon"),
    "a reference date": lambda memory: memory.search("x", filters=ANN, reference_date="2026-01-01"),
}

OWN_ERROR = {
    "add without an id": lambda memory: memory.add("x", infer=False),
    "messages of a number": lambda memory: memory.add(7, user_id="ann", infer=False),
    "an unknown memory_type": lambda memory: memory.add("x", user_id="ann", infer=False, memory_type="dream"),
}
"""Where mem0 raises an error of its own that is no ValueError."""


def by_text(found):
    """Results in the order of their texts: two rankings need not agree, two lists of memories must."""
    return {**found, "results": sorted(found["results"], key=lambda one: (one["memory"], one["created_at"]))}


def plain(value, key=""):
    """Without what differs from run to run."""
    if key in ("id", "memory_id", "created_at", "updated_at", "score") and value is not None:
        return type(value).__name__
    if isinstance(value, dict):
        return {name: plain(held, name) for name, held in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def real(folder):
    """mem0's own Memory, told word for word, with vectors of ours."""
    from mem0 import Memory
    from mem0.embeddings.base import EmbeddingBase

    class Hashed(EmbeddingBase):
        def embed(self, text, memory_action=None):
            row = [0.01] * 32
            for word in str(text).lower().split():
                row[hashlib.md5(word.encode(), usedforsecurity=False).digest()[0] % 32] += 1.0
            return row

    store = {"collection_name": "story", "path": f"{folder}/qdrant", "embedding_model_dims": 32, "on_disk": True}
    unused = {"provider": "openai", "config": {"api_key": "unused"}}
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "qdrant", "config": store},
            "embedder": unused,
            "llm": unused,
            "history_db_path": f"{folder}/history.db",
        }
    )
    memory.embedding_model = Hashed()
    return memory


def errors(memory):
    """Which of mem0's own errors each of these raises."""
    told = {}
    for name, call in OWN_ERROR.items():
        try:
            told[name] = plain(call(memory))
        except Exception as error:  # noqa: BLE001 - as above
            told[name] = type(error).__name__
    return told


def of_strangers(memory):
    """What a wildcard for a user reads."""
    memory.add("Bob's secret is 4711.", user_id="bob", infer=False)
    return [one["memory"] for one in memory.search("secret", filters={"user_id": "*"}, threshold=0.0)["results"]]


if __name__ == "__main__":
    made = real(sys.argv[1])
    print(json.dumps({"errors": errors(made), "story": story(made), "of_strangers": of_strangers(made)}))
    made.vector_store.client.close()
    made.close()
