"""Routes: what there is, what happened, and taking it back."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from memspan.core.budget import Budget
from memspan.core.changes import Event
from memspan.core.errors import UnknownId
from memspan.core.records import Record, Turn
from memspan.doors import fields
from memspan.doors.rest import bodies, shapes, strict
from memspan.doors.rest.asked import Name, Reading, Writing
from memspan.doors.rest.bodies import ReflectBody, UndoBody
from memspan.doors.rest.replies import as_bytes, reply
from memspan.doors.rest.spans import tell
from memspan.text.memory import Memory

router = strict.router()
MOST_A_PAGE = 500
MOST_WORDS_CHARS = 1000
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="At most so many.")]
After = Annotated[bodies.Name, Query(description="`next` of the page before.")]
When = Annotated[bodies.Written | None, Query(description="ISO 8601.")]
Newest = Annotated[bool, Query(description="The last written first.")]


@router.get("/turns", response_model=shapes.Turns)
def turns(
    asked: Reading,
    session: Annotated[bodies.Name | None, Query()] = None,
    after: After = "",
    limit: Limit = 50,
    newest: Newest = False,
) -> Response:
    """Turns in the order they were written, each with what has become of it."""
    with asked.memory("turns") as (memory, _):
        found = list(memory.turns(session=session, after=after, limit=limit + 1, newest=newest))
        page = found[:limit]
        told = list(_with_states(memory, page))
    return reply({"turns": told, "next": page[-1].id if found[limit:] else None})


def _with_states(memory: Memory, items: Iterable[Turn | Record]) -> Iterator[fields.Fields]:
    """The items that are still there; another call may have forgotten one meanwhile."""
    for one in items:
        with suppress(UnknownId):
            yield fields.of_item(*memory.item(one.id))


@router.get("/records", response_model=shapes.Records)
def records(
    asked: Reading,
    kind: Annotated[bodies.Name | None, Query()] = None,
    source: Annotated[bodies.Name, Query(description="Only what cites this turn.")] = "",
    after: After = "",
    limit: Limit = 50,
) -> Response:
    """Records in the order they were written, each with what has become of it."""
    with asked.memory("records") as (memory, _):
        citing = [record for record in memory.records(kind) if not source or source in record.sources]
        found = _behind(citing, after)
        page = found[:limit]
        told = list(_with_states(memory, page))
    return reply({"records": told, "next": page[-1].id if found[limit:] else None})


def _behind(found: list[Record], after: str) -> list[Record]:
    """What comes after the record of that id. Raises UnknownId."""
    if not after:
        return found
    place = next((at for at, record in enumerate(found) if record.id == after), None)
    if place is None:
        raise UnknownId(after)
    return found[place + 1 :]


@router.get("/links", response_model=shapes.Links)
def links(
    asked: Reading,
    about: Annotated[bodies.Name, Query(description="Only those from or to this turn or record.")] = "",
    kind: Annotated[bodies.Name, Query(description="Only of these kinds, joined by commas.")] = "",
    without: Annotated[bodies.Name, Query(description="None of these kinds, joined by commas.")] = "",
) -> Response:
    """Edges between items."""
    wanted, unwanted = _named(kind), _named(without)
    with asked.memory("links") as (memory, _):
        found = [
            fields.of_link(link)
            for link in memory.links()
            if (not about or about in (link.source, link.target))
            and (not wanted or link.kind in wanted)
            and link.kind not in unwanted
        ]
    return reply({"links": found})


def _named(words: str) -> set[str]:
    return set(words.split(",")) - {""}


@router.get("/sessions", response_model=shapes.Sessions)
def sessions(asked: Reading) -> Response:
    """Names of the sessions, in the order they began."""
    with asked.memory("sessions") as (memory, _):
        return reply({"sessions": memory.sessions()})


@router.get("/stats", response_model=shapes.Stats)
def stats(asked: Reading) -> Response:
    """How much there is."""
    with asked.memory("stats") as (memory, _):
        return reply(fields.of_stats(memory.stats()))


@dataclass(frozen=True, slots=True)
class Which:
    """Which changes are asked for."""

    since: When = None
    until: When = None
    about: Annotated[str, Query(max_length=MOST_WORDS_CHARS, description="Only what has all these words.")] = ""
    what: Annotated[bodies.Name, Query(description="Only these, joined by commas, like superseded,corrected.")] = ""

    def of(self, memory: Memory) -> list[Event]:
        """Those, the oldest first."""
        wanted = _named(self.what)
        found = memory.changes(since=self.since, until=self.until, about=self.about)
        return [event for event in found if not wanted or event.what in wanted]


@router.get("/changes", response_model=shapes.Changes)
def changes(
    asked: Reading,
    which: Annotated[Which, Depends()],
    after: Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before.")] = 0,
    limit: Limit = 50,
    newest: Newest = False,
) -> Response:
    """What was added, superseded, corrected or forgotten, the oldest first. `after` counts events."""
    with asked.memory("changes") as (memory, _):
        found = which.of(memory)
    if newest:
        found.reverse()
    page, end = found[after : after + limit], after + limit
    return reply({"events": [fields.of_event(event) for event in page], "next": end if found[end:] else None})


@router.post("/undo", response_model=shapes.Undone)
def undo(asked: Writing, body: UndoBody | None = None, name: Name = None) -> Response:
    """Take the last call that changed something back, or the one of that number."""
    told = body or UndoBody()

    def act(_moment: float) -> tuple[int, bytes]:
        with asked.memory("undo") as (memory, _):
            return 200, as_bytes(fields.of_undone(memory.undo(told.operation)))

    return asked.once("undo", name, told, act)


@router.post("/reflect", response_model=shapes.Reflected)
def reflect(asked: Writing, body: ReflectBody | None = None) -> Response:
    """Consolidate what is new: episodes, entities, duplicates, what replaces what."""
    seconds = bodies.USUAL_SECONDS if body is None or body.seconds is None else body.seconds
    with asked.memory("reflect") as (memory, span):
        done = memory.reflect(budget=Budget(seconds=seconds))
        tell(span, turns=done.turns, finished=done.finished)
    return reply(fields.of_reflected(done))


@router.get("/brief", response_model=shapes.Brief)
def brief(
    asked: Reading, tokens: Annotated[int, Query(ge=0, le=bodies.MOST_TOKENS)] = 600, now: When = None
) -> Response:
    """What matters now, for the beginning of a session."""
    with asked.memory("brief") as (memory, span):
        found = memory.brief(tokens=tokens, now=now)
        tell(span, lines=len(found.items), tokens=found.cost.tokens)
    return reply(fields.of_brief(found, asked.scope))


@router.get("/due", response_model=shapes.Dues)
def due(asked: Reading, now: When = None) -> Response:
    """Reminders whose time has come."""
    with asked.memory("due") as (memory, _):
        return reply({"due": [fields.of_due(one) for one in memory.due(now)]})
