"""Other systems that have a server: which can be asked here without a network or a key, and what they take.

Their servers are started by whoever measures (docs/benchmarks.md says how); they are spoken to like ours.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from memspan.bench.cases import Unit
from memspan.bench.doors.wire import Connection, Reply, request
from memspan.bench.speed import percentiles
from memspan.core.errors import PeerFailed

MEM0 = "not measured: the package mem0ai (2.2.1) brings no server"
HINDSIGHT = "not measured: say with --hindsight PORT where one runs"
RETAIN_S = 60.0
TOKENS = 1000
_BATCH = 50
_BANK = "/v1/default/banks/memspan-bench"
Result = dict[str, Any]  # Any: what json.dumps takes


def measured(hindsight: int | None, units: Sequence[Unit], asked: Sequence[str]) -> Result:
    """What each takes, or why there is no figure. hindsight: the port of one that runs, None = none does"""
    return {"mem0": MEM0, "hindsight": HINDSIGHT if hindsight is None else _hindsight(hindsight, units, asked)}


def _hindsight(port: int, units: Sequence[Unit], asked: Sequence[str]) -> Result:
    """As many turns as it takes in within a minute, then recalls. Raises PeerFailed where it refuses."""
    connection = Connection(port)
    _done(connection.call(request("PUT", _BANK, "", {})))
    began, kept = perf_counter(), 0
    while kept < len(units) and perf_counter() - began < RETAIN_S:
        some = units[kept : kept + _BATCH]
        items = [{"content": f"{unit.speaker}: {unit.text}", "document_id": unit.id} for unit in some]
        _done(connection.call(request("POST", f"{_BANK}/memories", "", {"items": items, "async": False})))
        kept += len(some)
    took = perf_counter() - began
    ask = {"max_tokens": TOKENS, "budget": "low"}
    requests = [request("POST", f"{_BANK}/memories/recall", "", {"query": question, **ask}) for question in asked]
    times = [_done(connection.call(one)).seconds for one in requests]
    _done(connection.call(request("DELETE", _BANK, "")))
    connection.close()
    return {"turns": kept, "retain_ms_a_turn": round(1e3 * took / kept, 2), **percentiles("recall_ms", times[1:])}


def _done(reply: Reply) -> Reply:
    if reply.status != 200:
        raise PeerFailed("hindsight", f"answered {reply.status}: {reply.body[:200]!r}")
    return reply
