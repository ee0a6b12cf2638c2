"""T4: nobody sees another's memory: all that B sees is the same, byte for byte, whether A is there or not."""

import random
import re
from dataclasses import replace

import pytest
from tests.faults.workload import DIM, memory

from memspan import Memory, Turn
from memspan.core.budget import Cost
from memspan.core.errors import MemspanError
from memspan.text.embed.hashing import Hashing

VOCABULARY = "bike lake rain Lisbon coffee guitar chess Anna Ben garden piano market May train snow bread dog sea"
WORDS = VOCABULARY.split()
FENCE = re.compile(r"(?<=memory )[0-9a-f]{6}\b")


def sentence(chance):
    return " ".join(chance.choices(WORDS, k=chance.randint(3, 15))).capitalize() + "."


def some_turns(chance, count):
    return [
        Turn(
            sentence(chance),
            speaker=chance.choice(["Anna", "Ben", ""]),
            role=chance.choice(["user", "assistant"]),
            session=f"s{chance.randint(0, 4)}",
            at=chance.choice([None, 1.6e9 + chance.randint(0, 10**8)]),
        )
        for _ in range(count)
    ]


def answer(call):
    """What a caller sees, as text: the result without its timing, or the error."""
    try:
        found = call()
    except MemspanError as why:
        return f"{type(why).__name__}: {why}"
    if hasattr(found, "cost"):
        found = replace(found, cost=Cost(tokens=found.cost.tokens))
    if hasattr(found, "bytes"):
        found = replace(found, bytes=0)  # of the whole file, which is shared and says so
    return FENCE.sub("......", repr(found))  # the fence's mark is keyed by a secret of the file


def step(here, chance, tmp_path):
    """One random call of B; what it sees."""
    kind = chance.choice(["one", "bulk", "again", "recall", "recall", "recall", "get", "read", "bad", "export"])
    if kind == "one":
        text, when = sentence(chance), 1.6e9 + chance.randint(0, 10**8)
        return answer(lambda: here.remember(text, speaker="Anna", at=when, session="s1"))
    if kind == "bulk":
        turns = some_turns(chance, chance.randint(2, 20))
        return answer(lambda: here.remember(turns))
    if kind == "again":
        turns = list(here.turns())[:5]
        return answer(lambda: here.remember(turns))
    if kind == "recall":
        question = chance.choice(["What did Anna say about {}?", "When was the {} in May 2021?", "{}"]).format(
            chance.choice(WORDS)
        )
        tokens = chance.choice([None, 50, 300])
        return answer(lambda: here.recall(question, tokens=tokens))
    if kind == "get":
        wanted = chance.choice([*(turn.id for turn in here.turns()), "nothing"])
        return answer(lambda: here.get(wanted))
    if kind == "read":
        return answer(lambda: (list(here.turns()), here.sessions())) + answer(here.stats)
    if kind == "export":
        return answer(lambda: here.export(tmp_path / "b.jsonl")) + (tmp_path / "b.jsonl").read_text()
    return answer(lambda: here.remember("bad \0 text"))


def disturb(other, chance, ids):
    """One random call of A, rude ones included."""
    kind = chance.choice(["bulk", "bulk", "recall", "bad", "rebuild", "get", "long"])
    try:
        if kind == "bulk":
            other.remember(some_turns(chance, chance.randint(1, 60)))
        elif kind == "long":
            other.remember(sentence(chance) * 200)
        elif kind == "recall":
            other.recall(sentence(chance), tokens=100)
        elif kind == "get":
            other.get(chance.choice(ids or ["x"]))
        elif kind == "rebuild":
            other.rebuild()
        else:
            other.remember([Turn("fine"), Turn("fine", scope="bob")])
    except MemspanError:
        pass


def run(tmp_path, seed, steps, company):
    """All that B sees in a seeded workload, alone or with A in between."""
    seen, chance, noise = [], random.Random(seed), random.Random(seed + 1)
    path = tmp_path / f"{seed}-{company}.mem"
    here = memory(path, scope="acme/bob", clock=lambda: 1.75e9)
    other = memory(path, scope="acme/alice", clock=lambda: 1.76e9) if company else None
    for number in range(steps):
        if other is not None:
            for _ in range(noise.randint(0, 2)):
                disturb(other, noise, [turn.id for turn in here.turns()])
        seen.append(step(here, chance, tmp_path))
        if number % 20 == 19:
            here.close()
            here = memory(path, scope="acme/bob", clock=lambda: 1.75e9)
    here.close()
    if other is not None:
        other.close()
    return seen


def compare(tmp_path, seed, steps):
    alone = run(tmp_path, seed, steps, company=False)
    together = run(tmp_path, seed, steps, company=True)
    differing = [place for place, pair in enumerate(zip(alone, together, strict=True)) if pair[0] != pair[1]]
    print(f"seed {seed}: {len(alone)} calls, {sum(map(len, alone)):,} characters seen, {len(differing)} differ")
    assert sum(map(len, alone)) > 1000
    return [(alone[place][:500], together[place][:500]) for place in differing]


@pytest.mark.parametrize("seed", range(2))
def test_what_one_scope_sees_does_not_depend_on_another(tmp_path, seed):
    """Hits, scores, order, confidence, ids, errors, counts, exports."""
    assert compare(tmp_path, seed, 60) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_what_one_scope_sees_does_not_depend_on_another_at_length(tmp_path, seed):
    """The long form."""
    assert compare(tmp_path, seed, 400) == []


def test_control_a_shared_index_is_caught(tmp_path, monkeypatch):
    """Negative control: where A's turns are filed under B's scope, the outputs differ."""
    real = Memory.__init__

    def careless(self, path, *, scope, **settings):
        real(self, path, scope="acme/bob" if scope == "acme/alice" else scope, **settings)

    monkeypatch.setattr(Memory, "__init__", careless)
    assert compare(tmp_path, 0, 30) != []


def test_an_id_of_another_scope_reads_like_none(tmp_path):
    """The same error with the same words, so that nobody can probe."""
    with memory(tmp_path / "a.mem", scope="alice") as here, memory(tmp_path / "a.mem", scope="bob") as other:
        wanted = here.remember("mine").ids[0]
        missing = "t" + "0" * 20
        assert answer(lambda: other.get(wanted)).replace(wanted, "ID") == answer(lambda: other.get(missing)).replace(
            missing, "ID"
        )
        assert Hashing(DIM).embed(["x"]).shape == (1, DIM)
