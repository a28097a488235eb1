"""Interpolation weights of a run of bad pixels, tabulated.

A bad pixel is the best linear unbiased estimate from up to four good neighbours of its row, two on each side, for a
noiseless field of unknown constant mean whose covariance is that of an image smoothed by a Gaussian of one pixel:
``C(d) = exp(-d**2 / 4)``.

References
----------
Ordinary kriging: Cressie, N., 1993, *Statistics for Spatial Data*, section 3.2. The weights are rounded to four
decimals because the tables in long use are, and results are compared with theirs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.layout import Float64

WIDE = 11
"""Runs at least this long are taken as infinitely long: their two ends do not feel each other."""
REACH = 6
"""Pixels at either end of a wide run that still feel their own side."""
WIDE_CENTRE = REACH
"""Slot of the weights shared by all pixels of a wide run between the two reaches."""
SLOTS = 2 * REACH + 1
_INFINITE = 41  # any length at which the two sides are independent to four decimals


@cache
def weight_table() -> Float64:
    """Tabulate the weights of all runs.

    Returns
    -------
    ndarray
        Shape (16, 12, 13, 4), read-only: by which neighbours are used (bits 8, 4, 2, 1 for the second and first to the
        left, first and second to the right), run length (11 stands for all longer), pixel slot, and neighbour.
        The slot is the pixel's place in the run; in wide runs six places from the left, the centre, six from the right.
    """
    table = np.zeros((16, WIDE + 1, SLOTS, 4))
    for pattern in range(1, 16):
        used = [bool(pattern & bit) for bit in (8, 4, 2, 1)]
        for length in range(1, WIDE):
            table[pattern, length, :length, used] = _weights(used, length, np.arange(length))
        places = np.r_[0:REACH, _INFINITE // 2, _INFINITE - REACH : _INFINITE]
        table[pattern, WIDE, :, used] = _weights(used, _INFINITE, places)
    table.setflags(write=False)
    return table


def _weights(used: list[bool], length: int, places: NDArray[np.int64]) -> Float64:
    """Solve for the weights, shape (neighbours used, places)."""
    at = np.array([-2, -1, length, length + 1], dtype=float)[used]
    n = at.size
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _covariance(at[:, None] - at)
    system[n, n] = 0.0  # the last unknown is the multiplier that makes the weights sum to one
    target = np.ones((n + 1, places.size))
    target[:n] = _covariance(at[:, None] - places)
    solution: Float64 = np.round(np.linalg.solve(system, target)[:n], 4)
    return solution


def _covariance(distance: Float64) -> Float64:
    return np.exp(-(distance**2) / 4)
