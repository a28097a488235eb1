"""Medians of many boxes of a picture, exactly, without sorting.

The bits of a float32 read as an integer, those of negative numbers turned over, have the order of the floats. So the
pixels become integers once, those that take no part the largest there is, and every median is found by halving an
interval of integers: counting the pixels of a box, copied into the fastest cache, against its middle is what processors
do best.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Float64, Int32, whole_rows
from isrflow.kernels.threads import parallel_njit

Positions = NDArray[np.int64]

_LEFT_OUT = np.int32(2**31 - 1)
_BAND = 64
_FEW = 3
"""When so few pixels are left, they are looked at one by one."""


def contrast_of_boxes(
    image: Float32, mask: Int32, exclude_bits: int, positions: Positions, half_sizes: tuple[int, int]
) -> Float64:
    """Subtract the median of a large box from that of a small one, both about the same place, for many places.

    Parameters
    ----------
    image, mask
        (ny, nx) float32 and int32, left untouched; pixels with any of `exclude_bits`, and those that are not finite,
        take no part.
    positions
        (n, 2) int64, x and y of array elements.
    half_sizes
        Small and large, in pixels; the boxes are those from ``x - half`` to ``x + half``, the latter left out.

    Returns
    -------
    ndarray
        (n,) float64; NaN where no pixel of a box takes part.

    Raises
    ------
    ValueError
        If a box reaches outside the picture.
    """
    small, large = half_sizes
    ny, nx = image.shape
    reach = max(small, large)
    if positions.size and not (
        positions.min() >= reach and positions[:, 0].max() + reach <= nx and positions[:, 1].max() + reach <= ny
    ):
        raise ValueError(f"boxes of half size {reach} about these positions reach outside a picture of {nx} x {ny}")
    keys = np.empty((ny, nx), np.int32)
    _order(whole_rows(image), whole_rows(mask), np.int32(exclude_bits), keys)
    order = np.lexsort((positions[:, 0], positions[:, 1] // _BAND))  # neighbours use the same pixels: a quarter faster
    found, in_order = np.empty(positions.shape[0]), np.empty(positions.shape[0])
    _contrasts(keys, np.ascontiguousarray(positions[order], np.int64), small, large, in_order)
    found[order] = in_order
    return found


@parallel_njit()
def _order(image: Float32, mask: Int32, exclude_bits: np.int32, keys: Int32) -> None:
    """Turn pixels into integers of the same order."""
    bits = image.view(np.int32)
    width = keys.shape[1]
    for y in prange(keys.shape[0]):
        for x in range(width):
            key = bits[y, x]
            takes_part = (image[y, x] - image[y, x] == 0) & (mask[y, x] & exclude_bits == 0)
            keys[y, x] = (key ^ ((key >> 31) & _LEFT_OUT)) if takes_part else _LEFT_OUT


@parallel_njit()
def _contrasts(keys: Int32, positions: Positions, small: int, large: int, found: Float64) -> None:
    for i in prange(positions.shape[0]):
        x, y = positions[i, 0], positions[i, 1]
        found[i] = _median_of_box(keys, x, y, small) - _median_of_box(keys, x, y, large)


@njit(cache=True, nogil=True)
def _median_of_box(keys: Int32, x: int, y: int, half: int) -> float:
    size = 2 * half
    box = np.empty(size * size, np.int32)
    for row in range(size):
        for column in range(size):
            box[row * size + column] = keys[y - half + row, x - half + column]
    n = box.size - _count_above(box, np.int32(_LEFT_OUT - 1))
    if n == 0:
        return np.nan
    lower, upper = _two_of_rank(box, (n - 1) // 2)
    return 0.5 * _value(lower) + 0.5 * _value(upper if n % 2 == 0 else lower)


@njit(cache=True, nogil=True)
def _two_of_rank(box: Int32, rank: int) -> tuple[np.int32, np.int32]:
    """Find the element of a rank and that of the next rank."""
    least, largest = box[0], box[0]
    for i in range(box.size):
        least, largest = min(least, box[i]), max(largest, box[i])
    low, high = np.int64(least), np.int64(largest)  # the element lies in low..high,
    below, upto = 0, box.size  # before which, and up to which, there are so many
    halve = True
    while upto - below > _FEW and low < high:
        share = 0.5 if halve else (rank - below + 0.5) / (upto - below)
        middle = low + np.int64((high - low) * share)
        n = box.size - _count_above(box, np.int32(middle))
        if n > rank:
            high, upto = middle, n
        else:
            low, below = middle + 1, n
        halve = not halve
    while True:
        found = _smallest_above(box, np.int32(low - 1))
        n = box.size - _count_above(box, found)
        if n > rank:
            return found, found if n > rank + 1 else _smallest_above(box, found)
        low = np.int64(found) + 1


@njit(cache=True, nogil=True)
def _count_above(box: Int32, key: np.int32) -> int:
    n = np.int32(0)
    for i in range(box.size):
        n += np.int32(box[i] > key)
    return int(n)


@njit(cache=True, nogil=True)
def _smallest_above(box: Int32, key: np.int32) -> np.int32:
    """Find the next larger element by its distance, which without sign is huge for those that are not larger."""
    start = np.uint32(key) + np.uint32(1)
    nearest = np.uint32(_LEFT_OUT) - start
    for i in range(box.size):
        nearest = min(nearest, np.uint32(np.uint32(box[i]) - start))
    return np.int32(start + nearest)


@njit(cache=True, nogil=True)
def _value(key: np.int32) -> float:
    bits = np.empty(1, np.int32)
    bits[0] = key ^ ((key >> np.int32(31)) & _LEFT_OUT)
    return float(bits.view(np.float32)[0])
