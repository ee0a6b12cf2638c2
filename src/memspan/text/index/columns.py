"""A numpy array that grows at its end."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Column:
    """Rows appended in amortised constant time. dtype: of the rows;  width: None for (n,), else (n, width)"""

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._rows: NDArray[Any] = np.zeros((0,) if width is None else (0, width), dtype)  # Any: the caller's dtype
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def view(self) -> NDArray[Any]:
        """All rows; writing into it changes them."""
        return self._rows[: self._count]

    def reserve(self, count: int) -> None:
        """Make room for `count` rows in all, so that a long series of appends copies nothing."""
        if count > len(self._rows):
            grown = np.zeros((count, *self._rows.shape[1:]), self._rows.dtype)
            grown[: self._count] = self.view
            self._rows = grown

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end, (n,) or (n, width).

        >>> column = Column(np.int32)
        >>> column.append(np.array([1, 2])); column.append(np.array([3])); column.view.tolist()
        [1, 2, 3]
        """
        wanted = self._count + len(rows)
        if wanted > len(self._rows):
            self.reserve(max(wanted, 2 * len(self._rows)))
        self._rows[self._count : wanted] = rows
        self._count = wanted
