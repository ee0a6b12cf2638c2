"""What the index of a scope was before something was erased: vectors whose surroundings stayed need not be made again.

Making all rows of the planes anew is two thirds of what a forgotten turn costs at the next recall.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from memspan.text.index.flat import Flat, Ints, common_size


class Before:
    """An index that is no more.

    seq: rows in the file, (count + 1,);  neighbours: (count + 1, 2 REACH + 1);  flats: its planes, by embedder
    """

    def __init__(self, seq: NDArray[np.int64], neighbours: Ints, flats: Mapping[str, Flat]) -> None:
        self._seq, self._neighbours, self._flats = seq, neighbours, flats

    def give(self, name: str, flat: Flat, seq: NDArray[np.int64], neighbours: Ints) -> NDArray[np.int64]:
        """Hand the rows that are still right over to an empty plane; the units whose rows it has to make itself.

        seq, neighbours: of the index now. Nothing is handed over where the common direction may be another.
        """
        old = self._flats[name]
        first = common_size(len(seq) - 1) if flat.remove_common else 0
        whole = old.count == len(self._seq) - 1
        if not whole or old.common_of != first or not np.array_equal(self._seq[: first + 1], seq[: first + 1]):
            return np.empty(0, np.int64)
        theirs = np.minimum(np.searchsorted(self._seq, seq), len(self._seq) - 1)
        same = (self._seq[self._neighbours[theirs]] == seq[neighbours]).all(axis=1)
        flat.take_over(old, np.where(same, theirs, 0))
        return np.flatnonzero(~same)
