"""The application of one worker, made from the settings in its environment."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from memspan import __version__
from memspan.core.errors import MemspanError
from memspan.doors.rest import routes_items, routes_words, settings
from memspan.doors.rest.door import Door, secret_in
from memspan.doors.rest.replies import problem, problem_of, reply
from memspan.doors.rest.settings import Settings


def from_environment() -> FastAPI:
    """The application that `memspan serve` describes in $MEMSPAN_SERVER."""
    told = settings.read(os.environ[settings.VARIABLE])
    secret = secret_in(told.key_file)
    if secret is None and "MEMSPAN_KEY" in os.environ:
        secret = os.fsencode(os.environ["MEMSPAN_KEY"])
    return make(told, secret)


def make(told: Settings, secret: bytes | None = None) -> FastAPI:
    """The application. secret: key of an encrypted memory"""
    door = Door(told, secret)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = told.threads
        yield
        await anyio.to_thread.run_sync(door.close)

    app = FastAPI(
        title="memspan", version=__version__, docs_url=None, redoc_url=None, lifespan=life, redirect_slashes=False
    )
    app.state.door = door
    app.router.route_class = _Strict
    for routes in (routes_words, routes_items):
        routes.router.route_class = _Strict
        app.include_router(routes.router, prefix="/v1")
    _health(app, door)
    _failures(app)
    return app


def _health(app: FastAPI, door: Door) -> None:
    @app.get("/health")
    async def health() -> Response:
        """The process is up."""
        return reply({"status": "up"})

    @app.get("/ready")
    def ready() -> Response:
        """The memory can be read."""
        door.probe()
        return reply({"status": "ready"})


def _failures(app: FastAPI) -> None:
    @app.exception_handler(MemspanError)
    async def ours(_request: Request, why: MemspanError) -> Response:
        return problem_of(why)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, why: HTTPException) -> Response:
        return problem(why.status_code, why.detail, headers=why.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, why: RequestValidationError) -> Response:
        first = why.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, f"{where}: {first['msg']}", kind="MalformedRequest")


class _StrictRequest(Request):
    async def json(self) -> Any:  # Any: what JSON holds
        return orjson.loads(await self.body())


class _Strict(APIRoute):
    """A route that reads JSON by the letter: no NaN, no lone surrogate, no number past a double, nesting bounded."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await inner(_StrictRequest(request.scope, request.receive))

        return handle
