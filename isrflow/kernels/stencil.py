"""Direct sums over a small kernel: at 17 pixels they beat Fourier transforms, and they see no more than they need.

Of a kernel that is symmetric in y, rows are added before they are weighed, which saves nearly half the work. All works
in the precision of its arrays and, as each sum is done in one order, gives the same on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isrflow.kernels.threads import parallel_njit

Real = NDArray[Any]
"""float32 or float64."""

TILE_HEIGHT, TILE_WIDTH = 64, 1024
"""Pixels worked on at a time: with what is around them they stay in the second cache, a row of them in the first."""


def is_symmetric(weights: Real) -> bool:
    """Tell whether weights are the same from bottom to top and from top to bottom."""
    return bool(np.array_equal(weights, weights[::-1]))


def correlate(signal: Real, weights: Real, before: tuple[int, int], *, pivot: float = 0.0) -> Real:
    """Sum ``weights[i, j] * (signal[y + i - before[0], x + j - before[1]] - pivot)`` for every pixel.

    Outside of the signal, and where it is not a number, the difference counts as zero. The result is as large as the
    signal and has the precision of `weights`.
    """
    result = np.empty(signal.shape, weights.dtype)
    _correlate(signal, weights.dtype.type(pivot), weights, is_symmetric(weights), before[0], before[1], result)
    return result


@parallel_njit(fastmath={"contract"})
def _correlate(signal: Real, pivot: Any, weights: Real, symmetric: bool, top: int, left: int, result: Real) -> None:
    height, width = signal.shape
    n_across = (width + TILE_WIDTH - 1) // TILE_WIDTH
    n_tiles = (height + TILE_HEIGHT - 1) // TILE_HEIGHT * n_across
    for tile in prange(n_tiles):
        y, x = tile // n_across * TILE_HEIGHT, tile % n_across * TILE_WIDTH
        ny, nx = min(TILE_HEIGHT, height - y), min(TILE_WIDTH, width - x)
        around = np.zeros((ny + weights.shape[0] - 1, nx + weights.shape[1] - 1), weights.dtype)
        copy_around(signal, pivot, y - top, x - left, around)
        sums = np.empty((ny, nx), weights.dtype)
        sum_weighed(around, 0, 0, weights, symmetric, sums)
        for i in range(ny):
            result[y + i, x : x + nx] = sums[i]


@njit(cache=True, nogil=True)
def copy_around(signal: Real, pivot: Any, bottom: int, left: int, around: Real) -> None:
    """Copy the part of a signal that begins at (left, bottom), which may lie outside, less a pivot, to a tile of zeros.

    What is not a number is left out.
    """
    first, last = max(left, 0), min(left + around.shape[1], signal.shape[1])
    for i in range(max(-bottom, 0), min(signal.shape[0] - bottom, around.shape[0])):
        pixels, copied = signal[bottom + i, first:last], around[i, first - left :]
        for j in range(pixels.size):
            copied[j] = pixels[j] - pivot if not np.isnan(pixels[j]) else np.float32(0)


# Rows are taken out of whole arrays one by one: numba knows them to lie side by side, and vectorises, but not those of
# a part of an array.


@njit(cache=True, nogil=True, fastmath={"contract"})
def sum_weighed(signal: Real, top: int, left: int, weights: Real, symmetric: bool, result: Real) -> None:
    """Set ``result[y, x]`` to the sum over i and j of ``weights[i, j] * signal[top + y + i, left + x + j]``."""
    size, wide = weights.shape[0], result.shape[1] + weights.shape[1] - 1
    row = np.empty(wide, signal.dtype)
    for y in range(result.shape[0]):
        sums = result[y]
        sums[:] = 0
        for i in range((size + 1) // 2 if symmetric else size):
            mirrored = size - 1 - i
            one = signal[top + y + i, left : left + wide]
            if symmetric and mirrored != i:
                other = signal[top + y + mirrored, left : left + wide]
                for x in range(wide):
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
