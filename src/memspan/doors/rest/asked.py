"""One call that came in: who calls, whose memory is meant, and whether that is allowed."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Query, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from memspan.core.ids import check_scope
from memspan.doors.rest.answers import Act, Call
from memspan.doors.rest.bodies import ScopeName
from memspan.doors.rest.door import Door
from memspan.doors.rest.keys import Key, Right
from memspan.text.memory import Memory

if TYPE_CHECKING:
    from opentelemetry.trace import Span

CALLER = "memspan.caller"
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that may be made. scope: whose memory;  caller: id of the key, "" where there are none"""

    door: Door
    scope: str
    caller: str

    @contextmanager
    def memory(self, verb: str) -> Iterator[tuple[Memory, "Span | None"]]:
        """The memory it is about, inside a span of that verb."""
        with self.door.spans.span(verb) as span, self.door.memories.of(self.scope) as memory:
            yield memory, span

    def once(self, verb: str, name: str | None, body: BaseModel, act: Act) -> Response:
        """What `act` answers; where the call has a name (its Idempotency-Key), it is done once."""
        if name is None:
            status, told = act(self.door.clock())
            return Response(told, status, media_type="application/json")
        call = Call(self.caller, self.scope, verb, name, body.model_dump_json().encode())
        return self.door.answers.once(call, act)


def _needing(right: Right) -> Callable[[Request, str], Awaitable[Asked]]:
    async def asked(request: Request, scope: Annotated[ScopeName, Query()]) -> Asked:
        key: Key | None = request.scope.get(CALLER)
        clean = check_scope(scope)
        if key is not None and not (key.opens(clean) and right in key.rights):
            raise HTTPException(403, "this key does not open that scope, or may not do that there")
        return Asked(request.app.state.door, clean, NOBODY if key is None else key.id)

    return asked


Reading = Annotated[Asked, Depends(_needing("read"))]
Writing = Annotated[Asked, Depends(_needing("write"))]
Forgetting = Annotated[Asked, Depends(_needing("forget"))]
Name = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A name of yours for this call: sent again with the same body, nothing is done twice. Kept a day.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="The ETag of the item as you know it; else 412."),
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000, description="304 where it is that.")]
