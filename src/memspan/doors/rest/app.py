"""The application of one worker, made from the settings in its environment."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from memspan.core.errors import MemspanError
from memspan.doors.rest import heap, routes_items, routes_log, routes_stream, routes_words, schema, settings, shapes
from memspan.doors.rest.door import Door, secret_in
from memspan.doors.rest.guard import Guard
from memspan.doors.rest.limits import STOPPING
from memspan.doors.rest.replies import problem, problem_of, reply
from memspan.doors.rest.settings import Settings
from memspan.doors.web import page

# spans and logs that FastAPI would make hold queries, and with them scopes and words; older ones know no such setting
_SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def from_environment() -> ASGIApp:
    """The application that `memspan serve` describes in $MEMSPAN_SERVER."""
    heap.share()
    told = settings.read(os.environ[settings.VARIABLE])
    secret = secret_in(told.key_file)
    if secret is None and "MEMSPAN_KEY" in os.environ:
        secret = os.fsencode(os.environ["MEMSPAN_KEY"])
    return make(told, secret)


def make(told: Settings, secret: bytes | None = None) -> ASGIApp:
    """The application. secret: key of an encrypted memory"""
    door = Door(told, secret)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = told.threads
        yield
        await anyio.to_thread.run_sync(door.close)

    app = FastAPI(
        title="memspan",
        version=import_module("memspan").__version__,
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
        telemetry=_SILENT,
    )
    app.state.door = door
    for routes in (routes_words, routes_items, routes_log, routes_stream):
        app.include_router(routes.router, prefix="/v1")
    app.include_router(about(door))
    app.openapi = partial(schema.of, app)  # type: ignore[method-assign]
    _failures(app)
    return Guard(app, door, public=_page(app))


def about(door: Door) -> APIRouter:
    """The routes that tell how the server is."""
    router = APIRouter()

    @router.get("/health", response_model=shapes.Status)
    async def health() -> Response:
        """The process is up."""
        return reply({"status": "up"})

    @router.get("/ready", response_model=shapes.Status)
    def ready() -> Response:
        """The memory can be read."""
        if STOPPING.is_set():
            raise HTTPException(503, "the server is stopping")
        door.probe()
        return reply({"status": "ready"})

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        """Figures for Prometheus, over all workers."""
        return Response(door.figures.page(), media_type="text/plain; version=0.0.4")

    return router


def _page(app: FastAPI) -> list[str]:
    """Serve the page; its paths."""
    headers = dict(page.headers())
    paths = []
    for name, (content, kind) in page.files().items():
        path = "/" if name == "index.html" else f"/{name}"
        told = Response(content, headers=headers, media_type=kind)
        app.router.add_route(path, partial(_file, told), include_in_schema=False)
        paths.append(path)
    return paths


async def _file(told: Response, _request: Request) -> Response:
    return told


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
