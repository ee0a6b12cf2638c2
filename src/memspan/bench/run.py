"""One run: data sets x systems, resumed from what an earlier one left, in one result."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from memspan.bench import datasets, systems
from memspan.bench.answerer import Answerer, Judge
from memspan.bench.answers import Answers
from memspan.bench.cards import card, known
from memspan.bench.cases import DataSet, Found
from memspan.bench.files import find, fingerprint
from memspan.bench.machine import head
from memspan.bench.replies import Replies
from memspan.bench.report import SCHEMA, Board, Resampling, Result
from memspan.bench.sheet import Sheet
from memspan.bench.subsets import stratified
from memspan.bench.work import ABLATION_UNITS, READING, Pair, Work
from memspan.core.errors import UsageError

LEDGER = "ledger.jsonl"
REPLIES = "replies.jsonl"
ANSWERS = "answers.jsonl"
QUICK_QUESTIONS = 40
QUICK_UNITS = 9_000
"""Of all cases of a set together."""
WHOLE_UNITS = 20_000
"""Nobody puts a larger memory before a model at once."""
OURS = ("default", "full", "high", "full-high")
RIVALS = ("bm25", "minilm", "rrf")
"""Ours are compared with these and with every peer on the sets that count in the mean: planned before any run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run.

    data: the user's folder; None = only sets that are made;  out: where everything is written
    sets, systems: names;  lenient: a set that is not there is a notice, no error
    test: ask the test clusters too;  quick: few questions of each set, small cases only
    limit_s: of one system on one data set [s]; None = 30 minutes, one minute for a peer
    vectors: the file of MiniLM vectors, kept from run to run; None = a new one in `out`
    answerer, judge: models that answer from what was packed, and judge the answers; None = no model
    """

    data: Path | None
    out: Path
    sets: Sequence[str]
    systems: Sequence[str]
    lenient: bool = False
    test: bool = False
    quick: bool = False
    limit_s: float | None = None
    jobs: int = 1
    vectors: Path | None = None
    answerer: Answerer | None = None
    judge: Judge | None = None
    resampling: Resampling = field(default_factory=Resampling)


def execute(plan: Plan, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Run the plan, or the part of it that an earlier run into the same folder did not do.

    command: what the user typed, kept in the result;  say: told of progress
    Raises UnknownMethod for an unknown set or system, UsageError where the data of a set is not there.
    """
    start = perf_counter()
    names = list(dict.fromkeys(plan.systems))
    kinds = [systems.facts(name) for name in names]
    plan.out.mkdir(parents=True, exist_ok=True)
    board = Board(plan.resampling)
    answers = Answers(plan.out / ANSWERS, plan.answerer, plan.judge) if plan.answerer else None
    chosen, found, notices = _data(plan)
    before = _begin(plan, command)
    for data in chosen:
        sheet = Sheet.of(data, list(data.read(found[data.name])), test=plan.test)
        board.sheets[data.name] = _quick(sheet, plan.resampling.seed) if plan.quick else sheet
        board.sheets[data.name].answers = answers
    shared = plan.vectors or plan.out / "vectors.db"
    work = Work(board, Replies(plan.out / REPLIES), shared, plan.limit_s, plan.jobs, say)
    work.run([pair for name in names for data in chosen if _fits(board, pair := (data, name))])
    files = _files(chosen, found, plan)
    result: Result = {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(perf_counter() - start, 1),
        "seed": plan.resampling.seed,
        "resamples": plan.resampling.resamples,
        "split": "all" if plan.test else "dev",
        "quick": plan.quick,
        "tests_before": before,
        "systems": [asdict(one) for one in kinds],
        "sets": [_facts(board.sheets[data.name]) for data in chosen],
        "files": files,
        "notices": notices + [_other(one) for one in files if not one["known"]],
        "llm": answers.facts() if answers else None,
        "absent": {name: _plain(why) for name, why in work.absent.items()},
        "results": board.results(),
        "compared": board.compared(_planned(names)),
        "signal": board.signal(),
        "subsets": board.subsets(),
        "macro": board.macro(),
        "common": board.common(),
    }
    _end(plan, result)
    shown: Result = json.loads(_plain(json.dumps(result)))
    return shown


def _data(plan: Plan) -> tuple[list[DataSet], dict[str, Found], list[str]]:
    """The sets whose data are there, their files, and what is to be said of the others."""
    chosen: list[DataSet] = []
    found: dict[str, Found] = {}
    notices: list[str] = []
    for one in datasets.pick(list(plan.sets)):
        try:
            if not one.made and plan.data is None:
                raise UsageError(f"the data of {one.name} come from you: give --data FOLDER")
            found |= find(plan.data, [one]) if plan.data and not one.made else {one.name: {}}
            chosen.append(one)
        except UsageError as why:
            if not plan.lenient:
                raise
            notices.append(f"{one.name} left out: {why}")
    return chosen, found, notices


def _plain(text: str) -> str:
    """The text without the user's home."""
    return text.replace(str(Path.home()), "~")


def _fits(board: Board, pair: Pair) -> bool:
    """Peers, ablations and what reads by itself run on the sets that count in the mean; see also the limits."""
    data, system = pair
    sheet, about = board.sheets[data.name], systems.facts(system)
    units = sum(len(case.units) for case in sheet.cases)
    if about.kind == "ablation":
        return bool(data.family) and 0 < units <= ABLATION_UNITS
    if about.kind == "peer" or system in READING:
        return bool(data.family) and units > 0
    if system == "full-context" and max((len(case.units) for case in sheet.cases), default=0) > WHOLE_UNITS:
        return False
    return units > 0 and (bool(data.family) or not about.vectors or units <= ABLATION_UNITS)


def _planned(names: Sequence[str]) -> list[tuple[str, str]]:
    others = [name for name in names if name in RIVALS or systems.facts(name).kind == "peer"]
    return [(ours, other) for ours in OURS if ours in names for other in others]


def _quick(sheet: Sheet, seed: int) -> Sheet:
    """A stratified choice of questions from the first cases that are not large; one case at least where one is not."""
    allowed: list[int] = []
    room, start = QUICK_UNITS, 0
    for case, some in zip(sheet.cases, sheet.asked, strict=True):
        if len(case.units) <= room:
            allowed += range(start, start + len(some))
            room -= len(case.units)
        start += len(some)
    kept: set[int] = set()
    if allowed:
        names = sheet.categories()
        chosen = stratified([str(names[place]) for place in allowed], min(QUICK_QUESTIONS, len(allowed)), seed=seed)
        kept = {allowed[place] for place in chosen.chosen.tolist()}
    places = iter(range(len(sheet.questions)))
    return sheet.narrowed([[next(places) in kept for _ in some] for some in sheet.asked])


def _facts(sheet: Sheet) -> Result:
    data, about = sheet.data, card(sheet.data.name)
    return {
        "set": data.name,
        "family": data.family,
        "headline": data.metric,
        "level": data.level,
        "protocol": data.protocol,
        "made": data.made,
        "cases": len(sheet.cases),
        "units": sum(len(case.units) for case in sheet.cases),
        "questions": len(sheet.questions),
        "card": {"title": about.title, "licence": about.licence, "source": about.source},
    }


def _files(chosen: Sequence[DataSet], found: dict[str, Found], plan: Plan) -> list[Result]:
    if plan.data is None:
        return []
    folder = plan.data if plan.data.is_dir() else plan.data.parent
    return [
        {
            "set": data.name,
            "part": part,
            "file": path.relative_to(folder).as_posix(),
            "sha256": fingerprint(path),
            "known": known(data.name, path),
        }
        for data in chosen
        for part, paths in found[data.name].items()
        for path in paths
    ]


def _other(file: Result) -> str:
    return (
        f"{file['file']} ({file['set']}) is not the version that docs/benchmarks.md speaks of "
        f"(sha256 {file['sha256'][:12]}...): its figures do not stand beside those"
    )


def _begin(plan: Plan, command: Sequence[str]) -> int:
    """Write down that a run begins; how many before it asked the test clusters."""
    path = plan.out / LEDGER
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    begun = {"row": "run", "at": datetime.now(UTC).isoformat(timespec="seconds"), "test": plan.test}
    _append(path, [begun | {"command": shlex.join(command), "sets": list(plan.sets), "systems": list(plan.systems)}])
    return sum(bool(row.get("test")) for row in rows if row.get("row") == "run")


def _end(plan: Plan, result: Result) -> None:
    kept = ("set", "system", "status", "why", "cases", "questions")
    rows = [
        {"row": "result", "at": result["at"]}
        | {name: one[name] for name in kept}
        | {name: mean["mean"] for name, mean in one["metrics"].items()}
        | dict(one["cost"])
        for one in result["results"]
    ]
    _append(plan.out / LEDGER, rows)


def _append(path: Path, rows: Sequence[Result]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(_plain(json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
