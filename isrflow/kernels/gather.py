"""Good pixels of a plane by their mask bits: their median, their number, and filling the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from isrflow.kernels.bands import over_bands
from isrflow.kernels.layout import Float32, Int32, whole_rows
from isrflow.kernels.runs import next_marked
from isrflow.kernels.select import select_quantiles


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
    given = whole_rows(image), whole_rows(mask), image.shape[1], np.int32(exclude_bits)
    counts = over_bands(lambda first, end: _count_signs(*given, first, end), 0, image.shape[0])
    return Census(*(sum(column) for column in zip(*counts, strict=True)))


def fill_where(image: Float32, mask: Int32, *, has: int, lacks: int, value: float) -> None:
    """Set pixels whose mask has a bit of `has` and none of `lacks` to a value, in place."""
    given = whole_rows(image), whole_rows(mask), image.shape[1], np.int32(has), np.int32(lacks), np.float32(value)
    over_bands(lambda first, end: _fill(*given, first, end), 0, image.shape[0])


def count_where(mask: Int32, *, has: int, lacks: int) -> int:
    """Count pixels whose mask has a bit of `has` and none of `lacks`."""
    given = whole_rows(mask), mask.shape[1], np.int32(has), np.int32(lacks)
    return sum(over_bands(lambda first, end: int(_count_where(*given, first, end)), 0, mask.shape[0]))


@njit(cache=True, nogil=True)
def _fill(
    image: Float32, mask: Int32, width: int, has: np.int32, lacks: np.int32, value: np.float32, first: int, end: int
) -> None:
    for y in range(first, end):
        marks = mask[y, :width]
        x = next_marked(marks, 0, has)
        while x < width:
            if marks[x] & lacks == 0:
                image[y, x] = value
            x = next_marked(marks, x + 1, has)


@njit(cache=True, nogil=True)
def _count_signs(
    image: Float32, mask: Int32, width: int, exclude: np.int32, first: int, end: int
) -> tuple[int, int, int]:
    all_odd, all_negative, all_positive = 0, 0, 0
    for y in range(first, end):
        pixels, marks = image[y, :width], mask[y, :width]
        odd, negative, positive = np.int32(0), np.int32(0), np.int32(0)
        for x in range(width):
            odd += np.int32((pixels[x] - pixels[x] != 0) & (marks[x] & exclude == 0))
        for x in range(width):
            negative += np.int32((pixels[x] < 0) & (marks[x] & exclude == 0))
        for x in range(width):
            positive += np.int32((pixels[x] > 0) & (marks[x] & exclude == 0))
        all_odd += int(odd)
        all_negative += int(negative)
        all_positive += int(positive)
    return all_odd, all_negative, all_positive


@njit(cache=True, nogil=True)
def _count_where(mask: Int32, width: int, has: np.int32, lacks: np.int32, first: int, end: int) -> int:
    count = 0
    for y in range(first, end):
        n = np.int32(0)
        for x in range(width):
            n += np.int32((mask[y, x] & has != 0) & (mask[y, x] & lacks == 0))
        count += int(n)
    return count
