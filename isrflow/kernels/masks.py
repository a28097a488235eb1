"""Setting bits in mask planes, in place: thresholds, edges, non-finite pixels, saturation trails.

Masks are int32; `bits` is the value of one or more planes (``1 << bit``). Every function works on the arrays it is
given and on nothing else, so that a view confines it.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.layout import whole_rows
from isrflow.kernels.runs import next_marked
from isrflow.kernels.threads import parallel_njit

Image = NDArray[Any]
Mask = NDArray[np.int32]

_CHUNK = 256


def mask_at_least(image: Image, level: float, mask: Mask, bits: int) -> None:
    """Set `bits` where the image is at or above `level`; NaN pixels and a NaN level set nothing."""
    _set_at_least(whole_rows(image), level, whole_rows(mask), np.int32(bits), image.shape[1])


def mask_nonfinite(image: Image, variance: Image, mask: Mask, bits: int, *, except_bits: int = 0) -> int:
    """Set `bits` where image or variance is not finite, and return the number of such pixels.

    Pixels with any of `except_bits` are passed over.
    """
    values = np.array([bits, except_bits], np.int32)
    return int(_set_nonfinite(whole_rows(image), whole_rows(variance), whole_rows(mask), values, image.shape[1]))


def mask_nonpositive(variance: Image, mask: Mask, bits: int) -> None:
    """Set `bits` where the variance is zero or negative (a NaN variance is neither)."""
    _set_nonpositive(whole_rows(variance), whole_rows(mask), np.int32(bits), variance.shape[1])


def count_masked(mask: Mask, bits: int) -> int:
    """Count the pixels that have any of `bits`."""
    return int(_count(whole_rows(mask), np.int32(bits), mask.shape[1]))


def all_masked(mask: Mask, bits: int) -> bool:
    """Tell whether every pixel has any of `bits`; stops at the first that has none."""
    return bool(_all(whole_rows(mask), np.int32(bits), mask.shape[1]))


def mask_edges(mask: Mask, width: int, bits: int) -> None:
    """Set `bits` within `width` pixels of the border; everywhere if the border meets itself."""
    if width <= 0:
        return
    mask[:width] |= bits
    mask[max(mask.shape[0] - width, 0) :] |= bits
    mask[:, :width] |= bits
    mask[:, max(mask.shape[1] - width, 0) :] |= bits


def grow_mask(mask: Mask, radius: int, from_bits: int, to_bits: int) -> None:
    """Set `to_bits` within the diamond of `radius` around every pixel that has any of `from_bits`."""
    if radius > 0:
        # All runs are found before any bit is set: `to_bits` may be among `from_bits`.
        runs = _runs(whole_rows(mask), np.int32(from_bits), mask.shape[1])
        _stamp(whole_rows(mask), runs, radius, np.int32(to_bits), mask.shape[1])


def list_runs(mask: Mask, bits: int) -> NDArray[np.int64]:
    """List the horizontal runs of pixels that have any of `bits`, in reading order: (row, first, last column)."""
    found: NDArray[np.int64] = _runs(whole_rows(mask), np.int32(bits), mask.shape[1])
    return found


def widen_trails(mask: Mask, bits: int) -> None:
    """Lengthen horizontal runs of saturated pixels, since a wide trail spills sideways.

    Runs of 6 or 7 pixels get one more at each end, 8 or 9 three, 10 and longer four.
    """
    _widen(whole_rows(mask), np.int32(bits), mask.shape[1])


# Most chunks of a row have nothing to mark: their mask is not touched, which saves most of the memory traffic, and in a
# fresh mask the memory itself.


@nb.njit(cache=True, nogil=True)
def _set_at_least(image: Image, level: float, mask: Mask, bits: np.int32, width: int) -> None:
    for y in range(image.shape[0]):
        for start in range(0, width, _CHUNK):
            pixels, marks = image[y, start : min(start + _CHUNK, width)], mask[y, start:]
            n = np.int32(0)
            for i in range(pixels.size):
                n += np.int32(pixels[i] >= level)
            if n:
                for i in range(pixels.size):
                    marks[i] |= bits if pixels[i] >= level else np.int32(0)


@parallel_njit()
def _set_nonfinite(image: Image, variance: Image, mask: Mask, values: Mask, width: int) -> int:
    count = 0
    for y in nb.prange(image.shape[0]):
        row = 0
        for start in range(0, width, _CHUNK):
            stop = min(start + _CHUNK, width)
            row += _set_nonfinite_in(image[y, start:stop], variance[y, start:stop], mask[y, start:stop], values)
        count += row
    return count


@nb.njit(cache=True, nogil=True)
def _set_nonfinite_in(pixels: Image, spread: Image, marks: Mask, values: Mask) -> int:
    """Mark one chunk; x - x is NaN for infinities and NaN alike, and vectorises."""
    n = np.int32(0)
    for i in range(pixels.size):
        n += np.int32((pixels[i] - pixels[i] != 0) | (spread[i] - spread[i] != 0))
    if n == 0:
        return 0
    bits, except_bits = values
    count = 0
    for i in range(pixels.size):
        differs = (pixels[i] - pixels[i] != 0) | (spread[i] - spread[i] != 0)
        differs &= (marks[i] & except_bits) == 0
        marks[i] |= bits if differs else np.int32(0)
        count += differs
    return count


@parallel_njit()
def _set_nonpositive(variance: Image, mask: Mask, bits: np.int32, width: int) -> None:
    for y in nb.prange(variance.shape[0]):
        for start in range(0, width, _CHUNK):
            pixels, marks = variance[y, start : min(start + _CHUNK, width)], mask[y, start:]
            n = np.int32(0)
            for i in range(pixels.size):
                n += np.int32(pixels[i] <= 0)
            if n:
                for i in range(pixels.size):
                    marks[i] |= bits if pixels[i] <= 0 else np.int32(0)


@nb.njit(cache=True, nogil=True)
def _count(mask: Mask, bits: np.int32, width: int) -> int:
    count = 0
    for y in range(mask.shape[0]):
        n = np.int32(0)
        for x in range(width):
            n += np.int32(mask[y, x] & bits != 0)
        count += int(n)
    return count


@nb.njit(cache=True, nogil=True)
def _all(mask: Mask, bits: np.int32, width: int) -> bool:
    for y in range(mask.shape[0]):
        for x in range(width):
            if mask[y, x] & bits == 0:
                return False
    return True


@nb.njit(cache=True, nogil=True)
def _runs(mask: Mask, bits: np.int32, width: int) -> NDArray[np.int64]:
    """List the horizontal runs of pixels with any of the bits: y, first column, last column."""
    found = [(np.int64(0), np.int64(0), np.int64(0)) for _ in range(0)]
    for y in range(mask.shape[0]):
        row = mask[y, :width]
        first = next_marked(row, 0, bits)
        while first < width:
            last = first
            while last + 1 < width and row[last + 1] & bits:
                last += 1
            found.append((np.int64(y), np.int64(first), np.int64(last)))
            first = next_marked(row, last + 1, bits)
    runs = np.empty((len(found), 3), np.int64)
    for i, run in enumerate(found):
        runs[i, 0], runs[i, 1], runs[i, 2] = run
    return runs


@nb.njit(cache=True, nogil=True)
def _stamp(mask: Mask, runs: NDArray[np.int64], radius: int, bits: np.int32, width: int) -> None:
    """Set bits in the diamonds around the pixels of all runs."""
    for i in range(runs.shape[0]):
        y, first, last = runs[i]
        for to in range(max(y - radius, 0), min(y + radius + 1, mask.shape[0])):
            reach = radius - abs(to - y)
            for x in range(max(first - reach, 0), min(last + reach + 1, width)):
                mask[to, x] |= bits


@parallel_njit()
def _widen(mask: Mask, bits: np.int32, width: int) -> None:
    for y in nb.prange(mask.shape[0]):
        _widen_row(mask[y, :width], bits)


@nb.njit(cache=True, nogil=True)
def _widen_row(row: Mask, bits: np.int32) -> None:
    width = row.size
    first = next_marked(row, 0, bits)
    if first == width:
        return
    before = row.copy()  # runs are those found before any is widened
    while first < width:
        after = first + 1
        while after < width and before[after] & bits:
            after += 1
        more = _extra(after - first)
        for x in range(max(first - more, 0), min(after + more, width)):
            row[x] |= bits
        first = next_marked(before, after, bits)


@nb.njit(cache=True, nogil=True)
def _extra(length: int) -> int:
    if length < 6:
        return 0
    if length < 8:
        return 1
    return 3 if length < 10 else 4
