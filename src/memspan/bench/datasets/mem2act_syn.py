"""mem2act-syn: a call of a tool whose parameters were said sessions earlier, by one of two people, and perhaps changed.

Source: after Mem2ActBench (2026), as described in its abstract: an under-specified request, whose parameters have to
come from memory. The tools, people and sentences are ours, and so is the scoring. A figure made with it is no score of
that benchmark.
A case is a household: two people talk to one assistant, session after session, mostly about nothing. Each has habits
for twelve tools, of three parameters each; some change later, and then the later word holds. The request names the tool
and leaves the parameters out ("book the usual flight"). Gold: the turns that say what holds, one a parameter. Stale:
what the same person said before. Negatives: what anybody else prefers, said by the other person or about a third.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from random import Random

from memspan.bench.cases import Case, DataSet, Fields, Found, Question
from memspan.bench.datasets._states import DAY_S, MINUTE_S, START, Log, draws, small_talk
from memspan.bench.use import said

CASES = 6
SESSIONS = 40
CHATTER = 6
"""Exchanges of small talk in a session."""
CHANGED = 0.3
_PEOPLE = ("Ann", "Boris", "Carla", "Dario", "Edda", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Luis")
_KIN = ("sister", "brother", "neighbour", "colleague", "cousin", "flatmate")
_OPENERS = ("", "By the way: ", "You should know: ", "For later: ")
_CHANGES = ("From now on it is different: ", "I have changed my mind: ", "That is over, now: ", "New habit: ")
_REPLIES = ("Noted.", "Good to know.", "I will remember that.", "All right.")


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something a tool has to be told.

    habits: how somebody says it of themselves, {} = the value;  they: the same said of somebody else, after their name
    """

    name: str
    values: tuple[str, ...]
    habits: tuple[str, ...]
    they: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with its parameters. ask: the request, without any of them"""

    name: str
    ask: str
    parameters: tuple[Parameter, ...]


@cache
def tools() -> tuple[Tool, ...]:
    """The tools, in the order of their file."""
    found = json.loads((files(__package__) / "mem2act-syn.json").read_text("utf-8"))["tools"]
    return tuple(Tool(one["name"], one["ask"], tuple(map(_parameter, one["parameters"]))) for one in found)


def _parameter(one: Fields) -> Parameter:
    return Parameter(one["name"], tuple(one["values"]), tuple(one["habits"]), one["they"])


@dataclass(frozen=True, slots=True)
class Habit:
    """What somebody says at some point. session: when;  spoken: the words;  of: (speaker, tool, parameter)"""

    session: int
    speaker: str
    spoken: str
    of: tuple[str, str, str]
    value: str
    holds: bool


def read(found: Found) -> Iterator[Case]:
    """The households; they are made, so no file is read."""
    for number in range(CASES):
        yield _case(number)


def _case(number: int) -> Case:
    draw = draws("mem2act-syn", number)
    people = (_PEOPLE[2 * number], _PEOPLE[2 * number + 1])
    habits = [one for person in people for tool in tools() for one in _habits(person, tool, draw)]
    gossip = [one for tool in draw.sample(tools(), 6) for one in _gossip(people, tool, draw)]
    log = Log()
    ids = _told(log, sorted([*habits, *gossip], key=lambda one: one.session), people, draw)
    asked = [(person, tool) for person in people for tool in tools()]
    questions = [_question(person, tool, ids) for person, tool in asked]
    at = START + SESSIONS * DAY_S
    return Case(f"household-{number}", log.units, [replace(one, visible=len(log.units), at=at) for one in questions])


def _habits(person: str, tool: Tool, draw: Random) -> Iterator[Habit]:
    """What a person says about a tool: each parameter once, some again with another value."""
    for parameter in tool.parameters:
        first, second = draw.sample(parameter.values, 2)
        changes, early = draw.random() < CHANGED, draw.randrange(SESSIONS // 2)
        of = (person, tool.name, parameter.name)
        wording, again = draw.sample(parameter.habits, 2)
        yield Habit(early, person, f"{draw.choice(_OPENERS)}{wording.format(first)}.", of, first, not changes)
        if changes:
            late = draw.randrange(SESSIONS // 2, SESSIONS)
            yield Habit(late, person, f"{draw.choice(_CHANGES)}{again.format(second)}.", of, second, True)


def _gossip(people: Sequence[str], tool: Tool, draw: Random) -> Iterator[Habit]:
    """What one of the people says of a third."""
    speaker, kin = draw.choice(people), draw.choice(_KIN)
    for parameter in tool.parameters:
        value = draw.choice(parameter.values)
        text = f"My {kin} {parameter.they.format(value)}."
        yield Habit(draw.randrange(SESSIONS), speaker, text, (kin, tool.name, parameter.name), value, False)


def _told(log: Log, habits: Sequence[Habit], people: Sequence[str], draw: Random) -> Mapping[str, Habit]:
    """Writes the sessions: small talk, and the habits somewhere in it; by the ids of the units, the habits."""
    ids: dict[str, Habit] = {}
    for session in range(SESSIONS):
        moments: list[Habit | None] = [one for one in habits if one.session == session]
        moments += [None] * CHATTER
        draw.shuffle(moments)
        at, name = START + session * DAY_S, f"s{session}"
        for habit in moments:
            remark, reply = small_talk(draw)
            speaker = habit.speaker if habit else draw.choice(people)
            id = log.say(habit.spoken if habit else remark, at, speaker=speaker, session=name)
            if habit:
                ids[id], reply = habit, draw.choice(_REPLIES)
            log.say(reply, at + MINUTE_S, speaker="assistant", role="assistant", session=name)
            at += 2 * MINUTE_S
    return ids


def _question(person: str, tool: Tool, ids: Mapping[str, Habit]) -> Question:
    mine = {id: one for id, one in ids.items() if one.of[:2] == (person, tool.name)}
    others = {id for id, one in ids.items() if one.of[1] == tool.name and id not in mine}
    held = {one.of[2]: one.value for one in mine.values() if one.holds}
    stale = frozenset(id for id, one in mine.items() if not one.holds)
    third = any(ids[id].of[0] in _KIN for id in others)
    return Question(
        id=f"{person}/{tool.name}",
        text=f"{person} asks: {tool.ask}, with the tool {tool.name}, please.",
        gold=frozenset(id for id, one in mine.items() if one.holds),
        visible=0,
        category=("changed" if stale else "said once") + (", third person" if third else ""),
        cluster=tool.name,
        answers=(said(held),),
        stale=stale,
        negatives=frozenset(others),
        reads="|".join(_reads(person, one) for one in tool.parameters),
    )


def _reads(person: str, parameter: Parameter) -> str:
    """How a parameter is said: by the person themselves, or in a request that leaves nothing out."""
    values = "|".join(map(re.escape, parameter.values))
    wordings = [re.escape(one).replace(r"\{\}", "@") for one in parameter.habits]
    spoken = "|".join(one.partition("@")[0] for one in wordings)
    ends = "|".join(dict.fromkeys(one.partition("@")[2] for one in wordings))
    return rf"(?:^{person}: (?:.*: )?(?:{spoken})|\b{parameter.name} = )(?P<{parameter.name}>{values})(?:{ends}|;|$)"


def in_full(question: Question) -> Question:
    """The same request with its parameters in it: the control, which needs no memory.

    >>> case = next(read({}))
    >>> in_full(case.questions[0]).text
    'Ann asks: book me the usual flight, with the tool book_flight, please. fare = flex; origin = Lyon; seat = window'
    """
    return replace(question, text=f"{question.text} {question.answers[0].replace('=', ' = ')}", stale=frozenset())


SETS = (DataSet(name="mem2act-syn", family="", metric="R@10", parts={}, read=read, protocol="act"),)
