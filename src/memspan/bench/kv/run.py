"""The run behind `memspan bench kv`: every system at every budget in every exam, then what follows from the rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any

from memspan.bench.kv.cost import predicted
from memspan.bench.kv.exams import Exam, Sizes, asked_of, exams
from memspan.bench.kv.kept import Key, Rows, fingerprint
from memspan.bench.kv.peer import Kvpress, Press, absent
from memspan.bench.kv.scored import scored
from memspan.bench.kv.settings import PRESSES, TASKS, System, ours
from memspan.bench.kv.speed import goals, timed
from memspan.bench.machine import head
from memspan.bench.peers.environments import default_root
from memspan.core.errors import MemspanError, PeerFailed, UsageError

SCHEMA = "memspan.bench.kv/1"
PARTS = ("accuracy", "speed", "cost")
FAILS = (
    MemspanError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a method that breaks may raise: it costs its own row, not the table."""
Result = dict[str, Any]  # Any: what json.dumps takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Who hears what. say: what goes on;  progress: (done, of)"""

    say: Callable[[str], None] = lambda note: None
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True, slots=True, kw_only=True)
class KvPlan:
    """What to measure. methods: of the wing kv, and codecs; empty = all;  budgets: shares of the rows that stay

    tasks, parts: of TASKS and PARTS, empty = all of the first, and of the second accuracy
    folder: where models lie, made where they are not there, and rows of a run that was cut off
    peers: whether kvpress is asked;  steps: of training, 0 = the circuit as it is set
    """

    methods: Sequence[str] = ()
    budgets: Sequence[float] = (1.0, 0.5, 0.25, 0.125)
    tasks: Sequence[str] = ()
    parts: Sequence[str] = ()
    folder: Path = field(default_factory=lambda: default_root().parent / "kv")
    sizes: Sizes = field(default_factory=Sizes)
    peers: bool = True
    steps: int = 60
    tokens: int = 4096
    seed: int = 0

    def checked(self) -> KvPlan:
        """The same; raises UsageError for what there is not, UnknownMethod for a method that is none."""
        for kind, given, known in (("task", self.tasks, TASKS), ("part", self.parts, PARTS)):
            if unknown := sorted(set(given).difference(known)):
                raise UsageError(f"no {kind} is called {', '.join(unknown)}; there are {', '.join(known)}")
        if not self.budgets or not all(0 < budget <= 1 for budget in self.budgets):
            raise UsageError(f"budgets {self.budgets}: shares above 0 and up to 1")
        ours(list(self.methods))
        return self


def quick(plan: KvPlan) -> KvPlan:
    """The same, cut down to seconds: the untrained circuit, two methods, one budget, no other process.

    What was asked for by name stays.
    """
    return replace(
        plan,
        methods=plan.methods or ("snapkv", "int4"),
        budgets=(0.25,),
        tasks=plan.tasks or tuple(task for task in TASKS if task != "fidelity"),
        sizes=Sizes(batch=4, context=240, needles=8, seeds=1, rows=2),
        peers=False,
        steps=0,
        tokens=min(plan.tokens, 512),
    )


def measure(plan: KvPlan, command: Sequence[str], seen: Seen = Seen()) -> Result:
    """All parts asked for. Raises UsageError for what there is not, UnknownMethod for a method that is none."""
    parts = plan.checked().parts or PARTS[:1]
    told = head(SCHEMA, command, ("torch", "transformers"))
    result: Result = {**told, "seed": plan.seed, "parts": list(parts)}
    if "accuracy" in parts:
        result |= _accuracy(plan, seen)
    if "speed" in parts:
        seen.say(f"speed at {plan.tokens} tokens")
        result["speed"] = timed(plan.tokens, seed=plan.seed, say=seen.say)
        result["goals"] = goals(result["speed"])
    if "cost" in parts:
        seen.say("predicted against measured")
        result["cost"] = predicted(plan.tokens, seed=plan.seed, say=seen.say)
    return result


def _accuracy(plan: KvPlan, seen: Seen) -> Result:
    tasks = [name for name in TASKS if not plan.tasks or name in plan.tasks]
    recipe = {**asdict(plan), "parts": [], "tasks": tasks, "presses": [asdict(one) for one in PRESSES]}
    rows = Rows(plan.folder / f"bench-kv-{fingerprint(recipe)}.jsonl")
    work = _Work(plan, tasks, rows, seen)
    if rows.known:
        seen.say(f"{len(rows.known)} rows are there already")
    work.all()
    asked = exams(tasks, plan.sizes, plan.seed)
    found = scored(work.systems, tasks, asked, rows.known)
    rows.drop()
    return {
        "budgets": list(plan.budgets),
        "tasks": tasks,
        "sizes": asdict(plan.sizes),
        "peer": {"name": "kvpress", "why_absent": work.why},
        "systems": [_told(one) for one in work.systems],
        **found,
    }


def _told(system: System) -> Result:
    kept = ("name", "kind", "codec", "settings", "reason")
    told: Result = {name: value for name, value in asdict(system).items() if name in kept and value}
    return told | ({"settings": dict(system.press.settings)} if system.press else {})


class _Work:
    """All rows that are still to be measured: ours here, kvpress's beside them in its own process."""

    def __init__(self, plan: KvPlan, tasks: Sequence[str], rows: Rows, seen: Seen) -> None:
        self.plan, self.tasks, self.rows, self.seen = plan, tasks, rows, seen
        self.why = absent() if plan.peers else "not asked for"
        self.here = ours(list(plan.methods))
        self.there = [] if self.why else [one for one in PRESSES if _named(one, plan.methods)]
        self.exams = exams(tasks, plan.sizes, plan.seed)
        self._stopped = False
        self._broke: list[OSError] = []

    @property
    def systems(self) -> list[System]:
        return [*self.here, *self.there]

    def all(self) -> None:
        """Measure what is missing. What a stop leaves is on disk."""
        seen, folder = self.seen, self.plan.folder
        from memspan.testing.recall_model import ensure_trained

        seen.say("the recall model")
        checkpoint = ensure_trained(folder, 1, self.plan.steps, seen.progress)
        there = [key for key in self._keys(self.there, peers=True) if key not in self.rows.known]
        if not there:
            self._ours(checkpoint)
            return
        with Kvpress(checkpoint, [exam.task for exam in self.exams]) as peer:
            beside = Thread(target=self._theirs, args=(peer, there))
            beside.start()
            try:
                self._ours(checkpoint)
            except BaseException:  # Ctrl-C too: the other process has to end before the error goes on
                self._stopped = True
                peer.close()
                raise
            while beside.is_alive():
                seen.say(f"kvpress, {sum(key in self.rows.known for key in there)} of {len(there)} rows")
                beside.join(2)
        if self._broke:
            raise self._broke[0]

    def _keys(self, systems: Sequence[System], *, peers: bool) -> Iterator[Key]:
        for system in systems:
            for budget in sorted(_budgets(system, self.plan), reverse=True):
                asked = asked_of(system, budget, self.exams)
                yield from ((system.name, budget, exam.name, exam.seed) for exam in asked)
                if "fidelity" in self.tasks and not peers:
                    yield system.name, budget, "fidelity", 0

    def _ours(self, checkpoint: Path) -> None:
        keys = [key for key in self._keys(self.here, peers=False) if key not in self.rows.known]
        total = len(keys)
        desk = _Desk(self.plan, checkpoint, self.exams, self.seen)
        systems = {one.name: one for one in self.here}
        for done, key in enumerate(keys):
            self.seen.say(f"{key[0]} at {key[1]:g}, {key[2]}")
            self.seen.progress(done, total)
            try:
                found = desk.row(systems[key[0]], key)
            except FAILS as why:
                found = {"failed": f"{type(why).__name__}: {why}"[:300]}
            self.rows.add(key, found)

    def _theirs(self, peer: Kvpress, keys: Sequence[Key]) -> None:
        presses = {one.name: one.press for one in self.there}
        places = {(exam.name, exam.seed): place for place, exam in enumerate(self.exams)}
        for key in keys:
            press = presses[key[0]]
            assert press is not None
            asked = Press(name=press.name, settings=press.settings, kept=key[1], alone=press.alone)
            try:
                found = _theirs(peer, places[key[2], key[3]], asked)
            except PeerFailed as why:
                found = {"failed": str(why)[:300]}
            except (OSError, ValueError):
                if self._stopped:  # what it was read from was closed meanwhile
                    return
                raise
            if self._stopped:  # the row was cut off, it did not fail
                return
            try:
                self.rows.add(key, found)
            except OSError as why:
                self._broke.append(why)
                return


def _theirs(peer: Kvpress, task: int, press: Press) -> Result:
    one = peer.row(task, press)
    return {
        "right": one.right.astype(int).tolist(),
        "resident_bytes": one.resident_bytes,
        "away_bytes": 0,
        "peak_bytes": one.peak_bytes,
        "decoded_bytes": None,
        "prefill_s": one.prefill_s,
        "step_s": None if press.alone else one.decode_s,
        "prefill_split": None,
        "decode_split": None,
    }


def _named(press: System, names: Sequence[str]) -> bool:
    """Whether a press is to run: all, or the full cache and those whose name was given."""
    short = press.name.removeprefix("kvpress ").lower()
    return not names or short == "full" or short.removesuffix("llm") in names


def _budgets(system: System, plan: KvPlan) -> Sequence[float]:
    if system.budgets is not None:
        return system.budgets
    return [budget for budget in plan.budgets if budget < 1 or system.press is None]


class _Desk:
    """Where our rows are measured: both models, read when they are first needed."""

    def __init__(self, plan: KvPlan, checkpoint: Path, asked: Sequence[Exam], seen: Seen) -> None:
        self.plan, self._checkpoint, self._seen = plan, checkpoint, seen
        self._exams = {(exam.name, exam.seed): exam for exam in asked}

    @cached_property
    def _model(self) -> Any:
        from memspan.kv.hf import load_llama

        return load_llama(self._checkpoint)

    @cached_property
    def _text(self) -> Any:
        from memspan.testing.fidelity import trained_text, without_cache

        self._seen.say("the text model")
        text = trained_text(self.plan.folder, progress=self._seen.progress)
        return text, without_cache(text.model, text.held_out[: self.plan.sizes.rows])

    def row(self, system: System, key: Key) -> Result:
        """What one system does in one exam at one budget."""
        from memspan.bench.kv.measured import sat, strayed

        _, budget, exam, seed = key
        if exam == "fidelity":
            text, full = self._text
            return strayed(text, self.plan.sizes.rows, full, system, budget)
        return sat(self._model, self._exams[exam, seed].task, system, budget)


def text_of(result: Result) -> str:
    """As a file has it."""
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"
