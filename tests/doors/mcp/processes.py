"""`memspan mcp` as a process of its own, and the SDK's client before it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest

pytest.importorskip("mcp", reason="needs the extra [mcp]")
from mcp import Client
from mcp.client.stdio import StdioServerParameters

SOURCE = str(Path(__file__).parents[3] / "src")
CODE = "from memspan.doors.cli.main import main; main()"
_came: WeakKeyDictionary[subprocess.Popen[bytes], dict[Any, dict[str, Any]]] = WeakKeyDictionary()
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "PYTHONPATH": SOURCE, **more}


def arguments(place: Path, *more: str, scope: str = "me") -> list[str]:
    return ["-c", CODE, "mcp", "--memory", str(place), "--scope", scope, *more]


def spoken(place: Path, say: Callable[[Client], Awaitable[Any]], *more: str, mode: str = "auto", **env: str) -> Any:
    """What `say` gives, speaking with a server that is started for it."""

    async def run() -> Any:
        server = StdioServerParameters(
            command=sys.executable, args=arguments(place, *more), env=environment(**env), cwd=place.parent
        )
        async with Client(server, mode=mode) as client:
            return await say(client)

    return asyncio.run(run())


@contextmanager
def started(place: Path, *more: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process with pipes; killed at the end where it still runs."""
    process = subprocess.Popen(
        [sys.executable, *arguments(place, *more)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**env),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def over_http(place: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(its address, the process) of a server over HTTP on a free port."""
    with started(place, "--http", "0", *more) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        found = re.fullmatch(r"memspan: MCP at (http://\S+)\n", line)
        assert found, line
        yield found[1], process


def send(process: subprocess.Popen[bytes], *messages: dict[str, Any] | str) -> None:
    """Write messages, or lines as they are."""
    assert process.stdin is not None
    for message in messages:
        line = message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0", **message})
        process.stdin.write(line.encode("utf-8", "surrogatepass") + b"\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[bytes], id: int) -> dict[str, Any]:
    """The answer to that request, whatever comes first; every line of stdout is a message of the protocol."""
    assert process.stdout is not None
    came = _came.setdefault(process, {})
    while id not in came:
        line = process.stdout.readline()
        assert line, "the server is gone"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        came[message.get("id")] = message
    return came.pop(id)


def greet(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The answer to initialize."""
    send(process, {"id": 0, "method": "initialize", "params": HELLO})
    told = answer(process, 0)
    send(process, {"method": "notifications/initialized"})
    return told


def call(id: int, name: str, **given: Any) -> dict[str, Any]:
    return {"id": id, "method": "tools/call", "params": {"name": name, "arguments": given}}
