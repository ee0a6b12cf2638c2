"""standing-syn: wishes that hold from now on, in many shapes, buried in small talk; questions share no word with them.

Source: written for memspan, by hand, before the rules that read them were widened; free to use like the rest of it.
A case is one chat of sessions in order of time; a question is asked at its end and its gold is the one turn whose wish
bears on the answer. Categories: `dev` and `test` are halves by hash of the wish (rules are made on the first alone),
`other` holds wishes in German and French, which the English rules are not asked to read.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from random import Random
from typing import Any

from memspan.bench.cases import Case, DataSet, Found, Question, Unit

CHATS = 8
SESSIONS = 40
TURNS = 10  # exchanges a session
_START = 1_735_812_000.0  # 2025-01-02
_DAY = 86_400.0


def wishes() -> list[dict[str, str]]:
    """Every wish with its question: `wish`, `question`, and `lang` where it is not English."""
    return list(_material()["wishes"])


def half(wish: str) -> str:
    """Which half of the set a wish belongs to.

    >>> half("Call me Sam.")
    'test'
    """
    return "dev" if sha256(wish.encode()).digest()[0] % 2 == 0 else "test"


def _material() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files(__package__) / "standing-syn.json").read_text("utf-8"))
    return found


def read(found: Found) -> Iterator[Case]:
    """The chats; they are made, so no file is read."""
    material = _material()
    for chat in range(CHATS):
        yield _case(chat, material["wishes"][chat::CHATS], material["talk"])


def _case(chat: int, wanted: list[dict[str, str]], talk: list[list[str]]) -> Case:
    random = Random(chat)  # noqa: S311  a reproducible chat, no secret
    slots = random.sample(range(SESSIONS * TURNS), len(wanted))
    buried = dict(zip(slots, wanted, strict=True))
    units: list[Unit] = []
    questions: list[Question] = []
    for slot in range(SESSIONS * TURNS):
        chatter = random.sample(talk, random.randint(1, 4))
        said, reply = " ".join(line for line, _ in chatter), " ".join(line for _, line in chatter)
        if slot in buried:  # every third wish comes behind something else
            questions.append(_question(buried[slot], len(units)))
            said, reply = buried[slot]["wish"], "Of course."
            if len(questions) % 3 == 0:
                said = f"{chatter[0][0]} {said}"
        units.append(_unit(len(units), "user", said, slot))
        units.append(_unit(len(units), "assistant", reply, slot))
    return Case(f"chat-{chat}", units, [replace(one, visible=len(units)) for one in questions])


def _unit(number: int, role: Any, text: str, slot: int) -> Unit:
    session = slot // TURNS
    return Unit(f"u{number}", text, role, role, f"s{session}", _START + session * _DAY + number)


def _question(one: dict[str, str], place: int) -> Question:
    category = "other" if "lang" in one else half(one["wish"])
    return Question(
        id=f"q{place}", text=one["question"], gold=frozenset([f"u{place}"]), visible=place + 1, category=category
    )


SETS = (DataSet(name="standing-syn", family="", metric="T1000", parts={}, read=read),)
