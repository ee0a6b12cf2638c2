"""What every call passes before it is looked at: host, origin, key, rate, room, size; and what every answer carries."""

import logging
import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from time import perf_counter

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memspan.core.errors import MemspanError
from memspan.doors.rest.asked import CALLER
from memspan.doors.rest.door import Door
from memspan.doors.rest.limits import Intake, Rates, too_large
from memspan.doors.rest.replies import problem, problem_of
from memspan.doors.rest.settings import LOOPBACK

IMPORT = "/v1/import"
FIGURES = "/metrics"
OPEN = frozenset({"/health", "/ready", "/openapi.json"})
SENT_HEADERS = "authorization, content-type, idempotency-key, if-match, if-none-match"
SHOWN_HEADERS = "etag, idempotent-replayed, retry-after"
_CARRIED = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_BODY = {"POST", "PUT", "PATCH", "DELETE"}
log = logging.getLogger("memspan.rest")


class Guard:
    """The application behind its wall. public: paths of files that anybody may read"""

    def __init__(self, app: ASGIApp, door: Door, public: Iterable[str] = ()) -> None:
        self._app, self._door, self._told = app, door, door.settings
        self._rates = Rates(self._told.rate / self._told.workers)
        self._open = OPEN | frozenset(public)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, by a problem where it may not come in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, reply = perf_counter(), _Reply(send, self._shared(_headers(scope)))
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, reply)
        else:
            await self._let_in(scope, receive, reply)
        self._door.figures.count(scope, reply.status, perf_counter() - began)

    async def _let_in(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        flows = scope["path"] == IMPORT
        most = self._told.import_bytes if flows else self._told.body_bytes
        self._running += 1
        try:
            await self._app(scope, Intake(receive, most, self._told.wait_s, flows=flows), reply)
        except Exception as why:  # noqa: BLE001 - whatever it is, the caller gets a problem and the server goes on
            where = why.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "nowhere"
            log.error("%s at %s", type(why).__name__, place)  # its message may hold what was remembered
            if not reply.status:
                await problem(500, "a mistake of the server; its log says where")(scope, receive, reply)
        finally:
            self._running -= 1

    def _refused(self, scope: Scope) -> Response | None:
        """Why this call is not let in, None where it is."""
        headers = _headers(scope)
        try:
            keyed = self._door.keys.any()
            return (
                self._strange(scope, headers, keyed)
                or self._preflight(scope, headers)
                or self._unknown(scope, headers, keyed)
                or self._too_much(scope, headers)
            )
        except MemspanError as why:
            return problem_of(why)

    def _strange(self, scope: Scope, headers: Mapping[bytes, bytes], keyed: bool) -> Response | None:
        """A browser that was led here: by a name that is not ours, or from a page that is not ours."""
        host = headers.get(b"host", b"").decode("latin-1")
        if self._told.loopback and not keyed and _name(host) not in LOOPBACK:
            return problem(421, "this server answers to 127.0.0.1 and localhost only; open it by one of these names")
        origin = headers.get(b"origin", b"").decode("latin-1")
        foreign = bool(origin) and origin.partition("://")[2] != host
        crossing = not origin and headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
        if (foreign or (crossing and scope["path"].startswith("/v1"))) and origin not in self._told.cors:
            return problem(403, "pages of other origins may not call; start with --cors ORIGIN to let one")
        return None

    def _preflight(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        if scope["method"] != "OPTIONS" or b"access-control-request-method" not in headers:
            return None
        allowed = {"access-control-allow-methods": "GET, POST", "access-control-max-age": "600"}
        return Response(status_code=204, headers={**allowed, "access-control-allow-headers": SENT_HEADERS})

    def _unknown(self, scope: Scope, headers: Mapping[bytes, bytes], keyed: bool) -> Response | None:
        """Without a key, or with one that opens nothing (any more)."""
        if scope["path"] in self._open:
            return None
        if not keyed:
            return None if self._told.loopback else _no_key("this server has no keys yet: memspan keys add")
        kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        key = self._door.keys.of(token.strip(" ")) if kind.lower() == "bearer" else None
        if key is None:
            wait = self._rates.wait(_address(scope))
            return _too_fast(wait) if wait else _no_key("send 'Authorization: Bearer msp_...' with a key that is good")
        if scope["path"] == FIGURES and "admin" not in key.rights:
            return problem(403, "the figures of the server are for keys with the right 'admin'")
        scope[CALLER] = key
        return None

    def _too_much(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        if scope["path"] in OPEN:
            return None
        key = scope.get(CALLER)
        wait = self._rates.wait(_address(scope) if key is None else key.id)
        if wait:
            return _too_fast(wait)
        if self._running >= self._told.at_once:
            return problem(503, "too many calls at the same time; come again", headers={"retry-after": "1"})
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._told.header_bytes:
            return problem(431, f"the headers have more than {self._told.header_bytes:,} bytes")
        most = self._told.import_bytes if scope["path"] == IMPORT else self._told.body_bytes
        told = headers.get(b"content-length", b"0")
        if scope["method"] in _BODY and told.isdigit() and int(told) > most:
            return problem(413, too_large(most), headers={"connection": "close"})
        return None

    def _shared(self, headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """Headers by which an origin that was let in may read the answer."""
        origin = headers.get(b"origin", b"")
        if origin.decode("latin-1") not in self._told.cors:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", SHOWN_HEADERS.encode()),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"vary", b"origin"),
        ]


class _Reply:
    """`send`, with what every answer carries. status: what was sent, 0 = nothing yet"""

    def __init__(self, send: Send, shared: list[tuple[bytes, bytes]]) -> None:
        self._send, self._shared, self.status = send, shared, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *self._shared]
            present = {name for name, _ in headers}
            message["headers"] = headers + [(name, value) for name, value in _CARRIED if name not in present]
        await self._send(message)


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """By name; of a header that is there twice the first, so that nothing can be put behind it."""
    return dict(reversed(scope["headers"]))


def _name(host: str) -> str:
    """A host without its port.

    >>> _name("127.0.0.1:8377"), _name("[::1]:8377"), _name("localhost")
    ('127.0.0.1', '::1', 'localhost')
    """
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower()


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return f"@{client[0]}" if client else "@"


def _no_key(why: str) -> Response:
    return problem(401, why, headers={"www-authenticate": 'Bearer realm="memspan"'})


def _too_fast(wait_s: float) -> Response:
    seconds = math.ceil(wait_s)
    return problem(HTTPStatus.TOO_MANY_REQUESTS, "too many calls with this key", headers={"retry-after": str(seconds)})
