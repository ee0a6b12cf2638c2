"""MCP over stdio: round trips of memory_recall, as a client's host makes them, one JSON line each way."""

import json
import select
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from memspan.bench.doors.processes import Server
from memspan.bench.speed import percentiles

PROTOCOL = "2025-06-18"
TOKENS = 1000
WARM_UP = 20
PATIENCE_S = 60.0
Result = dict[str, Any]  # Any: what json.dumps takes


class Host:
    """Speaks JSON-RPC with a server's stdin and stdout. Raises PeerFailed where it does not answer."""

    def __init__(self, server: Server) -> None:
        self._server, self._number = server, 0
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.name = self.call("initialize", hello)["serverInfo"]["name"]
        self._send({"method": "notifications/initialized"})

    def call(self, method: str, params: Result) -> Result:
        """The result of a request."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            heard = json.loads(self._line())
            if heard.get("id") == self._number:
                if "result" not in heard:
                    raise self._server.failed(f"{method}: {heard.get('error')}")
                found: Result = heard["result"]
                return found

    def _send(self, message: Result) -> None:
        pipe = self._server.process.stdin
        assert pipe is not None
        pipe.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        pipe.flush()

    def _line(self) -> bytes:
        pipe = self._server.process.stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], PATIENCE_S)
        line: bytes = pipe.readline() if ready else b""
        if not line:
            raise self._server.failed("gave no answer")
        return line


def round_trips(place: Path, scope: str, asked: Sequence[str]) -> Result:
    """p50, p95, p99 of memory_recall; the first twenty are the warm-up."""
    began = perf_counter()
    with Server("memspan mcp", ["mcp", "--memory", str(place), "--scope", scope], pipes=True) as server:
        host = Host(server)
        started = perf_counter() - began
        times = []
        for question in asked:
            begin = perf_counter()
            found = host.call("tools/call", {"name": "memory_recall", "arguments": {"question": question}})
            times.append(perf_counter() - begin)
            if found.get("isError") or not found["content"]:
                raise server.failed(f"memory_recall: {json.dumps(found)[:200]}")
        tools = len(host.call("tools/list", {})["tools"])
    timed = times[WARM_UP:]
    return {"round_trips": len(timed), "tools": tools, "start_s": round(started, 2), **percentiles("mcp_ms", timed)}
