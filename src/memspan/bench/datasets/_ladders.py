"""What the generated ladders share: names, places, trades and small talk written for memspan, and how a date is put."""

import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from memspan.bench.cases import Unit


@cache
def material(kind: str) -> list[Any]:
    """The words of one kind: first, twins, places, roles, objects, chat.

    >>> material("twins")[0]
    ['Marek', 'Marec']
    """
    found: dict[str, list[Any]] = json.loads((files(__package__) / "ladders.json").read_text("utf-8"))
    return found[kind]


def draws(*name: object) -> Random:
    """Random choices that are the same for the same name, on every machine."""
    return Random("/".join(map(str, name)))  # noqa: S311  a reproducible text, no secret


_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_NTH = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}


def wordings(day: date) -> tuple[str, str, str, str]:
    """The four ways in which a date is written.

    >>> wordings(date(2021, 3, 2))
    ('2 March 2021', 'March 2, 2021', '2021-03-02', 'the 2nd of March 2021')
    """
    month, nth = _MONTHS[day.month - 1], _NTH.get(day.day, "th")
    return (
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        day.isoformat(),
        f"the {day.day}{nth} of {month} {day.year}",
    )


def with_article(thing: str) -> str:
    """With its article.

    >>> with_article("amber brooch")
    'an amber brooch'
    """
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def numbered(texts: Iterable[str]) -> list[Unit]:
    """Units that are nothing but text, with their positions as ids."""
    return [Unit(f"u{place}", text) for place, text in enumerate(texts)]
