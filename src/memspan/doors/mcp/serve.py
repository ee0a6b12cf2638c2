"""Running the server: over stdin and stdout, or over HTTP, until the client leaves or a signal comes."""

import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from io import TextIOWrapper
from typing import cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from memspan.core.errors import MemspanError
from memspan.doors.mcp.server import RIGHTS
from memspan.doors.memories import Memories

BODY_BYTES = 16 * 1024 * 1024  # a text of a million characters, in the dearest way JSON can write it
PATH = "/mcp"
_HALF = re.compile("[\ud800-\udfff]")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Allows = Callable[[str], tuple[str, ...] | None]
"""What an Authorization header may do, None where it opens nothing."""


def warm(memories: Memories, scope: str) -> None:
    """Open the memory in the background; where it cannot be, every tool says so, and here the log."""

    def open() -> None:
        try:
            with memories.of(scope):
                pass
        except MemspanError as why:
            print(f"memspan: {' '.join(str(why).split())}", file=sys.stderr, flush=True)

    threading.Thread(target=open, name="memspan-open", daemon=True).start()


def stdio(server: Server[dict[str, object]], memories: Memories) -> None:
    """Serve one client over stdin and stdout, in UTF-8 whatever the locale, until it closes stdin."""

    def leave(number: int, _frame: object) -> None:
        memories.close()  # waits for the call that is running; what was acknowledged is on disk anyhow
        os._exit(130 if number == signal.SIGINT else 0)  # the thread that waits for a line cannot be woken

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)

    async def run() -> None:
        async with stdio_server(stdin=cast("anyio.AsyncFile[str]", _lines())) as (come, go):
            await server.run(come, go, server.create_initialization_options())

    anyio.run(run)


async def _lines() -> AsyncIterator[str]:
    async for line in anyio.wrap_file(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")):
        yield whole(line)


def whole(line: str) -> str:
    r"""A message without half characters, which JavaScript makes where it cuts an emoji in two.

    The SDK would drop the message, and whoever sent it would wait for ever.

    >>> whole('{"text": "\\ud83d!"}') == '{"text": "\ufffd!"}'
    True
    """
    if "\\ud" not in line.lower():
        return line
    try:
        return _HALF.sub("\ufffd", json.dumps(json.loads(line), ensure_ascii=False))
    except (ValueError, RecursionError):
        return line


def http(
    server: Server[dict[str, object]], host: str, port: int, hosts: tuple[str, ...], allows: Allows | None
) -> None:
    """Serve many clients over streamable HTTP until SIGTERM or SIGINT; calls in flight are answered first.

    hosts: names beside the loopback's under which a proxy hands calls on;  allows: None = everybody on this machine
    Raises OSError where the port is taken.
    """
    import uvicorn

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _nothing)  # uvicorn raises it again once it has stopped; a clean stop is no failure
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # from here on nobody is turned away, whoever reads the address at once
        where = f"[{host}]" if ":" in host else host
        shown = f"{where}:{listening.getsockname()[1]}"
        print(f"memspan: MCP at http://{shown}{PATH}", file=sys.stderr, flush=True)
        app: ASGIApp = server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            stateless_http=True,
            max_request_body_size=BODY_BYTES,
            transport_security=_security((*LOOPBACK, host, *hosts), guarded=allows is not None),
        )
        config = uvicorn.Config(
            app if allows is None else Keyed(app, allows),
            access_log=False,
            server_header=False,
            proxy_headers=False,
            log_level="warning",
            timeout_graceful_shutdown=10,
        )
        uvicorn.Server(config).run([listening])


def _security(names: tuple[str, ...], *, guarded: bool) -> TransportSecuritySettings:
    """Names under which it may be called, so that no web page can reach it by a name of its own."""
    shown = [f"[{name}]" if ":" in name else name for name in names]
    hosts = [form for name in shown for form in (name, f"{name}:*")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=not guarded,
        allowed_hosts=hosts,
        allowed_origins=[f"{scheme}://{one}" for one in hosts for scheme in ("http", "https")],
    )


class Keyed:
    """The application behind a key."""

    def __init__(self, app: ASGIApp, allows: Allows) -> None:
        self._app, self._allows = app, allows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the call on where its key opens the scope."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            rights = self._allows(headers.get(b"authorization", b"").decode("latin-1"))
            if rights is None:
                from starlette.responses import PlainTextResponse

                told = {"www-authenticate": "Bearer"}
                refused = PlainTextResponse("send 'Authorization: Bearer msp_...'", status_code=401, headers=told)
                await refused(scope, receive, send)
                return
            scope[RIGHTS] = rights
        await self._app(scope, receive, send)


def _nothing(_signal: int, _frame: object) -> None:
    """Let the stop that was asked for end as a success."""
