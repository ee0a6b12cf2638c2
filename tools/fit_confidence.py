"""Fit the weights of recall's confidence on labelled conversations and report how well it is calibrated.

Each question is asked of its own memory (label 1 where a gold turn is among the ten best and the data set calls the
question answerable), of a stranger's memory (label 0), and some of a young memory of twelve turns, which holds one
gold turn or none. Only the dev half of the clusters (bench/split.py) is asked. The weights are fitted on all of it; the
expected calibration error is that of two folds, each judged by weights fitted on the other.

    python tools/fit_confidence.py --data PATH [--setting lite]
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memspan import Memory
from memspan.bench import datasets
from memspan.bench.cases import Case, Question
from memspan.bench.files import find
from memspan.bench.split import part_of
from memspan.text.index.fates import Moment
from memspan.text.recall import confidence

_SETS = "locomo beam-100k beam-500k knowme-d3 lifebench madial-en prefeval hotpotqa 2wiki musique"
SETS = _SETS.split()
MOST_PER_CASE = 200
YOUNG_PER_CASE = 20
YOUNG_TURNS = 12
BINS = 10
RIDGE = 1.0

Rows = list[tuple[str, str, list[float], int]]
"""(data set, cluster, features, label)."""


def asked(memory: Memory, question: Question) -> tuple[list[float], int] | None:
    """Features of a recall, and whether gold is among the ten best."""
    answerer, index = memory._answerer, memory._index
    index.refresh()
    ranking = answerer.ranking(question.text, answerer.index.view(Moment(0.0)))
    if not len(ranking.units):
        return None
    turns = index.store.fetch(index.scope, index.seq[ranking.units[: confidence.TOP]].tolist())
    found = {turn.id for turn in turns.values()} & question.gold
    return confidence.features(ranking, index.count), int(bool(found) and question.answerable)


def rows(data: Path, setting: str, folder: Path) -> Iterator[tuple[str, str, list[float], int]]:
    """All questions of all sets, each asked of its own memory and of the one before it in the list."""
    chosen = datasets.pick(SETS)
    files = find(data, chosen)
    cases: list[tuple[str, Case]] = [(one.name, case) for one in chosen for case in one.read(files[one.name])]
    order = np.random.default_rng(0).permutation(len(cases))
    before: Memory | None = None
    for number, place in enumerate(order):
        name, case = cases[place]
        memory = Memory(folder / f"{number}.mem", scope="fit", setting=setting)
        memory.remember([unit.turn() for unit in case.units])
        step = max(1, len(case.questions) // MOST_PER_CASE)
        for question in case.questions[::step]:
            cluster = f"{name}/{case.cluster_of(question)}"
            if part_of(cluster) != "dev":
                continue
            if question.gold or not question.answerable:
                if (own := asked(memory, question)) is not None:
                    yield name, cluster, *own
                if before is not None and (strange := asked(before, question)) is not None:
                    yield name, cluster, strange[0], 0
        yield from young(case, name, setting, folder / f"{number}")
        if before is not None:
            before.close()
        before = memory
        print(f"\r{number + 1}/{len(cases)} memories", end="", flush=True)
    print()


def young(case: Case, name: str, setting: str, path: Path) -> Iterator[tuple[str, str, list[float], int]]:
    """Some questions asked of a memory of twelve turns, half of them with a gold turn in it."""
    chance = np.random.default_rng(len(case.units))
    gold = [
        question
        for question in case.questions
        if question.gold and question.answerable and part_of(f"{name}/{case.cluster_of(question)}") == "dev"
    ]
    for number, place in enumerate(chance.permutation(len(gold))[:YOUNG_PER_CASE]):
        question = gold[place]
        mine = [unit for unit in case.units if unit.id in question.gold][: number % 2]
        others = [unit for unit in case.units if unit.id not in question.gold]
        picked = [others[one] for one in sorted(chance.permutation(len(others))[: YOUNG_TURNS - len(mine)])]
        with Memory(f"{path}-{number}.mem", scope="fit", setting=setting, durability="process") as memory:
            memory.remember([unit.turn() for unit in (*picked, *mine)])
            if (found := asked(memory, question)) is not None:
                yield "young", f"{name}/{case.cluster_of(question)}", *found


def fit(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of a ridge logistic regression by Newton's method, intercept first; on standardised features."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    theta = np.zeros(z.shape[1])
    ridge = RIDGE * np.eye(len(theta))
    ridge[0, 0] = 0
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ theta))
        gradient = z.T @ (weight * (p - y)) + ridge @ theta
        hessian = (z * (weight * p * (1 - p))[:, None]).T @ z + ridge
        theta -= np.linalg.solve(hessian, gradient)
    raw = theta[1:] / spread
    return np.concatenate([[theta[0] - raw @ mean], raw])


def calibration(p: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, list[str]]:
    """Expected calibration error over ten equally wide bins, and a line a bin."""
    error, lines = 0.0, []
    for low in np.arange(BINS) / BINS:
        inside = (p >= low) & ((p < low + 1 / BINS) | (low == 1 - 1 / BINS))
        if inside.any():
            share = weight[inside].sum() / weight.sum()
            said, true = np.average(p[inside], weights=weight[inside]), np.average(y[inside], weights=weight[inside])
            error += share * abs(said - true)
            lines.append(f"  said {said:.2f}  true {true:.2f}  share {share:.2f}")
    return float(error), lines


def auc(p: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """P(a found one is more confident than one not found)."""
    ranks = np.argsort(np.argsort(p)) + 1
    positive = y.sum()
    return float((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled data sets")
    parser.add_argument("--setting", default="lite", help="recall setting to fit (default lite)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: Rows = list(rows(options.data, options.setting, Path(folder)))
    report(found, options.setting)


def report(found: Rows, setting: str) -> None:
    """Judge each fold by weights fitted on the other, fit on both, print it all."""
    names, clusters, x, y = (list(column) for column in zip(*found, strict=True))
    x, y = np.array(x), np.array(y, np.float64)
    size = {name: names.count(name) for name in set(names)}
    weight = np.array([1000 / size[name] for name in names])  # every data set counts the same
    fold = np.array([sha256(cluster.encode()).digest()[-1] % 2 for cluster in clusters])
    p, before = np.zeros(len(y)), said(x, confidence.WEIGHTS[setting]) if setting in confidence.WEIGHTS else None
    for judged in (0, 1):
        p[fold == judged] = said(x[fold == judged], fit(x[fold != judged], y[fold != judged], weight[fold != judged]))
    error, lines = calibration(p, y, weight)
    print(f"{setting}: {len(y)} recalls; base rate {y.mean():.3f}")
    print(f"expected calibration error {error:.3f}, AUC {auc(p, y):.3f}")
    if before is not None:
        print(f"with the weights as they are: {calibration(before, y, weight)[0]:.3f}, AUC {auc(before, y):.3f}")
    print("\n".join(lines))
    for name in sorted(size):
        here = np.array([one == name for one in names])
        print(f"  {name:12} said {p[here].mean():.2f} true {y[here].mean():.2f} of {here.sum()}")
    print("weights:", ", ".join(f"{value:.4f}" for value in fit(x, y, weight)))


def said(x: NDArray[np.float64], weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """P(found) of each row. weights: intercept first"""
    p: NDArray[np.float64] = 1 / (1 + np.exp(-(weights[0] + x @ np.asarray(weights[1:]))))
    return p


if __name__ == "__main__":
    main()
