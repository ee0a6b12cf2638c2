"""What consolidation stages have in common: order of turns, ids of derived records, and what need not be made again.

A stage sorts turns into groups, each with a key. The id of a group's record is a hash of (scope, kind, key), so the
same group finds the same record; `payload["of"]` is a digest of what the record stands on, so a group whose digest
is known is left alone. A record's text holds words of its sources only: dropping the records that cite a forgotten
turn drops every word of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from memspan.core.records import Json, Link, Record, Turn

RECIPE = "extractive"
CITED = 100
"""The most turns that one record cites; `payload["turns"]` says of how many."""

Trust = Callable[[Turn], float]

# not strftime's, which follow the locale of the process: the same turns give the same text everywhere
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def full_trust(turn: Turn) -> float:
    """1 for every turn."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What every stage is told beside the turns.

    scope: whose memory;  trust: of a turn [0..1]
    states: turn id -> any text; a change of it makes the turn's groups be derived anew
    known: record id -> `payload["of"]` of the records that stand; those are not given again
    """

    scope: str
    trust: Trust = full_trust
    states: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    def digest(self, turns: Iterable[Turn], *more: str) -> str:
        """32 hex characters of the turns in their order, what became of them, and how far they are trusted."""
        parts = (part for turn in turns for part in (turn.id, self.states.get(turn.id, ""), repr(self.trust(turn))))
        return digest([*parts, *more])

    def least_trust(self, turns: Iterable[Turn]) -> float:
        """The trust of the least trusted of the turns [0..1]: nothing derived is worth more than its sources."""
        return min(map(self.trust, turns))


class Derived(NamedTuple):
    """What a stage gives.

    records: new ones, and ones whose group changed (same id, other `payload["of"]`)
    links: all links that should stand among the stage's records
    standing: record id -> digest of every group there is; a record of the stage's kinds that is not here has no
        group any more
    """

    records: list[Record]
    links: list[Link]
    standing: dict[str, str]


class Line(NamedTuple):
    """A sentence as it was said. turn: id of the turn;  who: its speaker, or its role;  at: when [s]"""

    turn: str
    who: str
    at: float | None
    text: str


def digest(parts: Iterable[str]) -> str:
    """32 hex characters of texts in their order; no two lists of texts share one by how they are cut."""
    total = blake2b(digest_size=16, person=b"memspan.of")
    for part in parts:
        raw = part.encode()
        total.update(len(raw).to_bytes(8, "little") + raw)
    return total.hexdigest()


def record_id(scope: str, kind: str, group: str) -> str:
    """21 characters, the same for the same group.

    >>> record_id("alice", "day", "2024-06-01")
    'r07a72e0f3e8ec2a2df05'
    """
    return "r" + digest([scope, kind, group])[:20]


def in_order(turns: Sequence[Turn]) -> list[Turn]:
    """Turns by time; at the same time by session, then as they came. One without a time stays behind its session's
    last one that has one; those of sessions without any time come last.
    """
    last: dict[str, float] = {}
    keys: list[tuple[bool, float, str, int]] = []
    for place, turn in enumerate(turns):
        if turn.at is not None:
            last[turn.session] = turn.at
        moment = last.get(turn.session)
        keys.append((moment is None, moment or 0.0, turn.session, place))
    return [turns[key[3]] for key in sorted(keys)]


def who(turn: Turn) -> str:
    """Who said it, on one line: the speaker, or the role where there is none."""
    return " ".join(turn.speaker.split()) or turn.role


def written(line: Line) -> str:
    """A line of a record's text.

    >>> written(Line("t1", "Ann", None, "I moved."))
    'Ann: I moved.'
    """
    return f"{line.who}: {line.text}"


def lines_in(record: Record) -> list[Line]:
    """The lines that a record shows, read back from its text and payload."""
    texts = record.text.split("\n")[1:]
    return [
        Line(turn, name, at, text[len(name) + 2 :])
        for text, (turn, name, at) in zip(texts, record.payload["lines"], strict=True)
    ]


def span(times: Iterable[float | None]) -> tuple[float | None, float | None]:
    """The first and the last of the times that are known.

    >>> span([3.0, None, 1.0])
    (1.0, 3.0)
    """
    known = [at for at in times if at is not None]
    return (min(known), max(known)) if known else (None, None)


def moment(at: float) -> datetime:
    """The time as a datetime in UTC."""
    return _EPOCH + timedelta(seconds=at)


def day_name(at: float) -> str:
    """A date for people.

    >>> day_name(1683554160.0)
    '8 May 2023'
    """
    return f"{day_and_month(at)} {moment(at).year}"


def day_and_month(at: float) -> str:
    """A date for people where the year is clear.

    >>> day_and_month(1683554160.0)
    '8 May'
    """
    when = moment(at)
    return f"{when.day} {MONTHS[when.month - 1][:3]}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names as people list them.

    >>> listed(["Ann", "Bob", "Cy"]), listed(["a", "b", "c"], most=2)
    ('Ann, Bob and Cy', 'a, b and 1 more')
    """
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "turn"), counted(2000, "turn")
    ('1 turn', '2,000 turns')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shown(lines: Sequence[Line]) -> list[Json]:
    """Lines as a payload holds them: [turn id, who, at], one for each line of the record's text after its first."""
    return [[line.turn, line.who, line.at] for line in lines]
