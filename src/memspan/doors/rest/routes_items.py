"""Routes: turns, and what is known of one of them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from memspan.doors import fields
from memspan.doors.rest.asked import Reading
from memspan.doors.rest.bodies import Id, Name
from memspan.doors.rest.replies import reply

router = APIRouter()
MOST_A_PAGE = 500
Limit = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="At most so many.")]
ItemId = Annotated[Id, Path(description="Of a turn or record.")]


@router.get("/turns")
def turns(
    asked: Reading,
    session: Annotated[Name | None, Query()] = None,
    after: Annotated[Name, Query()] = "",
    limit: Limit = 50,
    newest: Annotated[bool, Query()] = False,
) -> Response:
    """Turns in the order they were written."""
    with asked.memory() as memory:
        found = list(memory.turns(session=session, after=after, limit=limit + 1, newest=newest))
    page = found[:limit]
    more = page[-1].id if len(found) > limit else None
    return reply({"turns": [fields.of_turn(turn) for turn in page], "next": more})


@router.get("/items/{id:path}")
def item(asked: Reading, id: ItemId) -> Response:
    """A turn or record, and what has become of it."""
    with asked.memory() as memory:
        return reply(fields.of_item(*memory.item(id)))
