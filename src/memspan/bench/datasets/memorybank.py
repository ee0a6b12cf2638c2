"""MemoryBank: ten days of talk with a companion for each of 15 people, and probing questions; nothing is labelled.

Source: Zhong et al. 2023, "MemoryBank: Enhancing Large Language Models with Long-Term Memory", arXiv:2305.10250.
No answer and no evidence is given, so nothing is scored: it is there to run a system over.
A unit is one side of an exchange; a day is a session. The two files name the same people, sometimes with a blank.
"""

import re
from collections.abc import Iterator

from memspan.bench.cases import Case, DataSet, Fields, Found, Question, Sniff, Unit
from memspan.bench.datasets._text import clean, stamp
from memspan.bench.files import records
from memspan.core.records import Role

_LISTS = re.compile(r'\s*\{\s*"[^"]+"\s*:\s*\[\s*"')
_ELSE = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*[^\s\[]')


def _said(talk: list[Fields]) -> Iterator[tuple[Role, str]]:
    for exchange in talk:
        yield "user", clean(exchange["query"])
        yield "assistant", clean(exchange["response"])


def _units(history: Fields) -> list[Unit]:
    units: list[Unit] = []
    for number, (date, talk) in enumerate(sorted(history.items())):
        for role, text in _said(talk):
            if text:
                units.append(Unit(f"u{len(units)}", text, role, role, f"s{number}", stamp(date)))
    return units


def read(found: Found) -> Iterator[Case]:
    """One case a person."""
    asked = {name.strip(): rows for path in found["questions"] for name, rows in records(path)[0].items()}
    people = {name.strip(): person for path in found["histories"] for name, person in records(path)[0].items()}
    for name, person in people.items():
        units = _units(person["history"])
        questions = [
            Question(id=f"q{n}", text=clean(text), gold=frozenset(), visible=len(units))
            for n, text in enumerate(asked.get(name, ()))
        ]
        yield Case(name, units, questions)


def _by_name(seen: Sniff) -> bool:
    """One object of lists of texts, and nothing else: the file has no field names, its keys are people."""
    return _LISTS.match(seen.text) is not None and _ELSE.search(seen.text) is None


SETS = (
    DataSet(
        name="memorybank",
        family="",
        metric="R@10",
        parts={
            "histories": lambda seen: seen.has("name", "history", "query", "response", "personality"),
            "questions": _by_name,
        },
        read=read,
    ),
)
