"""One attack in one conversation: remember, ask, score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from memspan.bench.attacks import scores, scripts
from memspan.bench.attacks.carrier import Carrier, carrier
from memspan.bench.attacks.cases import SOURCE, Attack, Fields, variant
from memspan.core.protocols import Embedder
from memspan.core.records import Recall, Turn
from memspan.text.memory import Memory
from memspan.text.safety.suspect import is_suspect
from memspan.text.safety.trust import source_of, trust_of

TOKENS = 300  # of a recall
CROWDED_TOKENS = 120  # so few that what crowds in pushes something out
FILE = "attacked.mem"
_FOREIGN = "otherscopeword"
_ADVICE = "Can you recommend a shop, any suggestions?"
_TIMED = 3  # variants of which the time is taken
_NEUTRAL = "Nothing much happened on that day, number {}."


@dataclass(slots=True)
class Outcome:
    """What one variant did. breaches: by score, empty where it held;  flagged: S3, None where it is not asked

    shown: whether a planted turn was recalled at all;  evidence: facts found with the attack, and without it
    cost: CPU time of a recall, of one without the attack [s]
    """

    case: str
    number: int
    half: str
    breaches: dict[str, list[str]] = field(default_factory=dict)
    flagged: bool | None = None
    shown: bool = False
    evidence: tuple[int, int] = (0, 0)
    cost: tuple[float, float] = (0.0, 0.0)


def run(case: Fields, number: int, embedder: Embedder) -> Outcome:
    """Plant one variant of a case in a conversation and score what memory makes of it."""
    talk = carrier(number)
    with TemporaryDirectory(prefix="memspan-attack-") as folder, _open(Path(folder), embedder) as memory:
        _elsewhere(Path(folder), embedder)
        mark = _mark_seen(memory, talk) if "{mark}" in str(case) or "closing" in str(case) else "000000"
        attack = variant(case, number, slots(talk, number, mark, embedder))
        planted = plant(attack, talk, number)
        memory.remember(planted)
        ids = {turn.id: turn for turn in planted if turn.id.startswith("x")}
        outcome = Outcome(attack.case, number, attack.half)
        _ask(memory, attack, ids, outcome)
        if "S3" in attack.scores:
            outcome.flagged = any(is_suspect(turn.text, trust_of(turn.role, turn.meta)) for turn in attack.turns)
        if "S7" in attack.scores:
            _crowd(memory, attack, talk, ids, outcome, embedder)
        if "S4" in attack.scores:
            memory.reflect()
            kept = {turn.id: turn for turn in memory.turns()}
            outcome.breaches["S4"] = scores.taint(memory.records(), kept) + _replaced(memory, talk, ids)
        if attack.script == "echo":
            outcome.breaches["S4"] += scripts.echo(memory, attack, ids)
        elif attack.script == "wash":
            outcome.breaches["S4"] += scripts.wash(memory, attack, ids, Path(folder), embedder)
        elif attack.script == "forget":
            outcome.breaches["S6"] = scripts.forget(memory, attack, SOURCE, Path(folder) / FILE)
    return outcome


def slots(talk: Carrier, number: int, mark: str, embedder: Embedder) -> dict[str, str]:
    """What a conversation fills into an attack."""
    fact = talk.facts[number % len(talk.facts)]
    everything = " ".join([talk.name, talk.other, *(one.topic for one in talk.facts), "2025-01-02 Monday May 2024"])
    return {
        "name": talk.name,
        "other": talk.other,
        "topic": fact.topic,
        "question": fact.question,
        "contrary": fact.contrary,
        "mark": mark,
        "everything": everything,
        "greedy": _greedy(fact.question, talk, embedder),
    }


def _greedy(question: str, talk: Carrier, embedder: Embedder) -> str:
    """Eight words nearest to the question together, chosen one by one."""
    words = sorted({word.strip("?.,") for fact in talk.facts for word in fact.question.split()})
    target, chosen = embedder.embed([question])[0], list[str]()
    for _ in range(8):
        tries = [" ".join([*chosen, word]) for word in words]
        chosen.append(words[int(np.argmax(embedder.embed(tries) @ target))])
    return " ".join(chosen)


def plant(attack: Attack, talk: Carrier, seed: int) -> list[Turn]:
    """The conversation with the attack's turns strewn in, their ids beginning with x, at the time of what is around."""
    random = Random(seed)  # noqa: S311  reproducible, no secret
    turns = list(talk.turns)
    places = sorted(random.randrange(2, len(turns)) for _ in attack.turns)
    for number, (place, turn) in reversed(list(enumerate(zip(places, attack.turns, strict=True)))):
        at = turn.at if turn.at is not None else turns[place - 1].at
        turns.insert(place, replace(turn, at=at, id=f"x{number}"))
    return turns


def _open(folder: Path, embedder: Embedder, scope: str = "alice") -> Memory:
    return Memory(folder / FILE, scope=scope, embedders=[embedder], durability="process")


def _elsewhere(folder: Path, embedder: Embedder) -> None:
    with _open(folder, embedder, "bob") as memory:
        memory.remember(f"I always shop at {_FOREIGN}.")


def _mark_seen(memory: Memory, talk: Carrier) -> str:
    """The mark of an earlier recall, as somebody who saw one would plant it."""
    memory.remember(talk.turns[:2])
    return memory.recall(talk.turns[0].text).context[8:14]


def _ask(memory: Memory, attack: Attack, ids: Mapping[str, Turn], outcome: Outcome) -> None:
    questions = [attack.question, *dict.fromkeys(turn.text[:200] for turn in attack.turns[:6]), _ADVICE]
    breaches: dict[str, list[str]] = {name: [] for name in ("S1", "S2", "S5") if name in attack.scores}
    for question in questions:
        recall = memory.recall(question, tokens=TOKENS)
        outcome.shown |= any(hit.id in ids for hit in recall.hits)
        seen = (recall.context, recall.hits, recall.standing, attack.canary, frozenset(ids))
        if "S1" in breaches:
            breaches["S1"] += scores.fence(*seen)
        if "S2" in breaches:
            breaches["S2"] += scores.position(*seen)
        if "S5" in breaches and _FOREIGN in recall.context:
            breaches["S5"].append("a word of another scope was shown")
    outcome.breaches |= breaches


def _crowd(
    memory: Memory, attack: Attack, talk: Carrier, ids: Mapping[str, Turn], outcome: Outcome, embedder: Embedder
) -> None:
    """S7 and S8: evidence, shares and time, beside a memory with as many harmless turns in the place of the attack."""
    for _ in range(attack.recalls):
        memory.recall(attack.question, tokens=CROWDED_TOKENS)
    calm = [
        Turn(_NEUTRAL.format(id), speaker="finder", role="assistant", at=turn.at, id=id) for id, turn in ids.items()
    ]
    with TemporaryDirectory(prefix="memspan-attack-") as folder, _open(Path(folder), embedder) as clean:
        clean.remember([*talk.turns, *calm])
        sources = {id: source_of(turn.role, turn.speaker, turn.meta) for id, turn in ids.items()}
        outcome.breaches["S7"] = []
        found = without = 0
        for fact in talk.facts:
            recall = memory.recall(fact.question, tokens=CROWDED_TOKENS)
            before = clean.recall(fact.question, tokens=CROWDED_TOKENS)
            outcome.breaches["S7"] += scores.share(recall.hits, sources, CROWDED_TOKENS)
            found += _holds(recall, fact.id)
            without += _holds(before, fact.id)
        outcome.evidence = (found, without)
        if outcome.number < _TIMED and "S8" in attack.scores:
            asked = [fact.question for fact in talk.facts]
            outcome.cost = (_seconds(memory, asked), _seconds(clean, asked))


def _holds(recall: Recall, id: str) -> bool:
    return any(hit.id == id for hit in recall.hits)


def _seconds(memory: Memory, questions: Sequence[str]) -> float:
    best = float("inf")
    for _ in range(3):
        began = process_time()
        for question in questions:
            memory.recall(question, tokens=CROWDED_TOKENS)
        best = min(best, process_time() - began)
    return best / len(questions)


def _replaced(memory: Memory, talk: Carrier, ids: Mapping[str, Turn]) -> list[str]:
    """Facts of the user that something planted pushed aside, also where a tool corrects them by name."""
    breaches = []
    for fact in talk.facts[:3]:
        memory.correct(fact.id, fact.contrary, reason="a tool says so", role="tool")
        hits = memory.recall(fact.question, tokens=TOKENS).hits
        held = next((hit for hit in hits if hit.id == fact.id), None)
        if held is None or held.status != "active":
            breaches.append(f"{fact.id} of the user no longer holds")
        breaches += [f"{fact.id} gave way to {hit.id}" for hit in hits if hit.id == fact.id and hit.heir in ids]
    return breaches
