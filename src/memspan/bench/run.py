"""One run: data sets x systems, in one table."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from memspan.bench import datasets, systems
from memspan.bench.cases import Case, DataSet, Found
from memspan.bench.files import find, fingerprint
from memspan.bench.machine import machine, versions
from memspan.bench.report import SCHEMA, Board, Resampling, Result
from memspan.bench.runner import job_of, run, watched
from memspan.core.errors import MissingExtra, MissingModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. data: the user's folder;  limit_cases: only the first so many cases of each set"""

    data: Path
    sets: Sequence[str]
    systems: Sequence[str]
    limit_cases: int | None = None
    jobs: int = 1
    resampling: Resampling = field(default_factory=Resampling)


def execute(plan: Plan, command: Sequence[str]) -> tuple[Result, Board]:
    """Run the plan. command: what the user typed, kept in the result

    Raises UnknownMethod for an unknown set or system, UsageError where the data of a set is not there.
    """
    start = perf_counter()
    chosen = datasets.pick(list(plan.sets))
    board = Board(plan.resampling)
    present = [name for name in dict.fromkeys(plan.systems) if _present(name, board)]
    found = find(plan.data, chosen)
    facts = []
    for data in chosen:
        cases = list(data.read(found[data.name]))[: plan.limit_cases]
        facts.append(_facts(data, cases))
        for name in present:
            _run(board, data, name, cases, plan.jobs)
    result = _result(plan, board, command, perf_counter() - start)
    return result | {"sets": facts, "files": _files(chosen, found, plan.data)}, board


def _present(name: str, board: Board) -> bool:
    """Whether the system can be made here; if not, the board says why."""
    with TemporaryDirectory(prefix="memspan-bench-") as folder:
        try:
            systems.load(name)(Path(folder)).close()
        except (MissingExtra, MissingModel) as why:
            board.absent[name] = str(why).replace(str(Path.home()), "~")
            return False
    return True


def _run(board: Board, data: DataSet, system: str, cases: Sequence[Case], processes: int) -> None:
    jobs = [job_of(data, case, system) for case in cases]
    outcomes = watched(run(jobs, processes), len(jobs), f"{data.name}, {system}")
    board.add(data, system, cases, list(outcomes))


def _facts(data: DataSet, cases: Sequence[Case]) -> Result:
    questions = [one for case in cases for one in case.questions]
    return {
        "set": data.name,
        "family": data.family,
        "headline": data.metric,
        "level": data.level,
        "cases": len(cases),
        "units": sum(len(case.units) for case in cases),
        "questions": len(questions),
        "scored": sum(bool(one.gold) for one in questions),
    }


def _files(chosen: Sequence[DataSet], found: dict[str, Found], root: Path) -> list[Result]:
    folder = root if root.is_dir() else root.parent
    return [
        {"set": data.name, "part": part, "file": path.relative_to(folder).as_posix(), "sha256": fingerprint(path)}
        for data in chosen
        for part, paths in found[data.name].items()
        for path in paths
    ]


def _result(plan: Plan, board: Board, command: Sequence[str], seconds: float) -> Result:
    return {
        "schema": SCHEMA,
        "command": shlex.join(command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": machine(),
        "versions": versions(),
        "seed": plan.resampling.seed,
        "resamples": plan.resampling.resamples,
        "limit_cases": plan.limit_cases,
        "absent": board.absent,
        "results": board.results(),
        "macro": board.macro(),
        "instruction": board.instruction(),
    }
