"""Data sets by name. A file here is one data set; it ends with SETS, its parts in the order of the report."""

from importlib import import_module
from pathlib import Path

from memspan.bench.cases import DataSet
from memspan.bench.files import find
from memspan.core.errors import UnknownMethod


def known() -> dict[str, tuple[DataSet, ...]]:
    """Every name that can be asked for: each part alone, and each data set as all its parts.

    >>> [one.name for one in known()["beam"]]
    ['beam-100k', 'beam-500k', 'beam-1m']
    """
    names: dict[str, tuple[DataSet, ...]] = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        sets: tuple[DataSet, ...] = import_module(f"{__name__}.{path.stem}").SETS
        names |= {one.name: (one,) for one in sets}
        if len(sets) > 1:
            names[path.stem.replace("_", "-")] = sets
    return names


LARGE = ("evermem-syn-1m", "factcons-262k-syn")
"""Sets that are asked for by name only: they take long."""


def usual() -> list[str]:
    """The names of all single data sets but the large ones, those with a place in the mean first."""
    every = {one.name: one for sets in known().values() for one in sets if one.name not in LARGE}
    return sorted(every, key=lambda name: (not every[name].family, every[name].made))


def pick(names: list[str]) -> list[DataSet]:
    """The data sets of these names, each once. Raises UnknownMethod where there is none."""
    every = known()
    for name in names:
        if name not in every:
            raise UnknownMethod("bench data set", name, every)
    return list({one.name: one for name in names for one in every[name]}.values())


def real_texts(data: Path) -> list[str]:
    """Texts of all LoCoMo turns under a folder. Raises UsageError where there is no LoCoMo."""
    chosen = pick(["locomo"])[0]
    return [unit.text for case in chosen.read(find(data, [chosen])[chosen.name]) for unit in case.units]
