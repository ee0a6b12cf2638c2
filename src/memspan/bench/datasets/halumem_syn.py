"""halumem-syn: what a user says of themselves and of others, beside guesses and hypotheses that are not to be believed.

Source: after HaluMem (MemTensor 2025, "HaluMem: Evaluating Hallucinations in Memory Systems of Agents",
arXiv:2511.03506, sections 3 and 4): memory points of primary, secondary and interference sources, some of them updates.
People, facts and sentences are ours, and points are compared as (subject, attribute, value) instead of by a judge. A
figure made with it is no score of that benchmark.
A case is one user over many sessions. Gold: the turn that says what holds. Stale: the user's earlier word. Negatives:
the assistant's guesses and the user's own "if I ...". Categories: "basic" (said once), "other people", "update",
"conflict" (somebody guessed otherwise later), and "boundary", where only a guess exists and nothing is known.
`points` gives the same facts for bench/operations.py, which asks what a system derives from them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from random import Random
from typing import Literal

from memspan.bench.cases import Case, DataSet, Fields, Found, Question
from memspan.bench.datasets._states import DAY_S, MINUTE_S, START, Log, draws, small_talk

CASES = 6
SESSIONS = 24
CHATTER = 12
"""Exchanges of small talk in a session."""
EACH = 6
"""Questions of a category in a case, at most."""
_USERS = ("Sam", "Tess", "Uwe", "Vera", "Will", "Xenia")
_OTHERS = (("My sister", "my sister"), ("Nora", "Nora"))
_OPENERS = ("", "Things have changed: ", "News: ", "As of this week: ")
_REPLIES = ("I see.", "Thanks for telling me.", "Good to know.", "Noted.")

Kind = Literal["primary", "secondary", "interference"]


@dataclass(frozen=True, slots=True)
class Point:
    """A fact that is said, or seems to be.

    subject: "I" or somebody else, as the user calls them;  kind: about the user, about another, or not to be believed
    before: the value it replaces, empty where it replaces none;  unit: id of the turn;  importance: [0..1]
    """

    subject: str
    attribute: str
    value: str
    kind: Kind
    unit: str
    session: str
    importance: float
    before: str = ""


@dataclass(frozen=True, slots=True)
class _Planned:
    """What will be said in a session. guessed: by the assistant;  before: the value it replaces"""

    session: int
    subject: str
    attribute: str
    value: str
    kind: Kind
    text: str
    guessed: bool = False
    before: str = ""


@cache
def attributes() -> Mapping[str, Fields]:
    """What can be said of somebody, by name."""
    found = json.loads((files(__package__) / "halumem-syn.json").read_text("utf-8"))["attributes"]
    return {one["attribute"]: one for one in found}


def read(found: Found) -> Iterator[Case]:
    """The users; they are made, so no file is read."""
    for number in range(CASES):
        yield _case(number)[0]


def points() -> Iterator[tuple[Case, Sequence[Point]]]:
    """Each case with the facts that its turns state."""
    for number in range(CASES):
        yield _case(number)


def _case(number: int) -> tuple[Case, list[Point]]:
    draw, user = draws("halumem-syn", number), _USERS[number]
    planned = [one for subject in ("I", *(name for name, _ in _OTHERS)) for one in _life(subject, draw)]
    log = Log()
    said = _told(log, sorted(planned, key=lambda one: one.session), user, draw)
    questions = list(_questions(said, user, draw))
    at = START + SESSIONS * DAY_S
    numbered = [replace(one, id=f"q{n}", visible=len(log.units), at=at) for n, one in enumerate(questions)]
    return Case(f"user-{number}", log.units, numbered), said


def _life(subject: str, draw: Random) -> Iterator[_Planned]:
    """What is said of somebody: most attributes, some changed later; guesses and hypotheses, some without any truth."""
    kind: Kind = "primary" if subject == "I" else "secondary"
    for name, one in attributes().items():
        first, second, wrong = draw.sample(one["values"], 3)
        known, changes, misled = draw.random() < 0.75, draw.random() < 0.35, draw.random() < 0.55
        wordings = [text.replace("{who}", subject) for text in one["mine" if subject == "I" else "theirs"]]
        early, late = draw.randrange(SESSIONS // 2), draw.randrange(SESSIONS // 2, SESSIONS)
        if known:
            yield _Planned(early, subject, name, first, kind, draw.choice(wordings).format(first))
            if changes:
                text = f"{draw.choice(_OPENERS)}{draw.choice(wordings).format(second)}"
                yield _Planned(late, subject, name, second, kind, text, before=first)
        if misled and subject == "I":
            guessed = draw.random() < 0.5
            text = one["guess" if guessed else "imagined"].format(wrong)
            yield _Planned(draw.randrange(SESSIONS), subject, name, wrong, "interference", text, guessed)


def _told(log: Log, planned: Sequence[_Planned], user: str, draw: Random) -> list[Point]:
    said: list[Point] = []
    for session in range(SESSIONS):
        moments: list[_Planned | None] = [one for one in planned if one.session == session]
        moments += [None] * CHATTER
        draw.shuffle(moments)
        at, name = START + session * DAY_S, f"s{session}"
        for one in moments:
            remark, reply = small_talk(draw)
            reply = draw.choice(_REPLIES) if one else reply
            mine = one is not None and not one.guessed
            text = f"{one.text}." if one else ""
            ids = (
                log.say(text if mine else remark, at, speaker=user, session=name),
                log.say(
                    reply if mine or not one else text,
                    at + MINUTE_S,
                    speaker="assistant",
                    role="assistant",
                    session=name,
                ),
            )
            if one:
                weight = float(attributes()[one.attribute]["importance"])
                unit = ids[1] if one.guessed else ids[0]
                said.append(Point(one.subject, one.attribute, one.value, one.kind, unit, name, weight, one.before))
            at += 2 * MINUTE_S
    return said


def _questions(said: Sequence[Point], user: str, draw: Random) -> Iterator[Question]:
    """Up to so many of each category, in the order of what was said."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in said:
        groups.setdefault((point.subject, point.attribute), []).append(point)
    asked = [_question(group, user) for group in groups.values()]
    for category in ("basic", "other people", "update", "conflict", "boundary"):
        of = [one for one in asked if one.category == category]
        yield from draw.sample(of, min(EACH, len(of)))


def _question(group: Sequence[Point], user: str) -> Question:
    """What is asked about one attribute of somebody."""
    true = [point for point in group if point.kind != "interference"]
    false = [point for point in group if point.kind == "interference"]
    subject, material = group[0].subject, attributes()[group[0].attribute]
    text = material["ask"] if subject == "I" else material["ask_other"].format(who=dict(_OTHERS)[subject])
    return Question(
        id="",
        text=text,
        gold=frozenset(point.unit for point in true[-1:]),
        visible=0,
        category=_category(subject, true, false),
        answerable=bool(true),
        cluster=material["attribute"],
        answers=tuple(point.value for point in true[-1:]),
        stale=frozenset(point.unit for point in true[:-1]),
        negatives=frozenset(point.unit for point in false),
        reads=_reads(user, subject, material),
    )


def _category(subject: str, true: Sequence[Point], false: Sequence[Point]) -> str:
    if not true:
        return "boundary"
    if len(true) > 1:
        return "update"
    if false and int(false[-1].session[1:]) >= int(true[-1].session[1:]):
        return "conflict"
    return "basic" if subject == "I" else "other people"


def _reads(user: str, subject: str, material: Fields) -> str:
    """How the user says it."""
    wordings = [text.replace("{who}", subject) for text in material["mine" if subject == "I" else "theirs"]]
    spoken = "|".join(dict.fromkeys(re.escape(text.partition("{}")[0]) for text in wordings))
    values = "|".join(map(re.escape, material["values"]))
    return rf"^{user}: (?:{'|'.join(_OPENERS)})(?:{spoken})({values})\b"


SETS = (DataSet(name="halumem-syn", family="", metric="R@10", parts={}, read=read),)
