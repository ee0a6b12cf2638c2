"""The one inner loop: a query against all rows of an int8 plane. simsimd where it is there, numpy where not.

Past some four thousand vectors the scan waits for memory, so bytes per vector are what counts, not the kernel.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.int8]
Floats = NDArray[np.float32]
_BLOCK = 4096


def dots_numpy(query: Bytes, plane: Bytes) -> Floats:
    """Dot products, (rows,) float32. query: (dim,) int8;  plane: (rows, dim) int8"""
    wide = query.astype(np.float32)
    out = np.empty(len(plane), np.float32)
    for start in range(0, len(plane), _BLOCK):
        out[start : start + _BLOCK] = plane[start : start + _BLOCK].astype(np.float32) @ wide
    return out


def _dots_simsimd() -> Callable[[Bytes, Bytes], Floats]:
    import simsimd

    def dots_simsimd(query: Bytes, plane: Bytes) -> Floats:
        """Dot products, (rows,) float32. query: (dim,) int8;  plane: (rows, dim) int8"""
        if not len(plane):
            return np.empty(0, np.float32)
        found: Floats = np.asarray(simsimd.cdist(query[None], plane, "dot"))[0].astype(np.float32)
        return found

    return dots_simsimd


try:
    dots = _dots_simsimd()
except ImportError:  # a platform without its wheel
    dots = dots_numpy
