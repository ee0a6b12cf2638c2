"""What is sent back: JSON, and for every failure a problem (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from memspan.core import errors

PROBLEM = "application/problem+json"
MOST_CHARS = 1000

# the first that fits counts, so the narrow ones come first
STATUSES: tuple[tuple[type[errors.MemspanError], int], ...] = (
    (errors.UnknownId, 404),
    (errors.NotConfirmed, 409),
    (errors.AlreadyCorrected, 409),
    (errors.DuplicateId, 409),
    (errors.CannotUndo, 409),
    (errors.Held, 409),
    (errors.BadScope, 422),
    (errors.BadTime, 422),
    (errors.BadText, 422),
    (errors.MalformedFile, 422),
    (errors.UsageError, 400),
    (errors.MissingExtra, 501),
    (errors.MissingModel, 501),
    (errors.StoreBusy, 503),
    (errors.DiskFull, 507),
    (errors.ReadOnlyStore, 403),
    (errors.ClosedStore, 503),
)
_RETRY_S = 1


def as_bytes(value: Any) -> bytes:  # Any: what JSON can hold
    """The value as JSON in UTF-8.

    >>> as_bytes({"text": "olá", "at": None})
    b'{"text":"ol\\xc3\\xa1","at":null}'
    """
    try:
        return orjson.dumps(value)
    except TypeError:  # a number past 64 bits, deeper than it goes: what `meta` may hold
        return json.dumps(value, separators=(",", ":")).encode()


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The value as a response."""
    return Response(as_bytes(value), status, dict(headers or {}), media_type="application/json")


def problem(
    status: int, detail: str, *, kind: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A problem.

    kind: name of our error, where it is one;  more: what else the client can go by
    """
    title = HTTPStatus(status).phrase
    told = {"type": f"urn:memspan:{kind}" if kind else "about:blank", "title": title, "status": status}
    clean = detail.encode("utf-8", "replace").decode()[:MOST_CHARS]
    return Response(as_bytes({**told, "detail": clean, **more}), status, dict(headers or {}), media_type=PROBLEM)


def problem_of(why: errors.MemspanError, **more: Any) -> Response:
    """The problem that one of our errors is. The path of the memory is not told."""
    status = status_of(why)
    text = str(why)
    if isinstance(why, errors.StoreError):
        text = text.removeprefix(f"{why.path}: ").replace(why.path, "the memory")
    if isinstance(why, errors.MalformedFile):  # an upload has no name
        text = f"line {why.line}: {why.why}"
    headers = {"retry-after": str(_RETRY_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem(status, text, kind=type(why).__name__, headers=headers, **_facts(why), **more)


def status_of(why: errors.MemspanError) -> int:
    """The status an error is sent with.

    >>> status_of(errors.UnknownId("t1"))
    404
    """
    return next((status for kind, status in STATUSES if isinstance(why, kind)), 500)


def _facts(why: errors.MemspanError) -> dict[str, Any]:
    """What a client would otherwise have to read out of the message."""
    if isinstance(why, errors.NotConfirmed):
        return {"items": why.items, "digest": why.digest}
    if isinstance(why, errors.AlreadyCorrected):
        return {"heir": why.heir}
    return {"ids": list(why.ids[:100])} if isinstance(why, errors.Held) else {}
