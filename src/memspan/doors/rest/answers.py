"""Requests that came before: asked again under the same name, the same answer is given and nothing is done twice.

An answer is kept for a day, by key, scope, route and name; of the request a keyed hash. Only answers that hold no
remembered text are kept (ids, numbers), and those of a scope go when something is forgotten in it.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic, sleep

from starlette.exceptions import HTTPException
from starlette.responses import Response

from memspan.core.clock import Clock, now
from memspan.doors.rest.state import State

KEPT_S = 86_400.0
LEASE_S = 60.0
WAIT_S = 5.0
_LOOK_S = 0.02

Act = Callable[[float], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """What is not to be done twice. caller: id of the key;  name: the Idempotency-Key;  body: of the request"""

    caller: str
    scope: str
    route: str
    name: str
    body: bytes

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where its answer stands."""
        return self.caller, self.scope, self.route, self.name


class Answers:
    """The answers in a file. clock: seconds since 1970"""

    def __init__(self, state: State, clock: Clock = now) -> None:
        self._state, self._clock = state, clock

    def once(self, call: Call, act: Act) -> Response:
        """The answer to a call: what `act` makes of it, or what was answered before.

        act: does it, given the moment [s] at which this call was first made: a text that is "said now" stays the same
            turn even where a worker died between writing it and noting the answer
        Raises HTTPException: 422 where the name was used for another body, 409 where the first is still at work.
        """
        last = monotonic() + WAIT_S
        while (found := self._begin(call)) is None:
            if monotonic() > last:
                raise HTTPException(409, "the first call of this name is still at work", {"retry-after": "1"})
            sleep(_LOOK_S)
        if isinstance(found, Response):
            return found
        try:
            status, body = act(found)
        except BaseException:
            self._drop(call)
            raise
        with self._state.alone() as db:
            db.execute(f"UPDATE answer SET status = ?, response = ? {_PLACE}", (status, body, *call.place))
        return Response(body, status, media_type="application/json")

    def forget(self, scope: str) -> None:
        """Drop what was answered in a scope: an id is a trace of what it was made of."""
        with self._state.alone() as db:
            db.execute("DELETE FROM answer WHERE scope = ? AND status IS NOT NULL", (scope,))
        self._state.fold()

    def _begin(self, call: Call) -> float | Response | None:
        """The moment to act at, the answer that was given, or None where somebody is at work on it."""
        moment, digest = self._clock(), self._digest(call.body)
        with self._state.alone() as db:
            db.execute("DELETE FROM answer WHERE began_at < ?", (moment - KEPT_S,))
            columns = "request, began_at, taken_at, status, response"
            row = db.execute(f"SELECT {columns} FROM answer {_PLACE}", call.place).fetchone()
            if row is None:
                values = (*call.place, digest, moment, moment)
                db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)
                return moment
            request, began, taken, status, response = row
            if not hmac.compare_digest(request, digest):
                raise HTTPException(422, "this Idempotency-Key was used for another request; take a new one")
            if status is not None:
                return Response(response, status, {"idempotent-replayed": "true"}, media_type="application/json")
            if moment - taken < LEASE_S:
                return None
            db.execute(f"UPDATE answer SET taken_at = ? {_PLACE}", (moment, *call.place))
            return float(began)

    def _drop(self, call: Call) -> None:
        with self._state.alone() as db:
            db.execute(f"DELETE FROM answer {_PLACE} AND status IS NULL", call.place)

    def _digest(self, body: bytes) -> bytes:
        return blake2b(body, key=self._state.secret, digest_size=32).digest()


_PLACE = "WHERE caller = ? AND scope = ? AND route = ? AND name = ?"
