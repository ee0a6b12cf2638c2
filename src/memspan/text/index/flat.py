"""Dense search: one int8 plane with a scale per row, scanned whole.

A cosine is off by about .001, a hundredth of the spread of cosines in a scope: the ranking of a sum of arms does not
feel it, and float16 rows to rescore the best would cost twice the memory and a tenth of a second per 100,000 turns.

A unit's row is its vector with those of its neighbours in the session added, which equals encoding the turn together
with its neighbours, at no second encoding. First the collection's common direction is taken out where the embedder
asks for it.
The common direction is that of the first 64, 128, ... up to 8,192 units: it depends only on the log's beginning, so an
index grown turn by turn equals one built at once, and past 8,192 units an appended turn touches its neighbours only.

Source: Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", section 3 (common direction).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from memspan.text.index import kernels
from memspan.text.index.columns import Column

FIRST_COMMON = 64
LAST_COMMON = 8192
_CHUNK = 4096

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int32]
FetchHalves = Callable[[Ints], Halves]
"""Own vectors of some units, (len(units), dim) float16, zeros where there is none; unit 0 is nobody."""


class Flat:
    """Windowed vectors of one scope and one embedder; units are numbered 1, 2, ..., 0 is nobody.

    dim: width;  kappa: weights of the unit itself and its 1st, 2nd, 3rd neighbour;  remove_common: see above
    common, common_of: the common direction, (dim,), and of how many first units it is
    """

    def __init__(self, dim: int, kappa: tuple[float, ...], *, remove_common: bool) -> None:
        self.dim, self.kappa, self.remove_common = dim, kappa, remove_common
        self.common: Floats | None = None
        self.common_of = 0
        self._clear()

    def _clear(self) -> None:
        self._byte = Column(np.int8, self.dim)
        self._scale = Column(np.float32)
        self._put_rows(np.zeros((1, self.dim), np.float32))

    @property
    def count(self) -> int:
        return len(self._scale) - 1

    def grow(self, neighbours: Ints, touched: Ints, fetch: FetchHalves) -> None:
        """Bring the plane up to date.

        neighbours: (units + 1, 2 reach + 1) of all units, itself first, then -1, +1, -2, +2, ...; 0 = nobody
        touched: units already here whose neighbours changed;  fetch: reads own vectors
        """
        total = len(neighbours) - 1
        wanted = common_size(total) if self.remove_common else 0
        if wanted != self.common_of:
            self.common, self.common_of = _common(fetch(np.arange(1, wanted + 1, dtype=np.int32))), wanted
            self._clear()
            touched = touched[:0]
        for start in range(0, len(touched), _CHUNK):
            some = touched[start : start + _CHUNK]
            self._replace_rows(some, self._windowed(neighbours[some], fetch))
        if total > 2 * self.count:
            for column in (self._byte, self._scale):
                column.reserve(_with_slack(total))
        for start in range(self.count + 1, total + 1, _CHUNK):
            self._put_rows(self._windowed(neighbours[start : min(start + _CHUNK, total + 1)], fetch))

    def take_over(self, old: "Flat", units: NDArray[np.int64]) -> None:
        """Begin with rows of another plane, made with the same common direction.

        units: theirs, for each of ours (count + 1,); 0 = a row of zeros, to be made by `grow`
        """
        self.common, self.common_of = old.common, old.common_of
        self._byte, self._scale = Column(np.int8, self.dim), Column(np.float32)
        for column, rows in ((self._byte, old._byte), (self._scale, old._scale)):
            column.reserve(_with_slack(len(units)))
            column.append(rows.view[units])

    def _windowed(self, neighbours: Ints, fetch: FetchHalves) -> Floats:
        """Unit rows sum_k kappa_k v_{i+k}, (len(neighbours), dim)."""
        needed, places = np.unique(neighbours, return_inverse=True)
        own = self._without_common(fetch(needed.astype(np.int32)).astype(np.float32))
        own[needed == 0] = 0
        places = places.reshape(neighbours.shape)
        rows = own[places[:, 0]] * np.float32(self.kappa[0])
        for column in range(1, neighbours.shape[1]):
            rows += own[places[:, column]] * np.float32(self.kappa[(column + 1) // 2])
        return _unit(rows)

    def _without_common(self, vectors: Floats) -> Floats:
        if self.common is None:
            return vectors
        return _unit(vectors - np.outer(vectors @ self.common, self.common))

    def _put_rows(self, rows: Floats) -> None:
        bytes_, scale = _quantised(rows)
        self._byte.append(bytes_)
        self._scale.append(scale)

    def _replace_rows(self, units: Ints, rows: Floats) -> None:
        self._byte.view[units], self._scale.view[units] = _quantised(rows)

    def prepare(self, vector: Floats) -> Floats:
        """A question's vector as this plane compares it: common direction out, unit length. (dim,) float32"""
        prepared: Floats = _unit(self._without_common(vector[None]))[0]
        return prepared

    def scan(self, query: Floats) -> Floats:
        """Cosines of all units to a prepared query; (count + 1,) float32, [0] is 0."""
        packed, scale = _quantised(query[None].copy())
        cosines: Floats = kernels.dots(packed[0], self._byte.view) * (self._scale.view * scale[0])
        return cosines

    def rows(self, units: NDArray[np.int64]) -> Floats:
        """Windowed vectors of some units, (len(units), dim) float32."""
        rows: Floats = self._byte.view[units].astype(np.float32) * self._scale.view[units][:, None]
        return rows

    def some(self, query: Floats, units: NDArray[np.int64]) -> Floats:
        """Cosines of some units to a prepared query, (len(units),) float32."""
        cosines: Floats = (self._byte.view[units].astype(np.float32) @ query) * self._scale.view[units]
        return cosines


def _with_slack(rows: int) -> int:
    """So many rows that the next turn copies nothing."""
    return rows + rows // 8 + 64


def common_size(units: int) -> int:
    """Of how many first units the common direction is, where there are so many in all."""
    if units < FIRST_COMMON:
        return 0
    return int(min(LAST_COMMON, 1 << (units.bit_length() - 1)))


def _common(halves: Halves) -> Floats | None:
    """First uncentred principal direction, (dim,); None of nothing."""
    if not len(halves) or not halves.any():
        return None
    rows = np.nan_to_num(halves.astype(np.float32), posinf=0, neginf=0)  # a damaged vector must not spoil it
    moment = (rows.T @ rows).astype(np.float64)
    directions: NDArray[np.float64] = np.linalg.eigh(moment).eigenvectors
    return directions[:, -1].astype(np.float32)


def _unit(rows: Floats) -> Floats:
    """Rows of length 1; zeros stay zeros, and a row that a damaged file made infinite becomes zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not (sound := np.isfinite(norms)).all():
        rows = np.where(sound[:, None], rows, np.float32(0))
        norms = np.where(sound, norms, np.float32(0))
    return rows / np.where(norms > 1e-12, norms, 1).astype(np.float32)[:, None]


def _quantised(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8 rows and the scale of each; the rows given are used up."""
    scale: Floats = np.maximum(rows.max(axis=1), -rows.min(axis=1)) / np.float32(127)
    rows /= np.where(scale > 0, scale, np.float32(1))[:, None]
    return np.rint(rows, out=rows).astype(np.int8), scale
