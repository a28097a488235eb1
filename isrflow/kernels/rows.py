"""Interpolation over bad pixels along rows."""

from __future__ import annotations

import numpy as np
from numba import njit

from isrflow.kernels.bands import over_bands
from isrflow.kernels.kriging import REACH, WIDE, WIDE_CENTRE, weight_table
from isrflow.kernels.layout import Float32, Float64, Int32, whole_rows
from isrflow.kernels.runs import next_marked

_LEFT2, _LEFT1, _RIGHT1, _RIGHT2 = 8, 4, 2, 1
_BAND = 256
"""Rows dealt with by one thread at a time: most hold nothing to do."""
_LOWEST = -float(np.finfo(np.float32).max)
_Neighbours = tuple[np.float32, np.float32, np.float32, np.float32]


def interpolate_rows(
    image: Float32,
    variance: Float32 | None,
    mask: Int32,
    *,
    bits: int,
    interpolated_bit: int,
    fallback: float,
) -> None:
    """Replace bad pixels by a weighted mean of their good neighbours in the row, in place.

    Each run of bad pixels takes up to two good pixels on either side (weights: `isrflow.kernels.kriging`), row by row
    from left to right. Of a run of more than six pixels at an edge only the inner six are estimated; the outer ones
    take `fallback`. Mask bits are kept and `interpolated_bit` is added.

    Parameters
    ----------
    image, variance
        Shape (ny, nx), float32, changed in place; the variance is treated by the same weights.
    mask
        Shape (ny, nx), int32, changed in place.
    bits
        A pixel is bad when its mask has any of these bits.
    interpolated_bit
        The bit to add to bad pixels.
    fallback
        Value where no neighbour is near, for the image and for the variance, in the unit of the image; any where
        `needs_fallback` is false.
    """
    no_variance = np.empty((0, 0), np.float32)
    pixels, spread, marks = (
        whole_rows(image),
        whole_rows(no_variance if variance is None else variance),
        whole_rows(mask),
    )
    rules = image.shape[1], np.int32(bits), np.int32(interpolated_bit), np.float32(fallback), weight_table()

    def work(first: int, end: int) -> None:
        _interpolate(pixels[first:end], spread[first:end], marks[first:end], *rules)

    over_bands(work, 0, len(mask), height=_BAND)


def needs_fallback(mask: Int32, bits: int) -> bool:
    """Tell whether `interpolate_rows` needs its fallback: where a long run touches an edge, or is the whole row."""
    ends = mask[:, : REACH + 1], mask[:, -REACH - 1 :]
    return any(bool(((end & bits) != 0).all(axis=1).any()) for end in ends)


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(
    image: Float32,
    variance: Float32,
    mask: Int32,
    width: int,
    bits: np.int32,
    interpolated_bit: np.int32,
    fallback: np.float32,
    table: Float64,
) -> None:
    for y in range(mask.shape[0]):
        marks = mask[y, :width]
        first = next_marked(marks, 0, bits)
        previous = -3
        while first < width:
            last = first
            while last + 1 < width and marks[last + 1] & bits:
                last += 1
            following = next_marked(marks, last + 1, bits)
            near = (previous == first - 2, following == last + 2)
            _fill_run(image[y], width, first, last, near, fallback, table)
            if variance.shape[0]:
                _fill_run(variance[y], width, first, last, near, fallback, table)
            for x in range(first, last + 1):
                marks[x] |= interpolated_bit
            previous, first = last, following


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_run(
    row: Float32, width: int, first: int, last: int, near: tuple[bool, bool], fallback: np.float32, table: Float64
) -> None:
    """Fill one run; `near` says whether only one good pixel lies between it and the run before, the run after."""
    length = last - first + 1
    use = _neighbours(width, first, last, near)
    at_left, at_right = first == 0, last == width - 1
    if length > REACH and at_left and at_right:
        use = 0
    elif length > REACH and at_left:
        row[: last - REACH + 1] = fallback
        first = last - REACH + 1
        # The filled pixels now count as good; a second neighbour outside the image is worth the fallback as well.
        use |= _LEFT2 | _LEFT1 | (_RIGHT2 if last == width - 2 else 0)
    elif length > REACH and at_right and first > 1:
        row[first + REACH : last + 1] = fallback
        last = first + REACH - 1
        use = _LEFT2 | _LEFT1 | _RIGHT1 | _RIGHT2
    elif length >= WIDE and first == 1 and last >= width - 2:
        # One good pixel at most on either side of nearly the whole row: no interpolation, one value.
        row[first : last + 1] = fallback if at_right else row[width - 1]
        return
    if not use:
        row[first : last + 1] = fallback
        return
    values = (
        row[first - 2] if first > 1 else fallback,
        row[first - 1] if first > 0 else fallback,
        row[last + 1] if last + 1 < width else fallback,
        row[last + 2] if last + 2 < width else fallback,
    )
    _write_run(row, first, last, use, values, table)


@njit(cache=True, nogil=True)
def _neighbours(width: int, first: int, last: int, near: tuple[bool, bool]) -> int:
    """Tell which neighbours are in the image and good; at the right edge the second to the left may be interpolated."""
    use = 0
    if first > 1 and (not near[0] or last == width - 1):
        use |= _LEFT2
    if first > 0:
        use |= _LEFT1
    if last + 1 < width:
        use |= _RIGHT1
    if last + 2 < width and not near[1]:
        use |= _RIGHT2
    return use


@njit(cache=True, nogil=True, error_model="numpy")
def _write_run(row: Float32, first: int, last: int, use: int, values: _Neighbours, table: Float64) -> None:
    length = last - first + 1
    if length < WIDE:
        for i in range(length):
            row[first + i] = _estimate(use, values, table[use, length, i])
        return
    row[first : last + 1] = _estimate(use, values, table[use, WIDE, WIDE_CENTRE])
    for i in range(REACH):
        row[first + i] = _estimate(use, values, table[use, WIDE, i])
    for i in range(REACH):
        row[last - i] = _estimate(use, values, table[use, WIDE, WIDE_CENTRE + REACH - i])


@njit(cache=True, nogil=True, error_model="numpy")
def _estimate(use: int, values: _Neighbours, weights: Float64) -> np.float32:
    """Weigh the used neighbours in double precision; where that is not a number, take the mean of the nearest two."""
    total = 0.0
    for i in range(4):
        if use & (_LEFT2 >> i):
            total += weights[i] * np.float64(values[i])
    estimate = np.float32(total)
    if estimate >= _LOWEST:
        return estimate
    total, count = 0.0, 0
    for i in (1, 2):
        if use & (_LEFT2 >> i):
            total += np.float64(values[i])
            count += 1
    return np.float32(total / count) if count else np.float32(np.nan)
