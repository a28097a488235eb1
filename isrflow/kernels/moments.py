"""Mean and variance of the values within some width of a centre, the same to the last bit on any number of cores.

Sums are in double precision, over interleaved partial sums in a fixed order and, in large samples, over a fixed number
of blocks: against one running sum a mean differs by less than ``n * 1e-16`` of the largest ``|x - centre|``.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.quantiles import is_large
from isrflow.kernels.threads import map_in_threads

_LANES = 16
_BLOCKS = 16  # of large samples; a fixed number, so that results do not depend on the number of threads


def moments(sample: NDArray[Any], centre: float, width: float) -> tuple[float, float, int]:
    """Compute mean, variance and count of the values within `width` of `centre`."""
    first, second, kept = (_sums_of_blocks if is_large(sample) else _sums_about)(sample, centre, width)
    if kept == 0:
        return math.nan, math.nan, 0
    offset = first / kept
    if kept == 1:
        return centre + offset, math.nan, 1
    # Rounding can leave the variance of (nearly) equal values a little below zero.
    variance = max(second / kept - offset**2, 0.0) * kept**2 / (kept**2 - kept)
    return centre + offset, variance, kept


def _sums_of_blocks(sample: NDArray[Any], centre: float, width: float) -> tuple[float, float, int]:
    """Do `_sums_about` for a fixed number of blocks, on all cores if they are free, and add up their sums in order."""
    step = -(-sample.size // _BLOCKS)
    parts = [sample[block * step : (block + 1) * step] for block in range(_BLOCKS)]
    sums = np.array(map_in_threads(lambda part: _sums_about(part, centre, width), parts))
    first, second, kept = np.cumsum(sums, axis=0)[-1]
    return float(first), float(second), int(kept)


@nb.njit(cache=True, nogil=True)
def _sums_about(sample: NDArray[Any], centre: float, width: float) -> tuple[float, float, int]:
    """Sum deviations and squared deviations not wider than `width`, in double precision and in a fixed order."""
    first, second, kept = np.zeros(_LANES), np.zeros(_LANES), np.zeros(_LANES)
    whole = sample.size - sample.size % _LANES
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            deviation = np.float64(sample[start + lane]) - centre
            inside = 1.0 if abs(deviation) <= width else 0.0
            deviation *= inside
            first[lane] += deviation
            second[lane] += deviation * deviation
            kept[lane] += inside
    for i in range(whole, sample.size):
        deviation = np.float64(sample[i]) - centre
        if abs(deviation) <= width:
            first[i - whole] += deviation
            second[i - whole] += deviation * deviation
            kept[i - whole] += 1.0
    sums = np.zeros(3)
    for lane in range(_LANES):
        sums[0] += first[lane]
        sums[1] += second[lane]
        sums[2] += kept[lane]
    return sums[0], sums[1], int(sums[2])
