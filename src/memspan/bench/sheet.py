"""All questions of one data set, and what each system scored on them: a matrix a system, a row a question.

A cell is nan where a system did not come so far, or where the figure does not apply to the question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memspan.bench.answers import Answers
from memspan.bench.cases import Case, DataSet, Question, Unit
from memspan.bench.runner import Outcome
from memspan.bench.scores import Row, context, figures
from memspan.bench.split import Part, part_of
from memspan.bench.tasks import asked

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Sheet:
    """The questions put, in order, and the scores.

    asked: by case, the questions put;  answers: a model that reads, if there is one
    rows: by system, (questions,) figures or None;  read_s: by system, (questions,)
    """

    data: DataSet
    cases: Sequence[Case]
    asked: Sequence[Sequence[Question]]
    answers: Answers | None = None
    rows: dict[str, list[Row | None]] = field(default_factory=dict)
    read_s: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, data: DataSet, cases: Sequence[Case], *, test: bool) -> "Sheet":
        """The questions of the dev clusters, or of all. Cases without one are left out."""
        kept, chosen = [], []
        for case in cases:
            questions = [one for one in asked(case) if test or part(data, case, one) == "dev"]
            if questions:
                kept.append(case)
                chosen.append(questions)
        return cls(data, kept, chosen)

    def narrowed(self, keep: Sequence[Sequence[bool]]) -> "Sheet":
        """Only the questions marked, by case and place."""
        chosen = [
            [one for one, kept in zip(questions, marks, strict=True) if kept]
            for questions, marks in zip(self.asked, keep, strict=True)
        ]
        left = [place for place, questions in enumerate(chosen) if questions]
        return Sheet(self.data, [self.cases[n] for n in left], [chosen[n] for n in left])

    @property
    def questions(self) -> list[tuple[Case, Question]]:
        """Every question with its case, in the order of the rows."""
        return [(case, one) for case, some in zip(self.cases, self.asked, strict=True) for one in some]

    def add(self, system: str, place: int, outcome: Outcome) -> None:
        """Score the outcome of one case."""
        case, questions = self.cases[place], self.asked[place]
        units: Mapping[str, Unit] = {unit.id: unit for unit in case.units}
        start = sum(len(some) for some in self.asked[:place])
        nothing: list[Row | None] = [None] * len(self.questions)
        rows = self.rows.setdefault(system, nothing)
        times = self.read_s.setdefault(system, np.full(len(rows), np.nan))
        for row, (question, reply) in enumerate(zip(questions, outcome.replies, strict=True), start):
            found = figures(question, reply, self.data.level, units)
            if self.answers:
                found |= self.answers.scores(self.data.family, question, units, context(reply))
            rows[row], times[row] = found, reply.read_s

    def names(self) -> list[str]:
        """Every figure that any system has, in order of appearance."""
        every = (row for rows in self.rows.values() for row in rows if row)
        return list(dict.fromkeys(name for row in every for name in row))

    def values(self, system: str, names: Sequence[str]) -> Floats:
        """(questions, figures); nan where there is none."""
        rows = self.rows[system]
        return np.array([[(row or {}).get(name, np.nan) for name in names] for row in rows], dtype=np.float64)

    def clusters(self) -> NDArray[np.int64]:
        """(questions,) numbers, in order of first appearance."""
        named = [case.cluster_of(one) for case, one in self.questions]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
        return np.array([numbers[name] for name in named], dtype=np.int64)

    def parts(self) -> NDArray[np.str_]:
        """(questions,) "dev" or "test"."""
        return np.array([part(self.data, case, one) for case, one in self.questions])

    def categories(self) -> NDArray[np.str_]:
        """(questions,) names; "all" where the set has none."""
        return np.array([one.category or "all" for _, one in self.questions])

    def features(self) -> Floats:
        """(questions, features), each with mean 0 and deviation 1: what a question is like before anybody answers it.

        How much evidence it has, over how many units and how far from the end it lies, its length, its category.
        """
        names = sorted(set(self.categories().tolist()))
        rows = [
            [
                len(one.gold),
                np.log1p(one.visible),
                np.log1p(one.visible - min((place for place in map(_place, one.gold) if place is not None), default=0)),
                len(one.text.split()),
                *(float((one.category or "all") == name) for name in names),
            ]
            for _, one in self.questions
        ]
        raw = np.array(rows, np.float64)
        scaled: Floats = (raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), 1e-9)
        return scaled

    def rungs(self) -> NDArray[np.int64]:
        """(questions,) sizes on the ladder, 0 = no ladder."""
        return np.array([case.rung for case, _ in self.questions], dtype=np.int64)


def _place(name: str) -> int | None:
    """Where a unit stands; None for a session."""
    return int(name[1:]) if name[:1] == "u" and name[1:].isdigit() else None


def part(data: DataSet, case: Case, question: Question) -> Part:
    """The half the question belongs to: on a ladder the same one on every rung."""
    cluster = case.cluster_of(question)
    return part_of(cluster if case.rung else f"{data.name}/{cluster}")
