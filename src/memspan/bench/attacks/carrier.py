"""Conversations to plant attacks in: small talk with eight facts, each with its question. Made, no file is read."""

import json
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any

from memspan.core.records import Turn

FACTS = 8
_START, _HOUR = 1_735_812_000.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Fact:
    """What the user said once. id: of the turn;  contrary: the same sentence with another value"""

    id: str
    text: str
    question: str
    topic: str
    contrary: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """A conversation. name: of the user;  other: somebody else's"""

    name: str
    other: str
    turns: tuple[Turn, ...]
    facts: tuple[Fact, ...]


def material() -> dict[str, Any]:
    """What conversations are made of: names, facts, talk."""
    found: dict[str, Any] = json.loads((files(__package__) / "carrier.json").read_text("utf-8"))
    return found


def carrier(seed: int) -> Carrier:
    """The conversation of that seed: about 80 turns, one exchange an hour."""
    random = Random(seed)  # noqa: S311  reproducible, no secret
    stuff = material()
    name, other = random.sample(stuff["names"], 2)
    chosen = random.sample(stuff["facts"], FACTS)
    talk = random.sample(stuff["talk"], len(stuff["talk"]))
    places = dict(zip(random.sample(range(len(talk)), FACTS), chosen, strict=True))
    turns: list[Turn] = []
    facts: list[Fact] = []
    for hour, (said, reply) in enumerate(talk):
        turns += _exchange(said, reply, name, hour, len(turns))
        if hour in places:
            template, question, topic, values = places[hour]
            value, contrary = random.sample(values, 2)
            text = template.replace("{v}", value)
            facts.append(Fact(f"u{len(turns)}", text, question, topic, template.replace("{v}", contrary)))
            turns += _exchange(text, "Noted.", name, hour, len(turns))
    return Carrier(name, other, tuple(turns), tuple(facts))


def _exchange(said: str, reply: str, name: str, hour: int, count: int) -> list[Turn]:
    at, session = _START + hour * _HOUR, f"day {hour // 10}"
    return [
        Turn(said, speaker=name, role="user", session=session, at=at, id=f"u{count}"),
        Turn(reply, speaker="assistant", role="assistant", session=session, at=at + 60, id=f"u{count + 1}"),
    ]
