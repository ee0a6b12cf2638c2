"""Routes: one turn or record, and what can be done to it.

An id may hold a '/', so its path goes on to the end; the route without a word behind it comes last.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated

from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from memspan.doors import fields
from memspan.doors.rest import shapes, strict
from memspan.doors.rest.asked import Asked, IfMatch, IfNoneMatch, Name, Reading, Writing
from memspan.doors.rest.bodies import CorrectBody, ExpireBody, Id, ReasonBody
from memspan.doors.rest.replies import as_bytes, reply
from memspan.text.memory import Memory

router = strict.router()
ItemId = Annotated[Id, Path(description="Of a turn or record.")]
Item = shapes.TurnItem | shapes.RecordItem


@router.get("/items/{id:path}/history", response_model=shapes.History)
def history(asked: Reading, id: ItemId) -> Response:
    """All that happened to it, its earlier and its later versions, the oldest first."""
    with asked.memory("history") as (memory, _):
        return reply({"events": [fields.of_event(event) for event in memory.history(id)]})


@router.post("/items/{id:path}/correct", response_model=shapes.Corrected)
def correct(asked: Writing, id: ItemId, body: CorrectBody, tag: IfMatch = None, name: Name = None) -> Response:
    """Put a new version in its place; the old words stay in its history."""

    def act(_moment: float) -> tuple[int, bytes]:
        with asked.memory("correct") as (memory, _), asked.door.alone_on_items():
            _same(memory, id, tag)
            fresh = memory.correct(id, body.text, reason=body.reason, role=body.role)
        return 200, as_bytes({"id": fresh, "replaces": id})

    return asked.once(f"correct {id}", name, body, act)


def _changing(verb: str, does: str, change: Callable[[Memory, str, str], None]) -> None:
    """Add the route of a verb that takes an id and a reason."""

    def route(asked: Writing, id: ItemId, body: ReasonBody | None = None, tag: IfMatch = None) -> Response:
        return _changed(asked, verb, id, tag, lambda memory: change(memory, id, "" if body is None else body.reason))

    route.__doc__ = does
    router.add_api_route(f"/items/{{id:path}}/{verb}", route, methods=["POST"], response_model=Item, name=verb)


_changing("pin", "Keep it when room runs out.", lambda memory, id, _: memory.pin(id))
_changing("unpin", "Let it go for room again.", lambda memory, id, _: memory.pin(id, False))
_changing("hold", "Refuse to forget it.", lambda memory, id, why: memory.hold(id, reason=why))
_changing("release", "Take the hold away.", lambda memory, id, why: memory.release(id, reason=why))
_changing("archive", "Put it out of the way.", lambda memory, id, why: memory.archive(id, reason=why))
_changing("restore", "Bring it back.", lambda memory, id, why: memory.restore(id, reason=why))


@router.post("/items/{id:path}/expire", response_model=Item)
def expire(asked: Writing, id: ItemId, body: ExpireBody, tag: IfMatch = None) -> Response:
    """Hide it from a moment on; the next reflect after it erases it."""
    return _changed(asked, "expire", id, tag, lambda memory: memory.expire(id, body.at))


@router.get(
    "/items/{id:path}",
    response_model=Item,
    responses={200: {"headers": {"ETag": {"schema": {"type": "string"}}}}, 304: {"description": "It is that still."}},
)
def item(asked: Reading, id: ItemId, known: IfNoneMatch = None) -> Response:
    """A turn or record, and what has become of it."""
    with asked.memory("item") as (memory, _):
        found = _shown(memory, id)
    if known is not None and _meets(known, found.headers["etag"]):
        return Response(status_code=304, headers={"etag": found.headers["etag"]})
    return found


def _changed(asked: Asked, verb: str, id: str, tag: str | None, change: Callable[[Memory], None]) -> Response:
    with asked.memory(verb) as (memory, _), asked.door.alone_on_items():
        _same(memory, id, tag)
        change(memory)
        return _shown(memory, id)


def _shown(memory: Memory, id: str) -> Response:
    """The item as it is, with its ETag."""
    raw = as_bytes(fields.of_item(*memory.item(id)))
    tag = f'"{blake2b(raw, digest_size=16).hexdigest()}"'
    return Response(raw, headers={"etag": tag}, media_type="application/json")


def _same(memory: Memory, id: str, tag: str | None) -> None:
    """Raises HTTPException 412 where the item is no longer what the caller knows, UnknownId where there is none."""
    if tag is not None and not _meets(tag, _shown(memory, id).headers["etag"]):
        raise HTTPException(412, "it was changed since; get it again, look, and send its new ETag")


def _meets(told: str, tag: str) -> bool:
    """Whether one of the tags in a header is that.

    >>> _meets('"a", W/"b"', '"b"'), _meets("*", '"b"'), _meets("b", '"b"')
    (True, True, False)
    """
    return any(one.strip().removeprefix("W/") in ("*", tag) for one in told.split(","))
