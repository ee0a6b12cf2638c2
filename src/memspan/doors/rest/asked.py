"""One call that came in: who calls, whose memory is meant, and whether that is allowed."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.exceptions import HTTPException

from memspan.core.ids import check_scope
from memspan.doors.rest.bodies import ScopeName
from memspan.doors.rest.door import Door
from memspan.doors.rest.keys import Key, Right
from memspan.text.memory import Memory

CALLER = "memspan.caller"
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that may be made. scope: whose memory;  caller: id of the key, "" where there are none"""

    door: Door
    scope: str
    caller: str

    @contextmanager
    def memory(self) -> Iterator[Memory]:
        """The memory it is about."""
        with self.door.memories.of(self.scope) as memory:
            yield memory


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
