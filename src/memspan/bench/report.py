"""From score sheets to a result: means with intervals, comparisons, costs. docs/benchmarks.md documents the fields."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.bench.compare import compare, holm, signal_to_noise
from memspan.bench.resampling import draws, intervals
from memspan.bench.runner import Outcome
from memspan.bench.sheet import Floats, Sheet
from memspan.bench.subsets import Subset, at_random, error, medoids, spaced, stratified

SCHEMA = "memspan.bench.run/2"
FAMILIES = ("locomo", "beam", "realmem", "knowme-d3", "lifebench", "madial", "prefeval", "multihop")
TOKENS = "T1000"
"""The figure of equal tokens: evidence in a context of 1,000."""
SUBSET = 40
"""Questions of a subset: as many as a quick run asks of a set."""
FEW_SYSTEMS = 4
SEED = 7
SHOWN = 12
"""Categories of a set are tabled where there are no more."""
Result = dict[str, Any]  # Any: what json.dumps takes
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: bootstrap draws and their seed."""

    resamples: int = 2000
    seed: int = 7


@dataclass(slots=True)
class Costs:
    """What one system took on one data set. status: "done", "cut" or "failed", and why"""

    turns: int = 0
    write_s: float = 0.0
    singles: list[float] = field(default_factory=list)
    bytes_on_disk: int = 0
    peak_rss: int = 0
    cases: int = 0
    status: str = "done"
    why: str = ""

    def add(self, outcome: Outcome) -> None:
        """One case more."""
        self.turns += outcome.turns
        self.write_s += outcome.write_s
        self.singles += outcome.singles
        self.bytes_on_disk += outcome.bytes_on_disk
        self.peak_rss = max(self.peak_rss, outcome.peak_rss)
        self.cases += 1


@dataclass(slots=True)
class Board:
    """Everything scored so far, by data set and system."""

    resampling: Resampling = field(default_factory=Resampling)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    costs: dict[tuple[str, str], Costs] = field(default_factory=dict)

    def begin(self, name: str, system: str) -> None:
        """The system is to run on that set."""
        self.costs.setdefault((name, system), Costs())

    def add(self, name: str, system: str, place: int, outcome: Outcome) -> None:
        """Score one case of a set."""
        self.sheets[name].add(system, place, outcome)
        self.costs[name, system].add(outcome)

    def stop(self, name: str, system: str, status: str, why: str) -> None:
        """The system came no further on that set."""
        costs = self.costs[name, system]
        costs.status, costs.why = status, why

    def results(self) -> list[Result]:
        """One entry a data set and system."""
        return [self.result(name, system) for name, system in self.costs]

    def result(self, name: str, system: str) -> Result:
        """All that is known of one system on one set."""
        sheet, costs = self.sheets[name], self.costs[name, system]
        entry: Result = {
            "set": name,
            "system": system,
            "cases": costs.cases,
            "of_cases": len(sheet.cases),
            "status": costs.status,
            "why": costs.why,
            "headline": sheet.data.metric,
        }
        if system not in sheet.rows:
            return (
                entry
                | {"questions": 0, "clusters": 0, "metrics": {}, "halves": {}}
                | {
                    "by_category": {},
                    "by_rung": {},
                    "cost": {},
                }
            )
        names = sheet.names()
        values, clusters = sheet.values(system, names), sheet.clusters()
        there = ~np.isnan(sheet.read_s[system])
        return entry | {
            "questions": int(there.sum()),
            "clusters": len(set(clusters[there].tolist())),
            "metrics": self._means(names, values[there], clusters[there]),
            "halves": {half: _plain(names, values[there & (sheet.parts() == half)]) for half in ("dev", "test")},
            "by_category": self._by(names, values, clusters, sheet.categories(), there),
            "by_rung": self._rungs(sheet, system, names, there),
            "cost": _cost(costs, sheet.read_s[system][there], values[there], names),
        }

    def _means(self, names: Sequence[str], values: Floats, clusters: NDArray[np.int64]) -> dict[str, Result]:
        """Means and intervals; figures that apply to the same questions are drawn together."""
        found: dict[str, Result] = {}
        known = ~np.isnan(values)
        for rows, columns in _alike(known):
            some = intervals(values[np.ix_(rows, columns)], clusters[rows], **asdict(self.resampling))
            for place, column in enumerate(columns):
                found[names[column]] = {
                    "mean": float(some.mean[place]),
                    "low": _number(some.low[place]),
                    "high": _number(some.high[place]),
                }
        return {name: found[name] for name in names if name in found}

    def _by(
        self, names: Sequence[str], values: Floats, clusters: NDArray[np.int64], labels: NDArray[Any], there: Mask
    ) -> dict[str, Result]:
        found = {}
        for label in np.unique(labels):
            chosen = there & (labels == label)
            if chosen.any() and len(np.unique(labels)) <= SHOWN:
                means = self._means(names, values[chosen], clusters[chosen])
                found[str(label)] = {"questions": int(chosen.sum()), "metrics": means}
        return found

    def _rungs(self, sheet: Sheet, system: str, names: Sequence[str], there: Mask) -> dict[str, Result]:
        rungs = sheet.rungs()
        if not rungs.any():
            return {}
        by = self._by(names, sheet.values(system, names), sheet.clusters(), rungs, there)
        reads = sheet.read_s[system] * 1000
        return {
            rung: entry | {"read_ms_p50": float(np.median(reads[there & (rungs == int(rung))]))}
            for rung, entry in sorted(by.items(), key=lambda one: int(one[0]))
        }

    def compared(self, planned: Sequence[tuple[str, str]]) -> list[Result]:
        """Ours against others on every set of the mean, the headline and equal tokens; Holm over all of one of ours.

        planned: (ours, other), listed before the run
        """
        rows = [
            row
            for ours, other in planned
            for sheet in self.sheets.values()
            if sheet.data.family
            for row in self._pair(sheet, ours, other)
        ]
        for ours in {row["ours"] for row in rows}:
            mine = [row for row in rows if row["ours"] == ours]
            for row, p in zip(mine, holm([row["p"] for row in mine]), strict=True):
                row["p_holm"] = p
        return rows

    def _pair(self, sheet: Sheet, ours: str, other: str) -> Iterator[Result]:
        if ours not in sheet.rows or other not in sheet.rows:
            return
        names = list(dict.fromkeys((sheet.data.metric, TOKENS)))
        mine, theirs = sheet.values(ours, names), sheet.values(other, names)
        both = ~(np.isnan(mine[:, 0]) | np.isnan(theirs[:, 0]))
        if not both.any():
            return
        for place, name in enumerate(names):
            found = compare(mine[both, place], theirs[both, place], sheet.clusters()[both], **asdict(self.resampling))
            yield {"set": sheet.data.name, "metric": name, "ours": ours, "other": other} | asdict(found)

    def signal(self) -> list[Result]:
        """How far the headline tells the systems apart, against its own noise."""
        found = []
        for sheet in self.sheets.values():
            name = sheet.data.metric
            rows = [sheet.values(system, [name])[:, 0] for system in sheet.rows]
            whole = [row for row in rows if not np.isnan(row).any()]
            if len(whole) > 1:
                seen = signal_to_noise(np.stack(whole), sheet.clusters(), **asdict(self.resampling))
                found.append({"set": sheet.data.name, "metric": name, "systems": len(whole)} | asdict(seen))
        return found

    def subsets(self) -> list[Result]:
        """How far a few questions, chosen in three ways or at random, are off the whole: mean over left-out systems."""
        found = []
        for sheet in self.sheets.values():
            rows = [sheet.values(system, [sheet.data.metric])[:, 0] for system in sheet.rows]
            values = np.stack([row for row in rows if not np.isnan(row).any()] or [np.zeros(0)])
            if len(values) > FEW_SYSTEMS and values.shape[1] >= 2 * SUBSET:
                found.append(
                    {"set": sheet.data.name, "metric": sheet.data.metric, "questions": SUBSET} | _off(sheet, values)
                )
        return found

    def macro(self) -> list[Result]:
        """The mean over families, each data set of a family weighing the same inside it: of systems that did all."""
        every = {name: np.ones(len(sheet.questions), np.bool_) for name, sheet in self._counted().items()}
        return [entry for system in self._systems() if (entry := self._macro(system, every))]

    def common(self) -> list[Result]:
        """The same over the questions that every system came to which came to some of each data set."""
        sheets = self._counted()
        there = {
            system: {name: _there(sheet, system) for name, sheet in sheets.items()}
            for system in self._systems()
            if sheets and all(_there(sheet, system).any() for sheet in sheets.values())
        }
        shared = {name: np.logical_and.reduce([some[name] for some in there.values()]) for name in sheets if there}
        if not shared or not all(mask.any() for mask in shared.values()):
            return []
        asked = sum(int(mask.sum()) for mask in shared.values())
        return [{"questions": asked} | entry for system in there if (entry := self._macro(system, shared))]

    def _counted(self) -> dict[str, Sheet]:
        return {name: sheet for name, sheet in self.sheets.items() if sheet.data.family and sheet.questions}

    def _systems(self) -> list[str]:
        return list(dict.fromkeys(system for _, system in self.costs))

    def _macro(self, system: str, asked: Mapping[str, Mask]) -> Result | None:
        families: dict[str, list[Floats]] = {}
        for name, sheet in self._counted().items():
            if not _there(sheet, system)[asked[name]].all():
                return None
            values = sheet.values(system, [sheet.data.metric, TOKENS])[asked[name]]
            drawn = draws(values, sheet.clusters()[asked[name]], **asdict(self.resampling))
            families.setdefault(sheet.data.family, []).append(np.vstack([values.mean(axis=0), drawn]))
        if not families:
            return None
        means = np.stack([np.stack(members).mean(axis=0) for members in families.values()]).mean(axis=0)
        low, high = np.percentile(means[1:], [2.5, 97.5], axis=0)
        shown = {
            name: {"mean": float(means[0, n]), "low": float(low[n]), "high": float(high[n])}
            for n, name in enumerate(("headline", TOKENS))
        }
        return {"system": system, "families": list(families), "of": len(FAMILIES)} | shown


def _there(sheet: Sheet, system: str) -> Mask:
    """(questions,) whether the system answered."""
    if system not in sheet.rows:
        return np.zeros(len(sheet.questions), np.bool_)
    return ~np.isnan(sheet.read_s[system])


def _off(sheet: Sheet, values: Floats) -> dict[str, float]:
    """Mean error of each way to choose SUBSET questions. values: (systems, questions)"""
    categories, features = sheet.categories().tolist(), sheet.features()
    ways: dict[str, Callable[[Floats, int, int], Subset]] = {
        "stratified": lambda others, m, seed: stratified(categories, m, seed=seed),
        "spaced": lambda others, m, seed: spaced(others, m),
        "medoids": lambda others, m, seed: medoids(features, m, seed=seed),
        "random": lambda others, m, seed: at_random(values.shape[1], m, seed=seed),
    }
    return {name: error(values, way, SUBSET, seed=SEED) for name, way in ways.items()}


def _alike(known: Mask) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and columns of figures that are known on the same rows."""
    patterns: dict[bytes, list[int]] = {}
    for column in range(known.shape[1]):
        patterns.setdefault(known[:, column].tobytes(), []).append(column)
    for columns in patterns.values():
        rows = np.flatnonzero(known[:, columns[0]])
        if len(rows):
            yield rows, np.array(columns)


def _plain(names: Sequence[str], values: Floats) -> dict[str, float]:
    counts = (~np.isnan(values)).sum(axis=0)
    sums = np.nansum(values, axis=0)
    return {name: float(sums[n] / counts[n]) for n, name in enumerate(names) if counts[n]}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _cost(costs: Costs, read_s: Floats, values: Floats, names: Sequence[str]) -> Mapping[str, float | int | None]:
    return {
        "turns": costs.turns,
        "write_s": round(costs.write_s, 3),
        "turns_per_s": round(costs.turns / costs.write_s) if costs.write_s else None,
        **_percentiles("write_ms", np.array(costs.singles) * 1000),
        **_percentiles("read_ms", read_s * 1000),
        "bytes_on_disk": costs.bytes_on_disk,
        "peak_rss_mb": round(costs.peak_rss / 2**20, 1),
        "tokens_out": round(float(values[:, names.index("tokens")].mean()), 1),
        "llm_calls": 0,
    }


def _percentiles(name: str, values: Floats) -> dict[str, float | None]:
    if not len(values):
        return {f"{name}_p{p}": None for p in (50, 95, 99)}
    return {f"{name}_p{p}": round(float(np.percentile(values, p)), 3) for p in (50, 95, 99)}
