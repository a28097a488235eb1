"""Good pixels of a plane by their mask bits: their median, their number, and filling the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Int32, whole_rows
from isrflow.kernels.runs import next_marked
from isrflow.kernels.select import select_quantiles
from isrflow.kernels.threads import parallel_njit


def good_median(image: Float32, mask: Int32, exclude_bits: int) -> float:
    """Find the median of the finite pixels whose mask has none of `exclude_bits`; NaN if there is none."""
    return select_quantiles(image, [0.5], mask=mask, exclude_bits=exclude_bits)[0]


class Census(NamedTuple):
    """How many of the pixels with none of some mask bits are what."""

    n_not_finite: int
    n_negative: int
    n_positive: int


def count_signs(image: Float32, mask: Int32, exclude_bits: int) -> Census:
    """Count pixels that are no numbers, or infinite, below zero and above, whose mask has none of `exclude_bits`."""
    counts = np.zeros((image.shape[0], 3), np.int64)
    _count_signs(whole_rows(image), whole_rows(mask), image.shape[1], np.int32(exclude_bits), counts)
    return Census(*counts.sum(axis=0).tolist())


def fill_where(image: Float32, mask: Int32, *, has: int, lacks: int, value: float) -> None:
    """Set pixels whose mask has a bit of `has` and none of `lacks` to a value, in place."""
    _fill(whole_rows(image), whole_rows(mask), image.shape[1], np.int32(has), np.int32(lacks), np.float32(value))


def count_where(mask: Int32, *, has: int, lacks: int) -> int:
    """Count pixels whose mask has a bit of `has` and none of `lacks`."""
    return int(_count_where(whole_rows(mask), mask.shape[1], np.int32(has), np.int32(lacks)))


@parallel_njit()
def _fill(image: Float32, mask: Int32, width: int, has: np.int32, lacks: np.int32, value: np.float32) -> None:
    for y in prange(image.shape[0]):
        marks = mask[y, :width]
        x = next_marked(marks, 0, has)
        while x < width:
            if marks[x] & lacks == 0:
                image[y, x] = value
            x = next_marked(marks, x + 1, has)


@parallel_njit()
def _count_signs(image: Float32, mask: Int32, width: int, exclude: np.int32, counts: NDArray[np.int64]) -> None:
    for y in prange(image.shape[0]):
        pixels, marks = image[y, :width], mask[y, :width]
        odd, negative, positive = np.int32(0), np.int32(0), np.int32(0)
        for x in range(width):
            odd += np.int32((pixels[x] - pixels[x] != 0) & (marks[x] & exclude == 0))
        for x in range(width):
            negative += np.int32((pixels[x] < 0) & (marks[x] & exclude == 0))
        for x in range(width):
            positive += np.int32((pixels[x] > 0) & (marks[x] & exclude == 0))
        counts[y, 0], counts[y, 1], counts[y, 2] = odd, negative, positive


@parallel_njit()
def _count_where(mask: Int32, width: int, has: np.int32, lacks: np.int32) -> int:
    count = 0
    for y in prange(mask.shape[0]):
        n = np.int32(0)
        for x in range(width):
            n += np.int32((mask[y, x] & has != 0) & (mask[y, x] & lacks == 0))
        count += int(n)
    return count
