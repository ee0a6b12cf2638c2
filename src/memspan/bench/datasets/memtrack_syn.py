"""memtrack-syn: tickets that change over months, told by a tracker, by commits and by chat, which do not agree.

Source: after MEMTRACK (2025), as described in its abstract: timelines that interleave Slack, Linear and Git events,
with noise, conflicts and cross-references. The world and its sentences are ours. A figure made with it is no score of
that benchmark.
A case is one project: tickets are state machines whose status, owner, due date and priority change in the tracker
(Linear), whose branch changes by commits (Git), and whose customer is only ever told in chat (Slack). Chat also spreads
rumours about the other fields, commits claim a status of their own, and some changes are announced in chat days before
the tracker has them. What holds is what the field's most authoritative source said last: tracker before commit before
chat.
Questions: the value now; the value at an earlier moment (`as_of`); who made the last change; the value where chat or a
commit says otherwise since; the value of a ticket that is named by what it is about. Gold: the event that established
it, and for a ticket named by what it is about the event that says which one that is. Stale: events of the field, from
the same source, that answer otherwise. Negatives: what lesser sources claim otherwise.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from operator import attrgetter
from random import Random

from memspan.bench.cases import Case, DataSet, Found, Question
from memspan.bench.datasets._states import DAY_S, HOUR_S, MINUTE_S, START, Log, draws, on_day, small_talk
from memspan.core.records import Role

CASES = 6
TICKETS = 12
DAYS = 90
EVENTS = 24
"""What happens to a ticket, beside its creation."""
EACH = 5
"""Questions of each category in a case."""
_NAMES = ("PAY", "WEB", "APP", "OPS", "API", "SHOP")
_PEOPLE = ("Ana", "Bruno", "Chen", "Dora", "Emil", "Fatou", "Gita", "Henk")
_ABOUT = (
    *("login loop", "slow export", "broken avatar", "lost invoice", "double mail", "empty cart"),
    *("wrong currency", "stuck upload", "dark mode flicker", "missing footer", "stale cache", "odd redirect"),
)
_STATUS = ("backlog", "todo", "in progress", "in review", "blocked", "done")
_CUSTOMERS = ("Acme", "Borealis", "Cobalt", "Dunlin", "Everest", "Fjord", "Gannet", "Heron")
_PRIORITY = ("low", "medium", "high", "urgent")
_SOURCES = {"status": "linear", "owner": "linear", "due date": "linear", "priority": "linear", "branch": "git"}
_RUMOURS = (
    "I think the {field} of {key} is {value} by now.",
    "Somebody said {key} has {value} as its {field}.",
    "Wait, is the {field} of {key} not {value}?",
)
_ASKED = {
    "status": "What is the status of {what}?",
    "owner": "Who is the owner of {what}?",
    "due date": "What is the due date of {what}?",
    "priority": "What is the priority of {what}?",
    "branch": "Which branch is {what} on?",
    "customer": "Which customer reported {what}?",
}


@dataclass(frozen=True, slots=True)
class Event:
    """That a source gave a field of a ticket a value.

    by: who did it;  at: when it was told [s];  holds: whether it comes from the source that decides
    """

    id: str
    ticket: str
    field: str
    value: str
    by: str
    at: float
    holds: bool


@dataclass(slots=True)
class Project:
    """What happened so far.

    to_come: (at [s], what, ticket), a heap;  about: ticket -> (what it is about, id of the event that says so)
    announced: ticket -> changes that the tracker does not have yet: (field, value, by whom)
    """

    draw: Random
    log: Log = field(default_factory=Log)
    events: list[Event] = field(default_factory=list)
    to_come: list[tuple[float, str, str]] = field(default_factory=list)
    about: dict[str, tuple[str, str]] = field(default_factory=dict)
    announced: dict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))

    def said(self, ticket: str, name: str, *, holds: bool = True, until: float | None = None) -> list[Event]:
        """What was told of a field, oldest first, up to a moment."""
        return [
            one
            for one in self.events
            if (one.ticket, one.field, one.holds) == (ticket, name, holds) and (until is None or one.at <= until)
        ]

    def say(self, text: str, at: float, speaker: str) -> str:
        """Put down what a platform or a person says: its id."""
        role: Role = "tool" if speaker in ("linear", "git") else "user"
        return self.log.say(text, at, speaker=speaker, role=role, session=f"day-{int((at - START) // DAY_S)}")

    def tell(self, text: str, at: float, speaker: str, change: tuple[str, str, str, str], *, holds: bool) -> None:
        """Put down an event. change: (ticket, field, value, by whom)"""
        self.events.append(Event(self.say(text, at, speaker), *change, at, holds))


def read(found: Found) -> Iterator[Case]:
    """The projects; they are made, so no file is read."""
    for number in range(CASES):
        yield _case(number)


def _case(number: int) -> Case:
    project = Project(draws("memtrack-syn", number))
    _live(project, _NAMES[number])
    asked = list(_questions(project))
    units, end = project.log.units, START + (DAYS + 4) * DAY_S
    questions = [replace(one, id=f"q{place}", visible=len(units), at=end) for place, one in enumerate(asked)]
    return Case(f"project-{number}", units, questions)


def _live(project: Project, prefix: str) -> None:
    """Lets everything happen in order of time, on whole minutes."""
    draw, end = project.draw, START + DAYS * DAY_S
    for number in draw.sample(range(10, 100), TICKETS):
        born = START + draw.randrange(20 * 24) * HOUR_S
        moments = [born + draw.random() * (end - born) // MINUTE_S * MINUTE_S for _ in range(EVENTS)]
        project.to_come += [(at, draw.choice(_OFTEN), f"{prefix}-{number}") for at in moments]
        project.to_come.append((born, "a ticket", f"{prefix}-{number}"))
    heapify(project.to_come)
    while project.to_come:
        at, what, ticket = heappop(project.to_come)
        _HAPPENS[what](project, ticket, at)


def _open(project: Project, ticket: str, at: float) -> None:
    """The ticket is created, with a value for every field of the tracker; chat says who reported it."""
    draw, by, about = project.draw, project.draw.choice(_PEOPLE), _ABOUT[len(project.about)]
    project.about[ticket] = (about, project.say(f"{ticket} created by {by}: {about}", at, "linear"))
    for name in ("status", "owner", "due date", "priority"):
        value = _STATUS[0] if name == "status" else _other(draw, name, "")
        change = (ticket, name, value, by)
        project.tell(f"{ticket}: {name} set to {value} by {by}", at, "linear", change, holds=True)
    branch, customer, speaker = _other(draw, "branch", ""), draw.choice(_CUSTOMERS), draw.choice(_PEOPLE)
    text = f"commit: {ticket} is on branch {branch} (author {by})"
    project.tell(text, at, "git", (ticket, "branch", branch, by), holds=True)
    text = f"The {about} was reported by the customer {customer}."
    project.tell(text, at, speaker, (ticket, "customer", customer, speaker), holds=True)


def _change(project: Project, ticket: str, at: float) -> None:
    """The tracker gets a new value."""
    _track(project, ticket, at, _new(project, ticket))


def _announce(project: Project, ticket: str, at: float) -> None:
    """Somebody says in chat what they change; the tracker has it days later."""
    name, value, by = _new(project, ticket)
    text = f"I am giving {ticket} the {name} {value}, the tracker will follow."
    project.tell(text, at, by, (ticket, name, value, by), holds=False)
    project.announced[ticket].append((name, value, by))
    heappush(project.to_come, (at + project.draw.randrange(4, 72) * HOUR_S, "what was announced", ticket))


def _follow(project: Project, ticket: str, at: float) -> None:
    """The tracker gets what was announced."""
    _track(project, ticket, at, project.announced[ticket].pop(0))


def _new(project: Project, ticket: str) -> tuple[str, str, str]:
    """A change to come: (field, value, by whom)."""
    draw = project.draw
    name = draw.choice(("status", "status", "owner", "due date", "priority"))
    return name, _other(draw, name, project.said(ticket, name)[-1].value), draw.choice(_PEOPLE)


def _track(project: Project, ticket: str, at: float, change: tuple[str, str, str]) -> None:
    name, value, by = change
    before = project.said(ticket, name)[-1].value
    text = f"{ticket}: {name} changed from {before} to {value} by {by}"
    project.tell(text, at, "linear", (ticket, name, value, by), holds=True)


def _commit(project: Project, ticket: str, at: float) -> None:
    """The work moves to another branch."""
    before, by = project.said(ticket, "branch")[-1].value, project.draw.choice(_PEOPLE)
    value = _other(project.draw, "branch", before)
    text = f"commit: {ticket} moved from branch {before} to branch {value} (author {by})"
    project.tell(text, at, "git", (ticket, "branch", value, by), holds=True)


def _rumour(project: Project, ticket: str, at: float) -> None:
    """Somebody says in chat what a field is; they may be right."""
    draw = project.draw
    name, speaker = draw.choice(tuple(_SOURCES)), draw.choice(_PEOPLE)
    value, about = _other(draw, name, ""), project.about[ticket][0]
    what = draw.choice((ticket, f"the {about}"))
    text = draw.choice(_RUMOURS).format(field=name, key=what, value=value)
    project.tell(text, at, speaker, (ticket, name, value, speaker), holds=False)


def _claim(project: Project, ticket: str, at: float) -> None:
    """A commit says in passing what the status is."""
    by, value = project.draw.choice(_PEOPLE), project.draw.choice(_STATUS)
    text = f"commit: {ticket} touched, status {value} (author {by})"
    project.tell(text, at, "git", (ticket, "status", value, by), holds=False)


def _talk(project: Project, ticket: str, at: float) -> None:
    """Chat about nothing."""
    remark, _ = small_talk(project.draw)
    project.say(remark, at, project.draw.choice(_PEOPLE))


_HAPPENS: Mapping[str, Callable[[Project, str, float], None]] = {
    "a ticket": _open,
    "change": _change,
    "announcement": _announce,
    "what was announced": _follow,
    "commit": _commit,
    "rumour": _rumour,
    "claim": _claim,
    "talk": _talk,
}
_OFTEN = (*("change",) * 4, "announcement", "commit", "rumour", "rumour", "claim", "talk")


def _other(draw: Random, name: str, before: str) -> str:
    """A value of a field that is not the one before."""
    values: Sequence[str] = {"status": _STATUS, "owner": _PEOPLE, "priority": _PRIORITY}.get(name, ())
    while True:
        if name == "due date":
            value = f"2025-0{draw.randrange(3, 10)}-{draw.randrange(10, 29)}"
        elif name == "branch":
            value = f"{draw.choice(('fix', 'feature', 'spike'))}/{draw.choice(_ABOUT).replace(' ', '-')}"
        else:
            value = draw.choice(values)
        if value != before:
            return value


def _questions(project: Project) -> Iterator[Question]:
    """So many of each category; where a category needs a change or a conflict, from those that have one."""
    draw, fields = project.draw, tuple(_SOURCES)
    pairs = [(ticket, name) for ticket in project.about for name in fields]
    moved = [pair for pair in pairs if len(project.said(*pair)) > 1]
    disputed = [pair for pair in pairs if _disputed(project, *pair)]
    for pair in draw.sample(moved, EACH):
        yield _question(project, pair, "now")
    for pair in draw.sample(moved, EACH):
        said = project.said(*pair)
        place = draw.randrange(len(said) - 1)
        then = said[place].at + draw.random() * (said[place + 1].at - said[place].at) // MINUTE_S * MINUTE_S
        yield _question(project, pair, "as of then", as_of=then)
    for pair in draw.sample(moved, EACH):
        yield _question(project, pair, "who")
    for pair in draw.sample(disputed, EACH):
        yield _question(project, pair, "disputed")
    for pair in draw.sample([*moved, *((ticket, "customer") for ticket in project.about)], EACH):
        yield _question(project, pair, "by what it is about")


def _disputed(project: Project, ticket: str, name: str) -> bool:
    """Whether a lesser source said something else after the last word of the one that decides."""
    last = project.said(ticket, name)[-1]
    return any(one.at > last.at and one.value != last.value for one in project.said(ticket, name, holds=False))


def _question(project: Project, pair: tuple[str, str], category: str, as_of: float | None = None) -> Question:
    ticket, name = pair
    said = project.said(ticket, name, until=as_of)
    last, (about, opened) = said[-1], project.about[ticket]
    named = f"the {about}" if category == "by what it is about" or name == "customer" else ticket
    text = _ASKED[name].format(what=named)
    if category == "who":
        text = f"Who changed the {name} of {ticket} last?"
    elif as_of is not None:
        text = f"{text[:-1].replace(' is ', ' was ', 1)} at {on_day(as_of)}?"
    said_of = attrgetter("by" if category == "who" else "value")
    gold = {last.id} | ({opened} if category == "by what it is about" and name != "customer" else set())
    return Question(
        id="",
        text=text,
        gold=frozenset(gold),
        visible=0,
        category=category,
        cluster=ticket,
        as_of=as_of,
        answers=(said_of(last),),
        stale=frozenset(one.id for one in project.said(ticket, name) if said_of(one) != said_of(last)),
        negatives=frozenset(one.id for one in project.said(ticket, name, holds=False) if one.value != last.value),
        reads=_reads(ticket, name, about, who=category == "who"),
    )


def _reads(ticket: str, name: str, about: str, *, who: bool) -> str:
    """How the source that decides puts the value, or the name of whoever made the change."""
    if name == "customer":
        return rf"The {about} was reported by the customer (\w+)\."
    value, by = (r".+?", r"(\w+)") if who else (r"(.+?)", r"\w+")
    if name == "branch":
        return rf"^commit: {ticket} (?:is on|moved from branch \S+ to) branch {value} \(author {by}\)$"
    return rf"^{re.escape(ticket)}: {name} (?:set|changed from .+?) to {value} by {by}$"


SETS = (DataSet(name="memtrack-syn", family="", metric="MRR", parts={}, read=read, protocol="act"),)
