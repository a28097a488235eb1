"""Picking the good pixels of a plane, for statistics of large pictures."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Int32, whole_rows
from isrflow.kernels.quantiles import quantile

_CHUNK = 128


def good_pixels(image: Float32, mask: Int32, exclude_bits: int) -> Float32:
    """Copy the finite pixels whose mask has none of `exclude_bits`, in reading order.

    Parameters
    ----------
    image, mask
        (ny, nx), left untouched.
    exclude_bits
        Mask value of the planes to leave out.

    Returns
    -------
    ndarray of float32
        A new one-dimensional array.
    """
    rows = whole_rows(image), whole_rows(mask), image.shape[1], np.int32(exclude_bits)
    counts = _count(*rows)
    ends = np.cumsum(counts)
    values = np.empty(int(counts.sum()), np.float32)
    _copy(*rows, ends - counts, values)
    return values


def good_median(image: Float32, mask: Int32, exclude_bits: int) -> float:
    """Find the median of the finite pixels whose mask has none of `exclude_bits`; NaN if there is none."""
    sample = good_pixels(image, mask, exclude_bits)
    return quantile(sample, 0.5) if sample.size else math.nan


def fill_where(image: Float32, mask: Int32, *, has: int, lacks: int, value: float) -> None:
    """Set pixels whose mask has a bit of `has` and none of `lacks` to a value, in place."""
    _fill(whole_rows(image), whole_rows(mask), image.shape[1], np.int32(has), np.int32(lacks), np.float32(value))


def count_where(mask: Int32, *, has: int, lacks: int) -> int:
    """Count pixels whose mask has a bit of `has` and none of `lacks`."""
    return int(_count_where(whole_rows(mask), mask.shape[1], np.int32(has), np.int32(lacks)))


@njit(parallel=True, cache=True, nogil=True)
def _count(image: Float32, mask: Int32, width: int, bits: np.int32) -> NDArray[np.int64]:
    counts = np.zeros(image.shape[0], np.int64)
    for y in prange(image.shape[0]):
        counts[y] = _count_good(image[y, :width], mask[y, :width], bits)
    return counts


@njit(parallel=True, cache=True, nogil=True)
def _copy(image: Float32, mask: Int32, width: int, bits: np.int32, starts: NDArray[np.int64], values: Float32) -> None:
    for y in prange(image.shape[0]):
        at = starts[y]
        for start in range(0, width, _CHUNK):
            stop = min(start + _CHUNK, width)
            pixels, masks = image[y, start:stop], mask[y, start:stop]
            if _count_good(pixels, masks, bits) == pixels.size:
                values[at : at + pixels.size] = pixels
                at += pixels.size
                continue
            for i in range(pixels.size):
                if pixels[i] - pixels[i] == 0 and masks[i] & bits == 0:
                    values[at] = pixels[i]
                    at += 1


@njit(cache=True, nogil=True)
def _count_good(pixels: Float32, masks: Int32, bits: np.int32) -> int:
    """Count; only a finite number minus itself is zero, and unlike isfinite this runs eight pixels at a time."""
    n = np.int32(0)
    for i in range(pixels.size):
        n += np.int32((pixels[i] - pixels[i] == 0) & (masks[i] & bits == 0))
    return int(n)


@njit(parallel=True, cache=True, nogil=True)
def _fill(image: Float32, mask: Int32, width: int, has: np.int32, lacks: np.int32, value: np.float32) -> None:
    for y in prange(image.shape[0]):
        for x in range(width):
            chosen = (mask[y, x] & has != 0) & (mask[y, x] & lacks == 0)
            image[y, x] = value if chosen else image[y, x]


@njit(parallel=True, cache=True, nogil=True)
def _count_where(mask: Int32, width: int, has: np.int32, lacks: np.int32) -> int:
    count = 0
    for y in prange(mask.shape[0]):
        n = np.int32(0)
        for x in range(width):
            n += np.int32((mask[y, x] & has != 0) & (mask[y, x] & lacks == 0))
        count += int(n)
    return count
