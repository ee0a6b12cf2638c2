"""Days, weeks and months over episodes, each in sentences of what lies below it.

Source: TiMem, TiMEM-AI/timem (levels session, day, week, month; a parent's span covers its children's; closing a
window twice changes nothing).
Ours differs: extractive; calendar windows in UTC (ISO weeks) in place of 24, 168 and 720 hours. A week can cross two
months, so a day has two parents, its week and its month, and a month is made from days.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from memspan.core.clock import EARLIEST
from memspan.core.records import ROLES, Link, Record
from memspan.text.consolidate.derived import (
    CITED,
    MONTHS,
    RECIPE,
    WEEKDAYS,
    Basis,
    Derived,
    Line,
    counted,
    day_and_month,
    day_name,
    digest,
    lines_in,
    listed,
    moment,
    record_id,
    shown,
    span,
    written,
)
from memspan.text.consolidate.summarise import choose, topics

KINDS = ("day", "week", "month")
DAY_S = 86400.0
TOKENS = {"day": 240, "week": 320, "month": 400}


def tree(episodes: Sequence[Record], basis: Basis) -> Derived:
    """Day, week and month records over all episodes of a scope, the links parent (child to parent), and next between
    neighbours in time. Episodes without a time stay out of the tree, but not out of the order.

    episodes: all of the scope that stand, in any order; `basis.trust` and `basis.states` are not read, since an
        episode carries both
    """
    derived = Derived([], [], {})
    ordered = sorted(episodes, key=lambda record: (record.valid_from is None, record.valid_from or 0.0, record.id))
    _join(ordered, derived)
    days = _level("day", ordered, day_key, basis, derived)
    _level("week", days, week_key, basis, derived)
    _level("month", days, month_key, basis, derived)
    known = basis.known
    return derived._replace(records=[r for r in derived.records if known.get(r.id) != r.payload["of"]])


def day_key(at: float) -> str:
    """The UTC day.

    >>> day_key(1683554160.0), week_key(1683554160.0), month_key(1683554160.0)
    ('2023-05-08', '2023-W19', '2023-05')
    """
    return moment(at).date().isoformat()


def week_key(at: float) -> str:
    """The ISO week."""
    year, week, _ = moment(at).isocalendar()
    return f"{year:04d}-W{week:02d}"


def month_key(at: float) -> str:
    """The UTC month."""
    return day_key(at)[:7]


def _level(
    kind: str, children: Iterable[Record], key: Callable[[float], str], basis: Basis, derived: Derived
) -> list[Record]:
    groups: dict[str, list[Record]] = {}
    for child in children:
        if child.valid_from is not None:
            groups.setdefault(key(child.valid_from), []).append(child)
    level = [_window(kind, group, below, basis) for group, below in groups.items()]
    for record, below in zip(level, groups.values(), strict=True):
        derived.records.append(record)
        derived.standing[record.id] = record.payload["of"]
        derived.links.extend(Link(source=child.id, target=record.id, kind="parent") for child in below)
    _join(level, derived)
    return level


def _join(ordered: Sequence[Record], derived: Derived) -> None:
    derived.links.extend(Link(source=one.id, target=other.id, kind="next") for one, other in pairwise(ordered))


def _window(kind: str, group: str, children: Sequence[Record], basis: Basis) -> Record:
    found = [line for child in children for line in lines_in(child)]
    said = choose(found, TOKENS[kind])
    first, last = span(at for child in children for at in (child.valid_from, child.valid_to))
    assert first is not None  # a child without a time is in no group
    speakers = list(dict.fromkeys(line.who for line in said))
    about = topics(said, without=speakers)
    turns = sum(child.payload["turns"] for child in children)
    title = ", ".join(
        part
        for part in (
            listed(speakers),
            f"{counted(turns, 'turn')} in {counted(len(children), 'episode' if kind == 'day' else 'day')}",
            f"about {listed(about)}" if about else "",
        )
        if part
    )
    return Record(
        id=record_id(basis.scope, kind, group),
        kind=kind,
        text="\n".join([f"{_name(kind, first)}: {title}", *(_dated(kind, line) for line in said)]),
        sources=tuple(dict.fromkeys(line.turn for line in said))[:CITED] or children[0].sources[:1],
        entities=tuple(speaker for speaker in speakers if speaker not in ROLES),
        valid_from=first,
        valid_to=last,
        trust=min(child.trust for child in children),
        recipe=RECIPE,
        payload={
            "group": group,
            "of": digest(part for child in children for part in (child.id, child.payload["of"])),
            "turns": turns,
            "about": about,
            "lines": shown(said),
        },
    )


def _name(kind: str, first: float) -> str:
    when = moment(first)
    if kind == "month":
        return f"{MONTHS[when.month - 1]} {when.year}"
    if kind == "day":
        return f"{WEEKDAYS[when.weekday()]} {day_name(first)}"
    return f"Week of {day_name(max(EARLIEST, first - when.weekday() * DAY_S))}"


def _dated(kind: str, line: Line) -> str:
    if kind == "day" or line.at is None:
        return written(line)
    return f"{day_and_month(line.at)}, {written(line)}"
