"""Quantiles of many float32 pixels in one pass, without sorting or copying them.

A sorted sample of the pixels says between which two values a quantile lies almost certainly. One pass counts the pixels
on either side of these bounds and collects the few between them; partial sorting finds the wanted ranks among those.
The counts prove that the ranks are there: where they are not, all pixels are partially sorted instead. Thus the result
is exact, whatever the sample was.

References
----------
Floyd, R. W., Rivest, R. L., 1975, Communications of the ACM 18, 165 (selection between bounds taken from a sample).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Int32, whole_rows
from isrflow.kernels.threads import map_in_threads

WORTHWHILE = 1 << 23
"""Below this many values that have been copied anyway, partial sorting by numpy, in cache, takes less time."""

ONE_PASS_FROM = 1 << 19
"""Below this many pixels copying the good ones and sorting them partially takes less time."""

_BLOCKS = 16
_CHUNK = 64
_SPARSITY = 64  # about one pixel in so many is in the sample,
_LARGEST_SAMPLE = 1 << 17  # which never needs to be larger than this
_MARGIN = 4.0  # distance of the bounds from the sample's quantile, in standard deviations of its rank
_ROOM = 8  # one pixel in so many may lie between two bounds
_Int64 = NDArray[np.int64]


def select_quantiles(
    image: Float32, fractions: Sequence[float], *, mask: Int32 | None = None, exclude_bits: int = 0
) -> list[float]:
    """Find quantiles of the finite pixels, interpolating linearly at ``fraction * (n - 1)``.

    Parameters
    ----------
    image
        (ny, nx), left untouched.
    fractions
        Between 0 and 1.
    mask, exclude_bits
        (ny, nx) int32 or None; pixels with any of these bits take no part.

    Returns
    -------
    list of float
        In the order of `fractions`; NaN if no pixel takes part.
    """
    rows = whole_rows(image), whole_rows(np.empty((1, 0), np.int32) if mask is None else mask), image.shape[1]
    bits = np.int32(exclude_bits)
    if image.size < ONE_PASS_FROM:
        return _partially_sorted(image, mask, bits, fractions)
    bounds = _bounds(_sample(image, mask, bits), fractions)
    # Few pixels lie between bounds, but a smooth picture may have them all in one block: room there is for all of them.
    room = image.size // _BLOCKS // _ROOM + 2 * _CHUNK
    good = np.zeros(_BLOCKS, np.int64)
    counts = np.zeros((_BLOCKS, len(bounds), 4), np.int64)
    kept = np.empty((_BLOCKS, len(bounds), room), np.float32)
    map_in_threads(lambda block: _sift(*rows, bits, bounds, block, good, counts, kept), range(_BLOCKS))
    n = int(good.sum())
    found = [_between(fraction, n, bounds[k], counts[:, k], kept[:, k]) for k, fraction in enumerate(fractions)]
    if n == 0 or any(value is None for value in found):
        return _partially_sorted(image, mask, bits, fractions)
    return [value for value in found if value is not None]


def interpolated(below: float, above: float, weight: float) -> float:
    """Interpolate between neighbouring order statistics; a weight of zero keeps an infinite neighbour out."""
    return below if weight == 0.0 else below * (1.0 - weight) + above * weight


def _partially_sorted(image: Float32, mask: Int32 | None, bits: np.int32, fractions: Sequence[float]) -> list[float]:
    good = np.isfinite(image) if mask is None else np.isfinite(image) & ((mask & bits) == 0)
    values = image[good]
    if values.size == 0:
        return [math.nan] * len(fractions)
    positions = [fraction * (values.size - 1) for fraction in fractions]
    lows = [int(position) for position in positions]
    highs = [min(low + 1, values.size - 1) for low in lows]
    values.partition(sorted({*lows, *highs}))
    ranked = zip(positions, lows, highs, strict=True)
    return [interpolated(float(values[low]), float(values[high]), at - low) for at, low, high in ranked]


def _sample(image: Float32, mask: Int32 | None, bits: np.int32) -> Float32:
    """Sort a sample of the good pixels."""
    size = min(image.size // _SPARSITY, _LARGEST_SAMPLE)
    step = math.isqrt(image.size // size)
    along_y = min(step, image.shape[0]) | 1  # odd: amplifiers and patterns of pixels repeat in even numbers
    along_x = max(1, image.size // size // along_y) | 1
    part = image[::along_y, ::along_x]
    good = np.isfinite(part)
    if mask is not None:
        good &= (mask[::along_y, ::along_x] & bits) == 0
    return np.sort(part[good])


def _bounds(sample: Float32, fractions: Sequence[float]) -> Float32:
    """Return bounds (low, high) of each quantile."""
    bounds = np.empty((len(fractions), 2), np.float32)
    for k, fraction in enumerate(fractions):
        centre = fraction * (sample.size - 1)
        margin = _MARGIN * math.sqrt(fraction * (1 - fraction) * sample.size) + 2
        low, high = int(centre - margin), int(centre + margin) + 1
        bounds[k, 0] = sample[low] if centre > margin else -np.inf
        bounds[k, 1] = sample[high] if high < sample.size else np.inf
    return bounds


def _between(fraction: float, n: int, bounds: Float32, counts: _Int64, kept: Float32) -> float | None:
    """Find the quantile of `n` pixels if it lies between its bounds."""
    position = fraction * max(n - 1, 0)
    first = int(position)
    ranks = first, min(first + 1, max(n - 1, 0))
    below_low, upto_low, below_high, upto_high = counts.sum(axis=0).tolist()
    inside = np.maximum(counts[:, 2] - counts[:, 1], 0)
    if not below_low <= ranks[0] <= ranks[1] < upto_high or inside.max() > kept.shape[1] - _CHUNK:
        return None
    members = np.concatenate([values[:count] for values, count in zip(kept, inside, strict=True)])
    wanted = [rank - upto_low for rank in ranks if upto_low <= rank < below_high]
    if wanted:
        members.partition(wanted)
    values = [
        float(bounds[0] if rank < upto_low else members[rank - upto_low] if rank < below_high else bounds[1])
        for rank in ranks
    ]
    return interpolated(values[0], values[1], position - first)


@njit(cache=True, nogil=True)
def _sift(
    image: Float32,
    mask: Int32,
    width: int,
    bits: np.int32,
    bounds: Float32,
    block: int,
    good: _Int64,
    counts: _Int64,
    kept: Float32,
) -> None:
    """Count the good pixels of a block of chunks, and against bounds: below low, up to it, below high, up to it."""
    a_row = (width + _CHUNK - 1) // _CHUNK
    n_chunks = a_row * image.shape[0]
    step = (n_chunks + _BLOCKS - 1) // _BLOCKS
    some, masked = np.empty(_CHUNK, np.float32), mask.shape[1] > 0
    y, x = block * step // a_row, block * step % a_row * _CHUNK
    for _ in range(block * step, min((block + 1) * step, n_chunks)):
        n = 0
        if x + _CHUNK <= width:
            n = _count_good(image[y, x : x + _CHUNK], mask[y if masked else 0, x : x + _CHUNK], bits)
        if n == _CHUNK:
            for k in range(bounds.shape[0]):
                _count_against(image[y, x : x + _CHUNK], bounds[k], counts[block, k], kept[block, k])
        else:
            n = _take_good(some, image[y, x:width], mask[y if masked else 0, x:width], bits)
            for k in range(bounds.shape[0]):
                _count_against(some, bounds[k], counts[block, k], kept[block, k])
        good[block] += n
        x += _CHUNK
        if x >= width:
            x, y = 0, y + 1


# The loops below do one thing each: that is how they are vectorised.


@njit(cache=True, nogil=True)
def _count_good(chunk: Float32, marks: Int32, bits: np.int32) -> int:
    """Count pixels that take part, or none if not all do: only a finite number minus itself is zero."""
    n = np.int32(0)
    for i in range(_CHUNK):
        n += np.int32(chunk[i] - chunk[i] == 0)
    seen = np.int32(0)
    for i in range(marks.size):
        seen |= marks[i]
    return 0 if seen & bits else int(n)


@njit(cache=True, nogil=True)
def _take_good(chunk: Float32, pixels: Float32, marks: Int32, bits: np.int32) -> int:
    """Copy pixels to a chunk, with NaN, which no comparison counts, for what takes no part; count the others."""
    n = 0
    chunk[:] = np.nan
    for i in range(min(_CHUNK, pixels.size)):
        if pixels[i] - pixels[i] == 0 and (marks.size == 0 or marks[i] & bits == 0):
            chunk[i] = pixels[i]
            n += 1
    return n


@njit(cache=True, nogil=True)
def _count_against(chunk: Float32, bounds: Float32, counts: _Int64, kept: Float32) -> None:
    """Count a chunk against two bounds, and keep what lies strictly between them as far as there is room."""
    low, high = bounds
    below_low, upto_low, below_high, upto_high = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
    for i in range(_CHUNK):
        below_low += np.int32(chunk[i] < low)
    for i in range(_CHUNK):
        upto_low += np.int32(chunk[i] <= low)
    for i in range(_CHUNK):
        below_high += np.int32(chunk[i] < high)
    for i in range(_CHUNK):
        upto_high += np.int32(chunk[i] <= high)
    place = counts[2] - counts[1]
    if below_high > upto_low and 0 <= place <= kept.size - _CHUNK:
        for i in range(_CHUNK):
            kept[place] = chunk[i]  # written over by the next, unless counted
            place += np.int64((chunk[i] > low) & (chunk[i] < high))
    counts[0] += below_low
    counts[1] += upto_low
    counts[2] += below_high
    counts[3] += upto_high
