"""The run behind `memspan bench doors`: one memory, each door opened on it, figures beside their goals."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from memspan.bench.cases import Unit
from memspan.bench.doors import mcp, page, peers, rest
from memspan.bench.doors.processes import Server, free_port
from memspan.bench.doors.soak import Soak, residue, soak
from memspan.bench.doors.wire import Connection
from memspan.bench.machine import head, line
from memspan.bench.speech import conversations, questions
from memspan.bench.tables import table
from memspan.core.errors import UsageError
from memspan.text.memory import Memory

SCHEMA = "memspan.bench.doors/1"
SCOPE = "bench"
BATCH = 1000
SAMPLED = 2000
WARM_UP = 40
LONG = 50_000
PARTS = ("rest", "clients", "mcp", "page", "peers", "soak")
Result = dict[str, Any]  # Any: what json.dumps takes
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsPlan:
    """What to measure. records: turns in the memory;  parts: of PARTS, none = all

    asked: recalls and round trips timed;  clients, seconds: of the run at once;  workers: processes of the server
    soak: mixed requests;  folder: where the memory lies; a soak that was stopped goes on there
    hindsight: port of a Hindsight server that runs here, None = there is none
    """

    records: int = 10_000
    parts: Sequence[str] = ()
    asked: int = 400
    clients: int = 50
    seconds: float = 10.0
    workers: int = 2
    soak: int = 5000
    folder: Path | None = None
    hindsight: int | None = None
    seed: int = 7


def measure(plan: DoorsPlan, command: Sequence[str], say: Say) -> Result:
    """All parts asked for, one after the other. say: hears what is going on

    Raises UsageError for a part that there is not, PeerFailed where a server of ours does not answer.
    """
    parts = tuple(plan.parts) or PARTS
    if unknown := sorted(set(parts).difference(PARTS)):
        raise UsageError(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with ExitStack() as stack:
        folder = plan.folder or Path(stack.enter_context(TemporaryDirectory(prefix="memspan-doors-")))
        units = list(islice(conversations(plan.seed), plan.records))
        asked = questions(units[:SAMPLED], plan.asked + WARM_UP, plan.seed + 1)
        found: Result = {}
        if set(parts) - {"soak", "peers"}:
            say(f"{plan.records:,} turns: a memory to ask")
            found |= _asked(plan, parts, _filled(folder / "doors.mem", units), asked, say)
        if "peers" in parts:
            say("peers")
            found["peers"] = peers.measured(plan.hindsight, units, asked[:WARM_UP])
        if "soak" in parts:
            found["soak"] = _soaked(plan, folder / "soak.mem", units, asked, say)
    kept = {"records": plan.records, "seed": plan.seed, "workers": plan.workers}
    result = {**head(SCHEMA, command), **kept, **{part: found[part] for part in PARTS if part in found}}
    return {**result, "goals": goals(result)}


def _filled(place: Path, units: Sequence[Unit]) -> Path:
    """A memory that holds these turns; one that is there already is left as it is."""
    with Memory(place, scope=SCOPE) as memory:
        for start in range(0, len(units), BATCH):
            memory.remember(unit.turn() for unit in units[start : start + BATCH])
    return place


def _asked(plan: DoorsPlan, parts: Sequence[str], place: Path, asked: Sequence[str], say: Say) -> Result:
    """Everything but the soak, on one memory that only reads touch."""
    found: Result = {}
    port = free_port()
    with Memory(place, scope=SCOPE) as memory, Server("memspan serve", _serve(plan, place, port)) as server:
        server.await_port(port)
        _warm(port, memory, asked, plan)
        if "rest" in parts:
            say("REST beside the call in process")
            found["rest"] = rest.beside_in_process(port, memory, asked[WARM_UP:])
        if "clients" in parts:
            say(f"{plan.clients} clients for {plan.seconds:g} s")
            requests = [rest.recall_request(SCOPE, question) for question in asked]
            found["clients"] = rest.at_once(server, port, requests, plan.clients, plan.seconds)
        if "page" in parts:
            say("the page in a browser")
            (newest,) = memory.turns(limit=1, newest=True)
            address = f"http://127.0.0.1:{port}/#scope={SCOPE}&view=timeline"
            found["page"] = page.paints(address, " ".join(newest.text.split()[:4]))
    if "mcp" in parts:
        say("MCP over stdio")
        found["mcp"] = mcp.round_trips(place, SCOPE, asked)
    return found


def _serve(plan: DoorsPlan, place: Path, port: int) -> list[str]:
    told = ["--memory", str(place), "--port", str(port), "--workers", str(plan.workers), "--rate", "0"]
    return ["serve", *told]


def _warm(port: int, memory: Memory, asked: Sequence[str], plan: DoorsPlan) -> None:
    """The first questions, often enough that every worker has opened the memory."""
    connections = [Connection(port) for _ in range(8 * plan.workers)]
    for question in asked[:WARM_UP]:
        memory.recall(question, tokens=rest.TOKENS)
    for question in asked[:2]:
        for connection in connections:
            connection.call(rest.recall_request(SCOPE, question))
    for connection in connections:
        connection.close()


def _soaked(plan: DoorsPlan, place: Path, units: Sequence[Unit], asked: Sequence[str], say: Say) -> Result:
    """The soak, on a memory of its own; afterwards its file is checked and searched for what was forgotten."""
    notes = place.with_suffix(".jsonl")
    if not notes.exists():
        _filled(place, units)
    texts = [unit.text for unit in units[:SAMPLED]]
    told = Soak(scope=SCOPE, total=plan.soak, ledger=notes, texts=texts, questions=asked)
    port = free_port()
    with Server("memspan serve", _serve(plan, place, port)) as server:
        server.await_port(port)
        found = soak(told, server, port, say)
        found["exit_code"] = server.stop()
    say("soak: looking into the file")
    with Memory(place, scope=SCOPE) as memory:
        memory.receipts()
        found["file_sound"] = memory.check().ok
        found["file_mb"] = round(memory.stats().bytes / 1e6, 1)
    return {**found, "forgotten_words_in_the_file": residue(notes, place)}


# -- beside the goals

_WRONG = (
    "refused_or_broken",
    "recalls_with_forgotten_words",
    "recalls_without_the_turn_asked_for",
    "acknowledged_lost",
    "forgotten_still_there",
    "forgotten_words_in_the_file",
)


def goals(result: Result) -> list[Result]:
    """Each figure that has a goal: what, measured, goal, and whether it was reached."""
    return [
        {"what": what, "measured": measured, "goal": goal, "reached": reached}
        for what, measured, goal, reached in _goals(result)
    ]


def _goals(result: Result) -> Iterator[tuple[str, Any, str, bool]]:
    if one := result.get("rest"):
        above = one["above_ms_p50"]
        yield "REST recall above in process, p50 [ms]", above, "at most 3", above <= 3
    if one := result.get("clients"):
        yield f"recalls/s, {one['clients']} clients", one["recalls_per_s"], "at least 500", one["recalls_per_s"] >= 500
        yield "errors meanwhile", one["errors"], "0", one["errors"] == 0
    if one := result.get("mcp"):
        yield "MCP stdio round trip, p50 [ms]", one["mcp_ms_p50"], "at most 15", one["mcp_ms_p50"] <= 15
    if (one := result.get("page")) and "missing" not in one:
        first = one["first_contentful_paint_ms_median"]
        yield "page, first paint [ms]", first, "at most 1000", first <= 1000
    if one := result.get("soak"):
        grown = one["rss_growth"]
        if grown is not None and one["requests"] >= LONG:  # in a short one, all is warm-up
            yield "soak: memory growth after warm-up", f"{grown:.2%}", "under 5 %", grown < 0.05
        wrong = sum(one[name] for name in _WRONG)
        yield f"soak: wrong in {one['requests']:,} requests", wrong, "0", wrong == 0 and one["file_sound"]


def markdown(result: Result) -> str:
    """The result as tables: the goals, then each part with all its figures."""
    rows = [
        [one["what"], str(one["measured"]), one["goal"], "yes" if one["reached"] else "no"] for one in result["goals"]
    ]
    parts = [
        "# memspan bench doors",
        f"`{result['command']}`",
        f"{result['at']}; {line(result['machine'], result['versions'])}.",
        f"{result['records']:,} turns of made-up text, seed {result['seed']}; {result['workers']} processes of the "
        "server. Client and server share the machine. A recall packs 1,000 tokens.",
        table(["what", "measured", "goal", "reached"], rows),
    ]
    for name in PARTS:
        if name in result:
            parts += [
                f"## {name}",
                table(["figure", "measured"], [[key, _cell(result[name][key])] for key in result[name]]),
            ]
    return "\n\n".join(parts) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
