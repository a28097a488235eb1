"""Crosstalk between amplifiers read out at the same time.

Amplifiers are read in step: what one sees at some pixel after its readout corner, the others see, scaled, at the same
pixel after theirs. Seen from the corners, then, one readout row of all amplifiers holds everything that row needs: it
is copied into a small buffer, the couplings are summed there, and the sums are taken off in place. No plane is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from isrflow.kernels.bands import over_bands
from isrflow.kernels.coupling import AmplifierGrid, Coupling
from isrflow.kernels.layout import Float32, Int32, Planes, rows_of
from isrflow.kernels.statistics import median
from isrflow.kernels.threads import map_in_threads

_Int64 = NDArray[np.int64]


def subtract_crosstalk(
    target: Planes,
    grid: AmplifierGrid,
    coupling: Coupling,
    *,
    bit: int,
    threshold: float,
    source: Planes | None = None,
) -> None:
    """Subtract crosstalk and mark what bright pixels left, in place.

    Sources are the uncorrected pixels (one pass). A pixel with a source at or above `threshold`, or with `bit` already
    set in the source, carries `bit` afterwards, and no other pixel does. The variance of what is subtracted is added.

    Parameters
    ----------
    target
        Changed in place.
    grid
        The amplifiers, the same in source and target.
    coupling
        Coefficients [source, target] and backgrounds.
    bit
        Mask value of the CROSSTALK plane.
    threshold
        Level, in the unit of the image, from which a source pixel marks its images.
    source
        Another detector's planes, left untouched; the target itself if None.
    """
    planes = rows_of(target)
    origin = planes if source is None else rows_of(source)
    no_plane, how = np.empty((0, 0), np.float32), (*coupling.by_target(), np.int32(bit), float(threshold))
    _subtract_in_bands(*planes, *origin, no_plane, grid.as_array(), *how)
    _clear_outside(target[1], grid, bit)


def subtract_crosstalk_marking_subtrahend(
    target: Planes,
    grid: AmplifierGrid,
    coupling: Coupling,
    *,
    bit: int,
    threshold: float,
    levels: Sequence[tuple[slice, slice]],
    with_variance: bool = True,
) -> None:
    """Subtract crosstalk and mark pixels from which much was subtracted, in place; takes one plane of memory.

    Parameters
    ----------
    target, grid, coupling, bit
        As for `subtract_crosstalk`.
    threshold
        A pixel is marked when what is subtracted, less its median over the amplifier, is at least this, up or down.
    levels
        The pixels of each amplifier over which that median is taken; elsewhere it counts as zero.
    with_variance
        Whether to add the variance of what is subtracted.
    """
    image, mask, variance = target
    planes = rows_of((image, mask, variance if with_variance else np.empty((0, 0), np.float32)))
    subtrahend = np.zeros(image.shape, np.float32)
    _subtract_in_bands(*planes, *planes, subtrahend, grid.as_array(), *coupling.by_target(), np.int32(bit), np.inf)
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in levels], np.int64).reshape(-1, 4)
    medians = np.array(map_in_threads(lambda section: float(median(subtrahend[section])), levels), np.float32)
    given = (*planes[:2], subtrahend, boxes, medians, np.int32(bit), np.float32(threshold))
    over_bands(lambda first, end: _take_and_mark(*given, first, end), 0, len(subtrahend))


def _subtract_in_bands(*given: Any) -> None:
    """Share the readout rows of all amplifiers among threads."""
    kernel: Any = _subtract
    height = int(given[7][0, 2])
    over_bands(lambda first, end: kernel(*given, first, end), 0, height)


def _clear_outside(mask: Int32, grid: AmplifierGrid, bit: int) -> None:
    """Clear the bit in pixels that belong to no amplifier (overscans): they received nothing."""
    if sum((y.stop - y.start) * (x.stop - x.start) for y, x in grid.sections) == mask.size:
        return
    outside = np.ones(mask.shape, bool)
    for section in grid.sections:
        outside[section] = False
    mask[outside] &= ~np.int32(bit)


@njit(cache=True, nogil=True)
def _subtract(
    image: Float32,
    mask: Int32,
    variance: Float32,
    source: Float32,
    source_mask: Int32,
    source_variance: Float32,
    subtrahend: Float32,
    amplifiers: _Int64,
    sources: _Int64,
    factors: Float32,
    backgrounds: Float32,
    bit: np.int32,
    threshold: float,
    first: int,
    end: int,
) -> None:
    n, width = amplifiers.shape[0], amplifiers[0, 3]
    signal, spread = np.empty((n, width), np.float32), np.empty((n, width), np.float32)
    marked, anywhere = np.empty((n, width), np.bool_), np.empty(n, np.bool_)
    total, total_variance = np.empty(width, np.float32), np.empty(width, np.float32)
    for r in range(first, end):
        for s in range(n):
            y, start, right = _readout_row(amplifiers[s], r)
            _read(signal[s], source[y, start : start + width], right)
            if variance.shape[0]:
                _read(spread[s], source_variance[y, start : start + width], right)
            anywhere[s] = _find_marks(
                marked[s], signal[s], source_mask[y, start : start + width], right, bit, threshold
            )
            if backgrounds[s] != 0:
                _raise_by(signal[s], -backgrounds[s])
        for t in range(n):
            y, start, right = _readout_row(amplifiers[t], r)
            _add_up(total, signal, sources[t], factors[0, :, t], factors[1, :, t])
            if variance.shape[0]:
                _add_up_variance(total_variance, signal, spread, sources[t], factors[2, :, t], factors[3, :, t])
                _add_to(variance[y, start : start + width], total_variance, right)
            if subtrahend.shape[0]:
                _add_to(subtrahend[y, start : start + width], total, right)
                continue
            _take_from(image[y, start : start + width], total, right)
            _mark(mask[y, start : start + width], marked, anywhere, sources[t], right, bit)


@njit(cache=True, nogil=True)
def _take_and_mark(
    image: Float32,
    mask: Int32,
    subtrahend: Float32,
    boxes: _Int64,
    medians: Float32,
    bit: np.int32,
    threshold: np.float32,
    first: int,
    end: int,
) -> None:
    """Subtract, and mark what is far from the level of its box; the level is taken off and put back, which rounds."""
    width = subtrahend.shape[1]
    for y in range(first, end):
        taken, marks, pixels = subtrahend[y], mask[y, :width], image[y, :width]
        for k in range(medians.size):
            if boxes[k, 0] <= y < boxes[k, 1]:
                _raise_by(taken[boxes[k, 2] : boxes[k, 3]], -medians[k])
        for x in range(width):
            far = np.int32(abs(taken[x]) >= threshold)
            marks[x] = (marks[x] & ~bit) | (bit * far)
        for k in range(medians.size):
            if boxes[k, 0] <= y < boxes[k, 1]:
                _raise_by(taken[boxes[k, 2] : boxes[k, 3]], medians[k])
        for x in range(width):
            pixels[x] -= taken[x]


@njit(cache=True, nogil=True)
def _readout_row(amplifier: _Int64, r: int) -> tuple[int, int, bool]:
    """Locate row `r` after the readout corner: its y, its leftmost x, and whether it is read from the right."""
    y0, x0, height, _, upper, right = amplifier
    return (y0 + height - 1 - r if upper else y0 + r), x0, right != 0


# The loops below come in pairs, one for each direction: with a variable step they would not vectorise.


@njit(cache=True, nogil=True)
def _read(buffer: Float32, row: Float32, right: bool) -> None:
    n = buffer.size
    if right:
        for i in range(n):
            buffer[i] = row[n - 1 - i]
    else:
        for i in range(n):
            buffer[i] = row[i]


@njit(cache=True, nogil=True)
def _add_to(row: Float32, values: Float32, right: bool) -> None:
    n = values.size
    if right:
        for i in range(n):
            row[n - 1 - i] += values[i]
    else:
        for i in range(n):
            row[i] += values[i]


@njit(cache=True, nogil=True)
def _take_from(row: Float32, values: Float32, right: bool) -> None:
    n = values.size
    if right:
        for i in range(n):
            row[n - 1 - i] -= values[i]
    else:
        for i in range(n):
            row[i] -= values[i]


@njit(cache=True, nogil=True)
def _raise_by(values: Float32, level: np.float32) -> None:
    for i in range(values.size):
        values[i] += level


@njit(cache=True, nogil=True)
def _is_any(values: Float32) -> bool:
    for value in values:  # noqa: SIM110 - numba compiles no generators
        if value != 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _find_marks(
    marked: NDArray[np.bool_], signal: Float32, marks: Int32, right: bool, bit: np.int32, threshold: float
) -> bool:
    """Tell whether a pixel is bright or has the bit, and if so which; most rows have none."""
    n, level = signal.size, np.float64(threshold)
    bright, seen = np.int32(0), np.int32(0)
    for i in range(n):
        bright += np.int32(signal[i] >= level)
    for i in range(n):
        seen |= marks[i]
    if bright == 0 and seen & bit == 0:
        return False
    for i in range(n):
        marked[i] = (signal[i] >= level) | ((marks[n - 1 - i if right else i] & bit) != 0)
    return True


@njit(cache=True, nogil=True)
def _mark(
    marks: Int32, marked: NDArray[np.bool_], anywhere: NDArray[np.bool_], sources: _Int64, right: bool, bit: np.int32
) -> None:
    n = marks.size
    seen = np.int32(0)
    for i in range(n):
        seen |= marks[i]
    if seen & bit:
        for i in range(n):
            marks[i] &= ~bit
    for s in sources:
        if s < 0:
            return
        if anywhere[s]:
            for i in range(n):
                if marked[s, i]:
                    marks[n - 1 - i if right else i] |= bit


@njit(cache=True, nogil=True)
def _add_up(total: Float32, signal: Float32, sources: _Int64, linear: Float32, square: Float32) -> None:
    """Sum the couplings source by source: the order fixes the last bit."""
    for i in range(total.size):
        total[i] = 0
    first = _add_linear_in_fours(total, signal, sources, linear) if not _is_any(square) else 0
    for s in sources[first:]:
        if s < 0:
            return
        for i in range(total.size):
            total[i] += linear[s] * signal[s, i]
        if square[s] != 0:
            for i in range(total.size):
                total[i] += square[s] * (signal[s, i] * signal[s, i])


@njit(cache=True, nogil=True)
def _add_up_variance(
    total: Float32, signal: Float32, spread: Float32, sources: _Int64, linear: Float32, square: Float32
) -> None:
    for i in range(total.size):
        total[i] = 0
    first = _add_linear_in_fours(total, spread, sources, linear) if not _is_any(square) else 0
    for s in sources[first:]:
        if s < 0:
            return
        for i in range(total.size):
            total[i] += linear[s] * spread[s, i]
        if square[s] != 0:
            for i in range(total.size):
                one_way = signal[s, i] * signal[s, i] * spread[s, i]
                total[i] += square[s] * (one_way + one_way)


@njit(cache=True, nogil=True)
def _add_linear_in_fours(total: Float32, values: Float32, sources: _Int64, linear: Float32) -> int:
    """Add as many sources as there are whole fours of, in their order, and return how many that was.

    Four at a time, the sum so far is read and written once instead of four times.
    """
    done = 0
    while done + 4 < sources.size and sources[done + 3] >= 0:
        a, b, c, d = sources[done], sources[done + 1], sources[done + 2], sources[done + 3]
        from_a, from_b, from_c, from_d = values[a], values[b], values[c], values[d]
        for i in range(total.size):
            so_far = total[i] + linear[a] * from_a[i]
            so_far = so_far + linear[b] * from_b[i]
            so_far = so_far + linear[c] * from_c[i]
            total[i] = so_far + linear[d] * from_d[i]
        done += 4
    return done
