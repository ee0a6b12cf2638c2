"""A small linear programme, solved: Dantzig's simplex method in two phases, with Bland's rule so that it ends.

Source: V. Chvatal, "Linear Programming", 1983, chapters 2, 3 and 8. Dense, in floating point, rows scaled to 1: meant
for tens of variables.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from memspan.core.errors import UsageError

TINY = 1e-9

Row = Sequence[float]


@dataclass(slots=True)
class Programme:
    """Least cost . x with x >= 0 under constraints that are added one by one.

    >>> programme = Programme([-1.0, -2.0])
    >>> programme.at_most([1.0, 1.0], 4.0)
    >>> programme.at_most([0.0, 1.0], 3.0)
    >>> programme.solve()
    [1.0, 3.0]
    """

    cost: list[float]
    _less: list[tuple[list[float], float]] = field(default_factory=list)
    _same: list[tuple[list[float], float]] = field(default_factory=list)

    def at_most(self, row: Row, bound: float) -> None:
        """row . x <= bound"""
        self._less.append(_scaled(row, bound, len(self.cost)))

    def exactly(self, row: Row, bound: float) -> None:
        """row . x = bound"""
        self._same.append(_scaled(row, bound, len(self.cost)))

    def solve(self) -> list[float] | None:
        """The best x, or None where no x fulfils all. Raises UsageError where the cost has no lower end."""
        table, basis, columns = self._table()
        wanted = [1.0 if column >= columns else 0.0 for column in range(len(table[0]) - 1)]
        _descend(table, basis, wanted, len(wanted))
        short = sum(row[-1] for row, column in zip(table, basis, strict=True) if column >= columns)
        if short > TINY * max(1, len(table)):
            return None
        table, basis = _without_artificial(table, basis, columns)
        _descend(table, basis, self.cost + [0.0] * (len(wanted) - len(self.cost)), columns)
        found = [0.0] * len(wanted)
        for row, column in zip(table, basis, strict=True):
            found[column] = row[-1]
        return found[: len(self.cost)]

    def _table(self) -> tuple[list[list[float]], list[int], int]:
        """Rows with slack variables, then one artificial variable a row, which form the first basis."""
        rows = [(row, bound, at) for at, (row, bound) in enumerate(self._less)]
        rows += [(row, bound, -1) for row, bound in self._same]
        columns = len(self.cost) + len(self._less)
        table = []
        for number, (row, bound, slack) in enumerate(rows):
            sign = -1.0 if bound < 0 else 1.0
            slacks = [sign if at == slack else 0.0 for at in range(len(self._less))]
            helpers = [1.0 if at == number else 0.0 for at in range(len(rows))]
            table.append([sign * value for value in row] + slacks + helpers + [sign * bound])
        return table, list(range(columns, columns + len(rows))), columns


def _scaled(row: Row, bound: float, width: int) -> tuple[list[float], float]:
    if len(row) != width:
        raise UsageError(f"a constraint over {len(row)} variables, but the cost has {width}")
    most = max((abs(value) for value in row), default=0.0) or 1.0
    return [value / most for value in row], bound / most


def _descend(table: list[list[float]], basis: list[int], cost: list[float], columns: int) -> None:
    """Pivot until no column below `columns` makes the cost less."""
    while True:
        entering = _entering(table, basis, cost, columns)
        if entering is None:
            return
        leaving = [at for at, row in enumerate(table) if row[entering] > TINY]
        if not leaving:
            raise UsageError("the cost falls without end: a constraint is missing")
        at = min(leaving, key=lambda row: (table[row][-1] / table[row][entering], basis[row]))
        _pivot(table, at, entering)
        basis[at] = entering


def _without_artificial(
    table: list[list[float]], basis: list[int], columns: int
) -> tuple[list[list[float]], list[int]]:
    """The same with every artificial variable out of the basis; rows that say nothing new are left out."""
    for at, variable in enumerate(basis):
        column = next((column for column in range(columns) if abs(table[at][column]) > TINY), None)
        if variable >= columns and column is not None:
            _pivot(table, at, column)
            basis[at] = column
    kept = [at for at, variable in enumerate(basis) if variable < columns]
    return [table[at] for at in kept], [basis[at] for at in kept]


def _entering(table: list[list[float]], basis: list[int], cost: list[float], columns: int) -> int | None:
    """The first column that pays (Bland)."""
    paid = [cost[column] for column in basis]
    most = max((abs(value) for value in cost), default=0.0) or 1.0
    for column in range(columns):
        gain = cost[column] - sum(price * row[column] for price, row in zip(paid, table, strict=True) if price)
        if gain < -TINY * most:
            return column
    return None


def _pivot(table: list[list[float]], at: int, column: int) -> None:
    by = table[at][column]
    table[at] = [value / by for value in table[at]]
    for other, row in enumerate(table):
        if other != at and row[column]:
            factor = row[column]
            table[other] = [value - factor * part for value, part in zip(row, table[at], strict=True)]
