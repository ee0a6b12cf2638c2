"""Bodies read by the letter of JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute


class _Letter(Request):
    async def json(self) -> Any:  # Any: what JSON holds
        return orjson.loads(await self.body())


class _Route(APIRoute):
    """A route that refuses NaN, lone surrogates, numbers past a double and boundless nesting, as JSON itself does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await inner(_Letter(request.scope, request.receive))

        return handle


def router() -> APIRouter:
    """A router of such routes."""
    return APIRouter(route_class=_Route)
