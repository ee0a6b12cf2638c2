"""What the server counts for Prometheus. With several workers each writes its own files, and a scrape adds them up."""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
VERSION = "/v1"
_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Figures:
    """The counters of one worker. No scope, id or text is in them. scopes: how many memories are open"""

    def __init__(self, scopes: Callable[[], int]) -> None:
        self._open = scopes
        own = self._own = CollectorRegistry()
        self.shared = FOLDER in os.environ
        self._calls = Counter("memspan_requests", "Calls", ["route", "method", "status"], registry=own)
        self._took = Histogram(
            "memspan_request_seconds", "Time until answered", ["route"], registry=own, buckets=_BUCKETS
        )
        self.written = Counter("memspan_turns_written", "Turns that were new", registry=own)
        self._scopes = Gauge("memspan_open_scopes", "Memories held open", registry=own, multiprocess_mode="livesum")

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """One call, by the route it took."""
        route = getattr(scope.get("route"), "path", "none")
        if scope["path"].startswith(f"{VERSION}/") and route != "none":
            route = f"{VERSION}{route.removeprefix(VERSION)}"
        self._calls.labels(route, scope["method"] if route != "none" else "any", status).inc()
        self._took.labels(route).observe(seconds)
        self._scopes.set(self._open())

    def page(self) -> bytes:
        """All of it in Prometheus' text format, over all workers."""
        if not self.shared:
            return generate_latest(self._own)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
