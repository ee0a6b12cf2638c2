"""A memory on a PostgreSQL server: recall, remember and a cold start, beside a file and beside the server's own search.

Run by `memspan bench postgres`. The same turns go to both places; the rows on the server are taken away at the end.
The server's own search is asked for its 50 best only; recall also weighs neighbours, times, states and records.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from memspan.bench.machine import head, line
from memspan.bench.speech import conversations, questions
from memspan.bench.speed import BATCH, SAMPLED, percentiles
from memspan.bench.tables import table
from memspan.core.places import Location, Server
from memspan.core.protocols import Embedder
from memspan.core.records import Turn
from memspan.core.registry import load
from memspan.text.index.words import words
from memspan.text.memory import Memory
from memspan.text.store.opening import open_store
from memspan.text.store.rows import Half
from memspan.text.store.store import Store

SCHEMA = "memspan.bench.postgres/1"
TOKENS = 1000
BEST = 50
COLD = 5
OWN = 50
EF = 4 * BEST  # candidates that the index keeps in hand
NOW = 1_800_000_000.0
Result = dict[str, Any]  # Any: what json.dumps takes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """What to measure. server: where, a scope of its own is used;  records: sizes of a scope [turns]

    folder: where the file lies that stands beside it;  asked, told: how many recalls and single remembers are timed
    """

    server: Server
    records: Sequence[int]
    folder: Path | None = None
    asked: int = 200
    told: int = 100
    seed: int = 7


def measure(plan: ServerPlan, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Every size on the server and in a file. say: hears what is going on"""
    sizes = [_size(plan, size, say) for size in plan.records]
    store = open_store(plan.server)
    with store.snapshot() as session:
        version, vector = (
            session.execute(query).get
            for query in ("SHOW server_version", "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        )
        how = {name: session.execute(f"SHOW {name}").get for name in ("fsync", "synchronous_commit", "shared_buffers")}
    store.close()
    told = [str(plan.server) if word == plan.server.url else word for word in command]
    return {
        **head(SCHEMA, told),
        "server": {"postgresql": version, "pgvector": vector, **how},
        "seed": plan.seed,
        "sizes": sizes,
    }


def _size(plan: ServerPlan, size: int, say: Callable[[str], None]) -> Result:
    scope = f"bench/{secrets.token_hex(4)}"
    units = list(islice(conversations(plan.seed), size + plan.told))
    turns = [unit.turn() for unit in units]
    asked = questions(units[: min(size, SAMPLED)], plan.asked + 1, plan.seed + 1)
    found: Result = {"records": size}
    with TemporaryDirectory(prefix="memspan-postgres-", dir=plan.folder) as folder:
        hits = []
        places: dict[str, Location] = {"file": Path(folder) / "beside.mem", "server": plan.server}
        for name, place in places.items():
            say(f"{size:,} turns: {name}")
            found[name], best = _place(place, scope, turns, asked, size)
            hits.append(best)
    found["same_hits_and_scores"] = hits[0] == hits[1]
    say(f"{size:,} turns: the server's own search")
    store = open_store(plan.server)
    try:
        found["own_search"] = _own_search(store, scope, asked[1 : 1 + OWN])
    finally:
        store.close()
        with Memory(plan.server, scope=scope) as memory:
            memory.forget(everything=True)
    return found


def _place(
    place: Location, scope: str, turns: Sequence[Turn], asked: Sequence[str], size: int
) -> tuple[Result, list[Any]]:
    with Memory(place, scope=scope, clock=lambda: NOW) as memory:
        began = perf_counter()
        for start in range(0, size, BATCH):
            memory.remember(turns[start : min(start + BATCH, size)])
        bulk_s = perf_counter() - began
        memory.recall(asked[0], tokens=TOKENS)
        single = [_timed(memory.remember, turn) for turn in turns[size:]]
        recall = [_timed(lambda question=question: memory.recall(question, tokens=TOKENS)) for question in asked[1:]]
        best = [
            [(hit.id, hit.score) for hit in memory.recall(question, tokens=TOKENS).hits] for question in asked[1:21]
        ]
    cold = [_timed(lambda: _opened_and_asked(place, scope, asked[0])) for _ in range(COLD)]
    return {
        "bulk_turns_per_s": round(size / bulk_s),
        **percentiles("remember_ms", single),
        **percentiles("recall_ms", recall),
        "cold_open_and_first_recall_ms_p50": round(float(np.median(cold)) * 1000, 1),
    }, best


def _opened_and_asked(place: Location, scope: str, question: str) -> None:
    """A memory opened in a process that has loaded everything, and its first recall."""
    with Memory(place, scope=scope, clock=lambda: NOW) as memory:
        memory.recall(question, tokens=TOKENS)


def _own_search(store: Store, scope: str, asked: Sequence[str]) -> Result:
    """The 50 best by vector and by word, found by the server, with and without an index made for it."""
    embedder: Embedder = load("embed", "static")()
    key = store.embedder_key(embedder, make=False)
    vectors = [Half(row.astype("<f2").tobytes()) for row in embedder.embed(list(asked))]
    texts = [" | ".join(dict.fromkeys(word for word in words(question) if word.isalnum())) or "a" for question in asked]
    exact = (f"SELECT turn FROM vector WHERE scope = ? AND embedder = ? ORDER BY half <#> ? LIMIT {BEST}", vectors)
    cast = f"halfvec({embedder.dim})"
    near = (
        f"SELECT turn FROM vector WHERE scope = ? AND embedder = ? ORDER BY half::{cast} <#> ?::{cast} LIMIT {BEST}",
        vectors,
    )
    word = (
        "SELECT seq FROM memspan_bench_words WHERE ? = ? AND bag @@ to_tsquery('english', ?)"
        f" ORDER BY ts_rank(bag, to_tsquery('english', ?)) DESC LIMIT {BEST}",
        texts,
    )
    found: Result = {}
    ids = _asked(store, scope, key, *exact, into=found, name="exact_ms")
    with _indexed(store, scope, f"vector USING hnsw ((half::{cast}) halfvec_ip_ops)", found, "hnsw_build_s"):
        close = _asked(store, scope, key, *near, into=found, name="hnsw_ms")
    found["hnsw_of_the_exact_best"] = round(
        float(np.mean([len(one & other) / max(len(one), 1) for one, other in zip(ids, close, strict=True)])), 4
    )
    with _words(store, scope, found):
        _asked(store, scope, store.scope_key(scope), *word, into=found, name="words_ms")
    return found


def _asked(
    store: Store, scope: str, key: int | None, query: str, values: Sequence[object], *, into: Result, name: str
) -> list[set[int]]:
    """What each question finds; the times go into the result."""
    times, ids = [], []
    number = store.scope_key(scope)
    for value in values:
        rest = (value,) * (query.count("?") - 2)
        with store.snapshot(scope) as session:
            session.execute("SELECT set_config('hnsw.ef_search', ?, true)", (str(EF),))
            began = perf_counter()
            found = session.execute(query, (number, key, *rest)).fetchall()
            times.append(perf_counter() - began)
        ids.append({seq for (seq,) in found})
    into |= percentiles(name, times)
    return ids


@contextmanager
def _indexed(store: Store, scope: str, what: str, into: Result, name: str) -> Iterator[None]:
    """An index for the time of a measurement, on the scope's partition. what: table and kind"""
    table, _, how = what.partition(" ")
    with store.snapshot(scope) as session:
        (part,) = session.execute(
            "SELECT tableoid::regclass::text FROM " + table + " WHERE scope = ? LIMIT 1", (store.scope_key(scope),)
        ).fetchone()
    began = perf_counter()
    with store.transaction(scope) as session:
        session.execute(
            "SELECT set_config('statement_timeout', '0', true), set_config('maintenance_work_mem', '1GB', true)"
        )
        session.execute(f"CREATE INDEX memspan_bench ON {part} {how}")
    with store.transaction(scope) as session:
        session.execute(f"ANALYZE {part}")
    into[name] = round(perf_counter() - began, 1)
    try:
        yield
    finally:
        with store.transaction(scope) as session:
            session.execute("DROP INDEX memspan_bench")


@contextmanager
def _words(store: Store, scope: str, into: Result) -> Iterator[None]:
    """The scope's words as the server's full text search keeps them, with an index, for the time of a measurement."""
    began = perf_counter()
    with store.transaction(scope) as session:
        session.execute("SELECT set_config('statement_timeout', '0', true)")
        session.execute(
            "CREATE TABLE memspan_bench_words AS SELECT seq, to_tsvector('english', text) AS bag FROM turn"
            f" WHERE scope = {store.scope_key(scope)}"
        )
        session.execute("CREATE INDEX ON memspan_bench_words USING gin (bag)")
        session.execute("ANALYZE memspan_bench_words")
    into["words_build_s"] = round(perf_counter() - began, 1)
    try:
        yield
    finally:
        with store.transaction(scope) as session:
            session.execute("DROP TABLE memspan_bench_words")


def _timed(call: Callable[..., object], *given: object) -> float:
    began = perf_counter()
    call(*given)
    return perf_counter() - began


_ROWS = (
    *("recall_ms_p50", "recall_ms_p95", "remember_ms_p50", "remember_ms_p95", "bulk_turns_per_s"),
    "cold_open_and_first_recall_ms_p50",
)
_OWN = ("exact_ms_p50", "hnsw_ms_p50", "hnsw_of_the_exact_best", "hnsw_build_s", "words_ms_p50", "words_build_s")


def markdown(result: Result) -> str:
    """The result as a page."""
    rows = [
        [f"{size['records']:,}", name, str(size["server"][name]), str(size["file"][name])]
        for size in result["sizes"]
        for name in _ROWS
    ]
    own = [[f"{size['records']:,}", name, str(size["own_search"][name])] for size in result["sizes"] for name in _OWN]
    server = result["server"]
    same = all(size["same_hits_and_scores"] for size in result["sizes"])
    parts = [
        "# memspan bench postgres",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        f"PostgreSQL {server['postgresql']}, pgvector {server['pgvector']}, fsync {server['fsync']}, "
        f"synchronous_commit {server['synchronous_commit']}, shared_buffers {server['shared_buffers']}.",
        f"Text: made up (Zipf words), seed {result['seed']}. Recall packs 1,000 tokens; remember is one turn, synced. "
        f"Cold: a memory opened in a running process and its first recall, the median of {COLD}.",
        table(["turns in the scope", "figure", "server", "file"], rows),
        f"Hits and scores of 20 questions on both: {'the same to the last bit' if same else 'NOT the same'}.",
        f"The server's own search for the {BEST} best, by vector without and with an index, and by word with one:",
        table(["turns in the scope", "figure", "server"], own),
    ]
    return "\n\n".join(parts) + "\n"
