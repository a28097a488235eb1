"""Direct sums over a small kernel: at 17 pixels they beat Fourier transforms, and they see no more than they need.

Of a kernel that is symmetric in y, rows are added before they are weighed, which saves nearly half the work. All works
in the precision of its arrays and, as each sum is done in one order, gives the same on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.bands import over_bands

Real = NDArray[Any]
"""float32 or float64."""

_STRETCH = 1024
"""Pixels of a row worked on at a time: they stay in the first cache."""


def is_symmetric(weights: Real) -> bool:
    """Tell whether weights are the same from bottom to top and from top to bottom."""
    return bool(np.array_equal(weights, weights[::-1]))


def correlate(signal: Real, weights: Real, before: tuple[int, int], *, pivot: float = 0.0) -> Real:
    """Sum ``weights[i, j] * (signal[y + i - before[0], x + j - before[1]] - pivot)`` for every pixel.

    Outside of the signal, and where it is not a number, the difference counts as zero. The result is as large as the
    signal and has the precision of `weights`.
    """
    result = np.empty(signal.shape, weights.dtype)
    symmetric = is_symmetric(weights)

    def work(first: int, end: int) -> None:
        shape = end - first + weights.shape[0] - 1, signal.shape[1] + weights.shape[1] - 1
        around = cut_out(signal, (first - before[0], -before[1]), shape, weights.dtype, pivot)
        sum_weighed(around, 0, 0, weights, symmetric, result[first:end])

    over_bands(work, 0, signal.shape[0])
    return result


def cut_out(signal: Real, corner: tuple[int, int], shape: tuple[int, int], dtype: Any, pivot: float = 0.0) -> Real:
    """Return a part of a signal, less a pivot, that may reach beyond it, where it is zero.

    It is zero as well where the signal is not a number.

    Parameters
    ----------
    signal
        (ny, nx).
    corner
        First row and column of the part; negative ones lie before the signal.
    shape, dtype
        Of the part.
    pivot
        Subtracted.
    """
    part = np.zeros(shape, dtype)
    starts = [max(start, 0) for start in corner]
    ends = [min(start + n, whole) for start, n, whole in zip(corner, shape, signal.shape, strict=True)]
    source = tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))
    target = tuple(slice(s - c, e - c) for s, e, c in zip(starts, ends, corner, strict=True))
    np.subtract(signal[source], part.dtype.type(pivot), out=part[target])
    if np.isnan(part.min()):
        part[np.isnan(part)] = 0
    return part


# Rows are taken out of whole arrays one by one: numba knows them to lie side by side, and vectorises, but not those of
# a part of an array.


@njit(cache=True, nogil=True, fastmath={"contract"})
def sum_weighed(signal: Real, top: int, left: int, weights: Real, symmetric: bool, result: Real) -> None:
    """Set ``result[y, x]`` to the sum over i and j of ``weights[i, j] * signal[top + y + i, left + x + j]``."""
    size = weights.shape[0]
    row = np.empty(_STRETCH + weights.shape[1], signal.dtype)
    for start in range(0, result.shape[1], _STRETCH):
        end = min(start + _STRETCH, result.shape[1])
        first, last = left + start, left + end + weights.shape[1] - 1
        for y in range(result.shape[0]):
            sums = result[y, start:end]
            sums[:] = 0
            for i in range((size + 1) // 2 if symmetric else size):
                mirrored = size - 1 - i
                one = signal[top + y + i, first:last]
                if symmetric and mirrored != i:
                    other = signal[top + y + mirrored, first:last]
                    for x in range(one.size):
                        row[x] = one[x] + other[x]
                    add_weighed(row, weights[i], sums)
                else:
                    add_weighed(one, weights[i], sums)


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_weighed(row: Real, weights: Real, sums: Real) -> None:
    """Add ``weights[j] * row[x + j]`` to each sum, several weights at a time: sums are loaded and stored less often."""
    j = 0
    while j + 8 <= weights.size:
        if j + 9 == weights.size:  # 9 or 17 pixels
            _add_nine(row[j:], weights[j:], sums)
            return
        _add_eight(row[j:], weights[j:], sums)
        j += 8
    while j < weights.size:
        weight, pixels = weights[j], row[j:]
        for x in range(sums.size):
            sums[x] += weight * pixels[x]
        j += 1


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_eight(row: Real, weights: Real, sums: Real) -> None:
    n = sums.size
    a, b, c, d = row[:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3]
    e, f, g, h = row[4 : n + 4], row[5 : n + 5], row[6 : n + 6], row[7 : n + 7]
    s, t, u, v = weights[0], weights[1], weights[2], weights[3]
    w, p, q, r = weights[4], weights[5], weights[6], weights[7]
    for x in range(n):
        sums[x] += s * a[x] + t * b[x] + u * c[x] + v * d[x] + w * e[x] + p * f[x] + q * g[x] + r * h[x]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_nine(row: Real, weights: Real, sums: Real) -> None:
    n = sums.size
    a, b, c, d = row[:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3]
    e, f, g, h = row[4 : n + 4], row[5 : n + 5], row[6 : n + 6], row[7 : n + 7]
    last, z = row[8 : n + 8], weights[8]
    s, t, u, v = weights[0], weights[1], weights[2], weights[3]
    w, p, q, r = weights[4], weights[5], weights[6], weights[7]
    for x in range(n):
        sums[x] += s * a[x] + t * b[x] + u * c[x] + v * d[x] + w * e[x] + p * f[x] + q * g[x] + r * h[x] + z * last[x]
