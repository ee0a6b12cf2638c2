"""REST over loopback: what a recall takes beside the call in process, and how many clients are served."""

from collections.abc import Sequence
from time import perf_counter, process_time
from typing import Any

from memspan.bench.doors.processes import Server
from memspan.bench.doors.wire import Connection, Reply, drive, request
from memspan.bench.speed import percentiles
from memspan.core.errors import PeerFailed
from memspan.text.memory import Memory

TOKENS = 1000
_BLOCK = 20
Result = dict[str, Any]  # Any: what json.dumps takes


def recall_request(scope: str, question: str) -> bytes:
    """A recall packed to 1,000 tokens, as the memory answers it by default."""
    return request("POST", "/v1/recall", scope, {"question": question, "tokens": TOKENS})


def beside_in_process(port: int, memory: Memory, asked: Sequence[str]) -> Result:
    """p50, p95, p99 of both, each question asked here and there, in turns of twenty, so that both meet one machine.

    Raises PeerFailed where an answer is none.
    """
    connection = Connection(port)
    here, there = [], []
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        for question in block:
            began = perf_counter()
            memory.recall(question, tokens=TOKENS)
            here.append(perf_counter() - began)
        for question in block:
            reply = connection.call(recall_request(memory.scope, question))
            _check(reply)
            there.append(reply.seconds)
    connection.close()
    found = percentiles("in_process_ms", here) | percentiles("rest_ms", there)
    above = {f"above_ms_{at}": round(found[f"rest_ms_{at}"] - found[f"in_process_ms_{at}"], 4) for at in ("p50", "p99")}
    return {"recalls": len(asked), **found, **above}


def _check(reply: Reply) -> None:
    if reply.status != 200 or b'"hits":[{' not in reply.body:
        raise PeerFailed("memspan serve", f"answered a recall with {reply.status}: {reply.body[:200]!r}")


class Asker:
    """A client that asks one question after the other until the time is over."""

    def __init__(self, requests: Sequence[bytes], first: int, until: float) -> None:
        self._requests, self._next, self._until = requests, first, until
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def ask(self) -> bytes | None:
        """The next question; they come round again."""
        if perf_counter() > self._until:
            return None
        self._next += 1
        return self._requests[self._next % len(self._requests)]

    def hear(self, reply: Reply) -> None:
        """Counts it."""
        self.seconds.append(reply.seconds)
        if reply.status != 200 or b'"hits":[{' not in reply.body:
            self.errors.append(f"{reply.status} {reply.body[:80]!r}")


def at_once(server: Server, port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Result:
    """Recalls a second with so many clients, each of which asks again as soon as it has its answer."""
    server_cpu, own_cpu, began = server.cpu_s(), process_time(), perf_counter()
    askers = [Asker(requests, first * 7, began + seconds) for first in range(clients)]
    drive(port, askers)
    took = perf_counter() - began
    times = [one for asker in askers for one in asker.seconds]
    errors = [one for asker in askers for one in asker.errors]
    return {
        "clients": clients,
        "seconds": round(took, 2),
        "recalls": len(times),
        "recalls_per_s": round(len(times) / took, 1),
        "errors": len(errors),
        "error_examples": sorted(set(errors))[:3],
        **percentiles("recall_ms", times),
        "server_cpu_ms_per_recall": round(1e3 * (server.cpu_s() - server_cpu) / len(times), 3),
        "client_cpu_ms_per_recall": round(1e3 * (process_time() - own_cpu) / len(times), 3),
        "cores_server": round((server.cpu_s() - server_cpu) / took, 2),
        "cores_client": round((process_time() - own_cpu) / took, 2),
    }
