"""From outcomes to a result: JSON for machines, Markdown for readers. docs/benchmarks.md documents the fields."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memspan.bench.cases import Case, DataSet
from memspan.bench.runner import Outcome, questions_of
from memspan.bench.scores import Mean, Table, figures, interval

SCHEMA = "memspan.bench.run/1"
BASELINE = "bm25"
FAMILIES = ("locomo", "beam", "realmem", "knowme-d3", "lifebench", "madial", "prefeval", "multihop")
INSTRUCTIONS = "instruction_following"
Result = dict[str, Any]  # Any: what json.dumps takes


@dataclass(frozen=True, slots=True)
class Scored:
    """One system on one data set."""

    data: DataSet
    system: str
    table: Table
    categories: NDArray[np.str_]
    keys: list[tuple[str, str]]
    cost: Result

    def headline(self) -> Table:
        """The headline figure, and evidence at 1,000 tokens."""
        chosen = [self.table.names.index(self.data.metric), self.table.names.index("T1000")]
        return Table(("headline", "T1000"), self.table.clusters, self.table.values[:, chosen])


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: bootstrap draws and their seed."""

    resamples: int = 1000
    seed: int = 7


@dataclass(slots=True)
class Board:
    """Everything scored so far. absent: system -> why it could not run"""

    resampling: Resampling = field(default_factory=Resampling)
    scored: dict[tuple[str, str], Scored] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, data: DataSet, system: str, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> None:
        """Score one system on one data set; a set without a question adds nothing."""
        one = score(data, system, cases, outcomes)
        if one is not None:
            self.scored[data.name, system] = one

    def results(self) -> list[Result]:
        """One entry a data set and system."""
        return [self._result(one) for one in self.scored.values()]

    def _means(self, table: Table) -> dict[str, Result]:
        means = table.means(self.resampling.resamples, self.resampling.seed)
        return {name: asdict(mean) for name, mean in means.items()}

    def _result(self, one: Scored) -> Result:
        base = self.scored.get((one.data.name, BASELINE))
        paired = self._means(one.table.minus(base.table)) if base and base is not one else None
        return {
            "set": one.data.name,
            "system": one.system,
            "headline": one.data.metric,
            "questions": len(one.keys),
            "clusters": len(set(one.table.clusters.tolist())),
            "metrics": self._means(one.table),
            "by_category": {
                str(name): self._category(one, one.categories == name) for name in np.unique(one.categories)
            },
            f"minus_{BASELINE}": paired,
            "cost": one.cost,
        }

    def _category(self, one: Scored, chosen: NDArray[np.bool_]) -> Result:
        return {"questions": int(chosen.sum()), "metrics": self._means(one.table.only(chosen))}

    def systems(self) -> list[str]:
        """Names of the systems that ran."""
        return list(dict.fromkeys(system for _, system in self.scored))

    def macro(self) -> list[Result]:
        """The mean over families, each data set of a family weighing the same inside it."""
        return [self._macro(system) for system in self.systems()]

    def _macro(self, system: str) -> Result:
        families = self._families(system)
        entry: Result = {"system": system, "families": list(families), "of": len(FAMILIES)}
        if families:
            entry |= {name: asdict(mean) for name, mean in self._mean_of(families, None).items()}
        if families and system != BASELINE and self._families(BASELINE).keys() == families.keys():
            difference = self._mean_of(families, self._families(BASELINE))
            entry[f"minus_{BASELINE}"] = {name: asdict(mean) for name, mean in difference.items()}
        return entry

    def _families(self, system: str) -> dict[str, list[Scored]]:
        found: dict[str, list[Scored]] = {}
        for one in self.scored.values():
            if one.system == system and one.data.family:
                found.setdefault(one.data.family, []).append(one)
        return found

    def _mean_of(
        self, families: Mapping[str, Sequence[Scored]], base: Mapping[str, Sequence[Scored]] | None
    ) -> dict[str, Mean]:
        """Each data set is resampled by itself; the draws are then averaged like the means."""
        centres: list[NDArray[np.float64]] = []
        draws: list[NDArray[np.float64]] = []
        for family, members in families.items():
            tables = [one.headline() for one in members]
            if base:
                tables = [mine.minus(other.headline()) for mine, other in zip(tables, base[family], strict=True)]
            centres.append(np.stack([table.values.mean(axis=0) for table in tables]).mean(axis=0))
            resampled = [
                table.resampled(self.resampling.resamples, self.resampling.seed + place)
                for place, table in enumerate(tables, 101 * len(draws))
            ]
            draws.append(np.stack(resampled).mean(axis=0))
        return interval(("headline", "T1000"), np.stack(centres).mean(axis=0), np.stack(draws).mean(axis=0))

    def instruction(self) -> list[Result]:
        """BEAM's standing instructions: evidence in 1,000 tokens, their block counted within them."""
        found = []
        for system in self.systems():
            tables = [
                one.table.only(one.categories == INSTRUCTIONS)
                for one in self.scored.values()
                if one.system == system and one.data.family == "beam" and (one.categories == INSTRUCTIONS).any()
            ]
            if tables:
                found.append({"system": system, **self._pooled(tables)})
        return found

    def _pooled(self, tables: Sequence[Table]) -> Result:
        offsets = np.cumsum([0, *(int(table.clusters.max()) + 1 for table in tables)])
        clusters = [table.clusters + offset for table, offset in zip(tables, offsets, strict=False)]
        values = np.concatenate([table.values for table in tables])
        means = self._means(Table(tables[0].names, np.concatenate(clusters), values))
        return {"questions": len(values), **{name: means[name] for name in ("T1000", "T1000 ranked", "R@10")}}

    def rows(self) -> list[Result]:
        """Every figure of every question."""
        return [
            {"set": one.data.name, "system": one.system, "case": case, "question": key, "category": str(category)}
            | dict(zip(one.table.names, values.tolist(), strict=True))
            for one in self.scored.values()
            for (case, key), category, values in zip(one.keys, one.categories, one.table.values, strict=True)
        ]


def score(data: DataSet, system: str, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Scored | None:
    """All questions with gold of one data set; None where there is none."""
    rows, clusters, categories, keys = [], [], [], []
    for case, outcome in zip(cases, outcomes, strict=True):
        session_of = {unit.id: unit.session for unit in case.units}
        for question, reply in zip(questions_of(case), outcome.replies, strict=True):
            rows.append(figures(question, reply, data.level, session_of))
            clusters.append(f"{case.id}/{question.cluster}")
            categories.append(question.category or "all")
            keys.append((case.id, question.id))
    if not rows:
        return None
    return Scored(data, system, Table.of(rows, clusters), np.array(categories), keys, costs(outcomes))


def costs(outcomes: Sequence[Outcome]) -> Result:
    """Time and room taken, over all cases."""
    reads = np.array([reply.read_s for outcome in outcomes for reply in outcome.replies]) * 1000
    turns, write_s = sum(one.turns for one in outcomes), sum(one.write_s for one in outcomes)
    return {
        "turns": turns,
        "write_s": round(write_s, 3),
        "turns_per_s": round(turns / write_s) if write_s else None,
        "read_ms_p50": round(float(np.percentile(reads, 50)), 3),
        "read_ms_p95": round(float(np.percentile(reads, 95)), 3),
        "bytes_on_disk": sum(one.bytes_on_disk for one in outcomes),
    }
