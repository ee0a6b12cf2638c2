"""What a system derives from what it is told: extraction and update, scored point by point without a judge.

Source: HaluMem (MemTensor 2025, arXiv:2511.03506) and its eval/evaluation.py, whose formulas stand beside each figure.
Ours differs: a derived fact and a stated one are compared as (subject, attribute, normalised value), not by a model;
"(all)" is reported, which divides by everything. The points are those of halumem-syn: no score of that benchmark.
Protocol: a session is told, then what the system newly derived is read back. A system that keeps turns and derives
nothing has no such figures; one that derives nothing wrong because it derives nothing has a perfect `interference`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple, Protocol, runtime_checkable

from memspan.bench import systems
from memspan.bench.cases import Case, Unit
from memspan.bench.datasets.halumem_syn import Point, attributes, points
from memspan.bench.machine import head, line
from memspan.bench.systems import System
from memspan.bench.systems.default import Default
from memspan.bench.tables import table
from memspan.bench.use import normal
from memspan.text.extract.statements import statement

SCHEMA = "memspan.bench.operations/1"
Result = dict[str, Any]  # Any: what json.dumps takes
_FIRST_PERSON = frozenset({"i", "me", "my", "user", "the user"})


class Fact(NamedTuple):
    """Something derived. source_id: the turn it comes from, empty where the system does not say"""

    subject: str
    attribute: str
    value: str
    source_id: str = ""


@runtime_checkable
class Derives(Protocol):
    """A system that can say what it derived."""

    def facts(self) -> list[Fact]:
        """What holds by its account, now."""
        ...


class DefaultFacts(Default):
    """memspan as it comes, with what it reads out of turns: statements of things that have one value at a time.

    Those that a later turn has put out of date are left out, as recall says of them.
    """

    def facts(self) -> list[Fact]:
        """One a turn, at most."""
        return [
            Fact(found.subject, found.relation, found.value, turn.id)
            for turn in self._memory.turns()
            if (found := statement(turn.text, turn.speaker)) is not None and not found.ended and self._holds(turn)
        ]

    def _holds(self, turn: Any) -> bool:
        hits = self._memory.recall(turn.text, tokens=None, limit=50)
        return next((hit.status == "active" for hit in hits if hit.id == turn.id), True)


def made(name: str, folder: Path) -> System:
    """A system that can be asked for what it derived, if it derives anything."""
    return DefaultFacts(folder) if name == "default" else systems.load(name)(folder)


@dataclass(slots=True)
class Tally:
    """Counts over all cases.

    whole: points of which everything was derived;  weight, weighted: importance of the points, and of what was derived
    matched, right: derived facts about a stated (subject, attribute), and those with its value
    withstood: points not to be believed of which nothing was derived;  fabricated: facts that no turn states
    updates: how each change was followed
    """

    stated: int = 0
    whole: int = 0
    weight: float = 0.0
    weighted: float = 0.0
    derived: int = 0
    matched: int = 0
    scored: float = 0.0
    right: float = 0.0
    tempting: int = 0
    withstood: int = 0
    fabricated: int = 0
    updates: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("correct", "hallucination", "omission", "other"), 0)
    )

    def figures(self) -> dict[str, float]:
        """HaluMem's figures [0..1], over everything."""
        recall, target = _part(self.whole, self.stated), _part(self.right, self.matched)
        changes = sum(self.updates.values())
        return {
            "recall": recall,
            "weighted recall": _part(self.weighted, self.weight),
            "target accuracy": target,
            "accuracy": _part(self.scored, self.derived),
            "interference": _part(self.withstood, self.tempting),
            "F1": _part(2 * recall * target, recall + target),
            "fabrications": _part(self.fabricated, self.derived),
            **{f"update {name}": _part(count, changes) for name, count in self.updates.items()},
        }


def _part(some: float, of: float) -> float:
    return round(some / of, 4) if of else 0.0


def followed(case: Case, said: Sequence[Point], system: System) -> Tally | None:
    """Tells a case session by session and scores what the system derives; None where it cannot say."""
    if not isinstance(system, Derives):
        return None
    tally, seen = Tally(), set[Fact]()
    units = {unit.id: unit for unit in case.units}
    for session in dict.fromkeys(unit.session for unit in case.units):
        system.remember([unit.turn() for unit in case.units if unit.session == session])
        now = system.facts()
        fresh = [one for one in now if one not in seen]
        seen.update(now)
        told = [point for point in said if point.session == session]
        _extraction(tally, told, fresh, units)
        _updates(tally, told, now, units)
    return tally


def _extraction(tally: Tally, told: Sequence[Point], fresh: Sequence[Fact], units: Mapping[str, Unit]) -> None:
    user = _user(units)
    for point in told:
        score = max((_score(one, point, user) for one in fresh), default=0)
        if point.kind == "interference":
            vague = any(_score(one, point, user) and one.source_id == point.unit for one in fresh)
            tally.tempting += 1
            tally.withstood += score < 2 and not vague
            continue
        tally.stated += 1
        tally.whole += score == 2
        tally.weight += point.importance
        tally.weighted += 0.5 * score * point.importance
    true = [point for point in told if point.kind != "interference"]
    for one in fresh:
        score = max((_score(one, point, user) for point in true), default=0)
        about = any(_same_thing(one, point, user) for point in true)
        tally.derived += 1
        tally.scored += 0.5 * score
        tally.matched += about
        tally.right += 0.5 * score if about else 0.0
        tally.fabricated += not _stated(one, units)


def _updates(tally: Tally, told: Sequence[Point], now: Sequence[Fact], units: Mapping[str, Unit]) -> None:
    """How each change of this session stands afterwards.

    correct: the new value alone;  hallucination: some other value;  omission: nothing, or the old value;  other: both
    """
    user = _user(units)
    for point in (one for one in told if one.before):
        values = {normal(one.value) for one in now if _same_thing(one, point, user)}
        new, old = normal(point.value) in values, normal(point.before) in values
        if values - {normal(point.value), normal(point.before)} and not new:
            outcome = "hallucination"
        elif new:
            outcome = "other" if old else "correct"
        else:
            outcome = "omission"
        tally.updates[outcome] += 1


def _score(one: Fact, point: Point, user: str) -> int:
    """2 = all of it, 1 = the value is missing, 0 = not about it or another value."""
    if not _same_thing(one, point, user):
        return 0
    return 2 if normal(one.value) == normal(point.value) else int(not one.value.strip())


def _same_thing(one: Fact, point: Point, user: str) -> bool:
    """Whether both say something of one attribute of somebody. "Sam: sister's car" is "my sister: car"."""
    owner, _, attribute = one.attribute.rpartition("'s ")
    subject = normal(owner or one.subject).removeprefix(f"{user} ").removeprefix("my ")
    wanted = normal(point.subject).removeprefix("my ")
    mine = subject in _FIRST_PERSON or subject == user
    if mine != (wanted == "i") or not (mine or subject == wanted):
        return False
    material = attributes()[point.attribute]
    return normal(attribute) in {normal(name) for name in (point.attribute, *material["aliases"])}


def _stated(one: Fact, units: Mapping[str, Unit]) -> bool:
    """Whether the words of the value stand in the turn it cites; in any turn where it cites none."""
    texts = [units[one.source_id].text] if one.source_id in units else [unit.text for unit in units.values()]
    wanted = set(normal(one.value).split())
    return any(wanted <= set(normal(text).split()) for text in texts)


def _user(units: Mapping[str, Unit]) -> str:
    return next(normal(unit.speaker) for unit in units.values() if unit.role == "user")


def measure(names: Sequence[str], command: Sequence[str]) -> Result:
    """Runs the systems over all cases. Raises UnknownMethod where there is none of a name."""
    start = perf_counter()
    return {
        **head(SCHEMA, command),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "results": [_measured(name) for name in names],
        "seconds": round(perf_counter() - start, 1),
    }


def _measured(name: str) -> Result:
    total: Tally | None = None
    for case, said in points():
        with TemporaryDirectory(prefix="memspan-bench-") as folder:
            system = made(name, Path(folder))
            try:
                tally = followed(case, said, system)
            finally:
                system.close()
        if tally is None:
            return {"system": name, "derives": False, "counts": {}, "figures": {}}
        total = tally if total is None else _sum(total, tally)
    assert total is not None  # there are cases
    return {"system": name, "derives": True, "counts": asdict(total), "figures": total.figures()}


def _sum(one: Tally, other: Tally) -> Tally:
    mine, theirs = asdict(one), asdict(other)
    updates = {name: mine["updates"][name] + theirs["updates"][name] for name in mine["updates"]}
    return Tally(**{name: mine[name] + theirs[name] for name in mine if name != "updates"}, updates=updates)


def markdown(result: Result) -> str:
    """The result as a table."""
    names = list(Tally().figures())
    return (
        "\n\n".join(
            [
                "# memspan bench operations",
                f"`{result['command']}`",
                f"{result['at']}; {line(result['machine'], result['versions'])}.",
                "Facts of halumem-syn, which is generated: not a score of the benchmark it is named after."
                " A system that derives no facts shows '-'.",
                table(["figure", *(one["system"] for one in result["results"])], list(_rows(result, names))),
            ]
        )
        + "\n"
    )


def _rows(result: Result, names: Sequence[str]) -> Iterator[list[str]]:
    for name in names:
        yield [name, *(str(one["figures"].get(name, "-")) for one in result["results"])]
    for name in ("stated", "derived", "tempting"):
        yield [f"{name} (count)", *(str(one["counts"].get(name, "-")) for one in result["results"])]
