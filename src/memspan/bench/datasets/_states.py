"""What the generated worlds share: a log of units as it is written, small talk, and how a moment is put in words."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from random import Random

from memspan.bench.cases import Unit
from memspan.core.records import Role

START = 1_735_812_000.0
"""2025-01-02 10:00 UTC."""
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


def draws(*name: object) -> Random:
    """Random choices that are the same for the same name, on every machine."""
    return Random("/".join(map(str, name)))  # noqa: S311  a reproducible world, no secret


def small_talk(draw: Random) -> tuple[str, str]:
    """What somebody says about nothing in particular, hardly ever the same twice, and a reply."""
    drawn = draw.sample(_talk(), draw.randint(1, 3))
    return " ".join(said for said, _ in drawn), drawn[-1][1]


@cache
def _talk() -> Sequence[tuple[str, str]]:
    found = json.loads((files(__package__) / "standing-syn.json").read_text("utf-8"))
    return [(said, reply) for said, reply in found["talk"]]


def on_day(at: float) -> str:
    """A moment in words.

    >>> on_day(START)
    '10:00 on 2 January 2025'
    """
    when = datetime.fromtimestamp(at, UTC)
    return f"{when:%H:%M} on {when.day} {when:%B} {when.year}"


class Log:
    """Units in the order in which they are said; ids are positions."""

    def __init__(self) -> None:
        self.units: list[Unit] = []

    def say(self, text: str, at: float, *, speaker: str = "", role: Role = "user", session: str = "") -> str:
        """Put down a unit: its id. at: [s], not before the unit before it"""
        unit = Unit(f"u{len(self.units)}", text, speaker, role, session, at)
        self.units.append(unit)
        return unit.id
