"""Finding marked elements, and runs of them, in a row."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.layout import Int32

_CHUNK = 64


@njit(cache=True, nogil=True)
def next_marked(row: Int32, start: int, bits: np.int32) -> int:
    """Find the next pixel with any of the bits, or the row's length; unmarked pixels are passed a chunk at a time."""
    x = start
    while x + _CHUNK <= row.size:
        chunk = row[x : x + _CHUNK]
        seen = np.int32(0)
        for i in range(_CHUNK):
            seen |= chunk[i]
        if seen & bits:
            break
        x += _CHUNK
    while x < row.size and row[x] & bits == 0:
        x += 1
    return x


def runs_of(marks: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """List the runs of true elements of a row (n,), each by its first element and the one after its last."""
    steps = np.flatnonzero(np.diff(marks.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in steps.reshape(-1, 2)]
