"""Attacks that take several steps: said back, corrected and exported, forgotten."""

from collections.abc import Mapping
from pathlib import Path

from memspan.bench.attacks import scores
from memspan.bench.attacks.cases import Attack
from memspan.core.protocols import Embedder
from memspan.core.records import Turn
from memspan.text.memory import Memory
from memspan.text.read import read
from memspan.text.safety.trust import TOOL, trust_of

Planted = Mapping[str, Turn]


def echo(memory: Memory, attack: Attack, planted: Planted) -> list[str]:
    """The assistant says back what was recalled: the copy comes after the original, and nothing is made of it alone."""
    recalled = memory.recall(attack.question, tokens=300)
    said = [hit for hit in recalled.hits if hit.id in planted]
    if not said:
        return ["the planted turn was never recalled"]
    copies = [
        Turn(f"You asked, and memory says: {hit.text}", role="assistant", speaker="assistant", id=f"y{hit.id}")
        for hit in said
    ]
    memory.remember(copies)
    again = [hit.id for hit in memory.recall(attack.question, tokens=None, limit=200, history=True).hits]
    now = {hit.id: hit for hit in memory.recall(attack.question, tokens=None, limit=200).hits}
    breaches = [
        f"{copy.id} came before what it repeats"
        for copy, hit in zip(copies, said, strict=True)
        if copy.id in now and hit.id in now and now[copy.id].rank < now[hit.id].rank
    ]
    breaches += [f"{copy.id} counts as a fact of its own" for copy in copies if now[copy.id].status == "active"]
    breaches += [f"{copy.id} was not kept" for copy in copies if copy.id not in again]
    memory.reflect()
    names = {copy.id for copy in copies}
    alone = [record.id for record in memory.records() if set(record.sources) <= names]
    return breaches + [f"{id} was made of an echo" for id in alone]


def wash(memory: Memory, attack: Attack, planted: Planted, folder: Path, embedder: Embedder) -> list[str]:
    """Corrected, undone, exported and read back: what a tool said is never trusted more than a tool."""
    breaches = []
    for id in planted:
        newer = memory.correct(id, f"{planted[id].text} Really!", reason="reads better")
        if _trust(memory.get(newer)) > TOOL:
            breaches.append(f"correcting {id} raised its trust")
    memory.undo()
    memory.export(folder / "out.jsonl")
    with Memory(folder / "again.mem", scope="alice", embedders=[embedder], durability="process") as other:
        other.remember(list(read(folder / "out.jsonl")))
        breaches += [f"reading {turn.id} back raised its trust" for turn in other.turns() if _is_washed(turn, attack)]
        other.reflect()
        breaches += scores.taint(other.records(), {turn.id: turn for turn in other.turns()})
    return breaches


def forget(memory: Memory, attack: Attack, source: str, file: Path) -> list[str]:
    """S6: after its source is forgotten not a byte of the payload is left, nor anything made of it."""
    memory.reflect()
    memory.forget(source=source)
    memory.reflect()
    left = [turn.id for turn in memory.turns() if attack.canary in turn.text]
    left += [record.id for record in memory.records() if attack.canary in record.text]
    breaches = [f"{id} is still there" for id in left]
    memory.close()
    for path in sorted(file.parent.glob(f"{file.name}*")):
        if attack.canary.encode() in path.read_bytes():
            breaches.append(f"bytes of the payload are in {path.name}")
    return breaches


def _trust(turn: Turn) -> float:
    return trust_of(turn.role, turn.meta)


def _is_washed(turn: Turn, attack: Attack) -> bool:
    return attack.canary in turn.text and _trust(turn) > TOOL
