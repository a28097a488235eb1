"""Undoing the brighter-fatter effect: charge already in a pixel pushes later charge into its neighbours.

Coulton et al. 2018 (AJ 155, 258): the true image is ``F + div(F grad(K * F)) / 2`` with a measured kernel K; F on the
right is the true image itself, so the formula is applied until it no longer changes. Images are in electrons, the work
is in double precision. Convolutions are direct sums: of a kernel that is symmetric in y, as measured ones are, rows are
added before they are weighed, which saves half the work and beats Fourier transforms at the usual 17 pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.threads import parallel_njit

_TILE = 512
"""Pixels of a row that are worked on at a time: their sums stay in the fastest cache."""


class Convergence(NamedTuple):
    """How an iteration ended."""

    difference: float
    """Sum over the image of the absolute last change; NaN after a single iteration."""
    last_iteration: int
    """Counted from zero."""


def correct_brighter_fatter(
    image: Float32, kernel: Float64, *, max_iterations: int = 10, threshold: float = 1000.0
) -> Convergence:
    """Put charge back where it was headed, in place, by the divergence formula of Coulton et al. 2018.

    A border of half the kernel's width is left as it is. Not-a-numbers stay, and count as zero for their neighbours.

    Parameters
    ----------
    image
        (ny, nx), float32, in electrons; changed in place.
    kernel
        (k, k), float64, in 1/electron.
    max_iterations
        At least one. The first change is not judged: two iterations are the least that is done, if this allows.
    threshold
        The iteration ends when the sum of absolute changes is less, in electrons.

    Raises
    ------
    ValueError
        If the kernel is not square or no iteration is allowed.
    """
    size = _checked_size(kernel, max_iterations)
    if min(image.shape) < size:
        return Convergence(math.nan, 0)  # all of the image is border
    base = np.where(np.isnan(image), np.float32(0), image)
    flipped = np.ascontiguousarray(kernel[::-1, ::-1], np.float64)
    current, updated = base.astype(np.float64), np.empty(base.shape)
    changes = np.empty(base.shape[0])
    difference = math.nan
    for iteration in range(max_iterations):
        potential = _correlate_valid(current, flipped)
        _apply_divergence(base, current, potential, updated, size, iteration > 1, changes)
        current, updated = updated, current
        if iteration > 0:
            difference = float(changes.sum())
            if difference < threshold:
                break
    np.copyto(image, current, casting="same_kind", where=~np.isnan(image))
    return Convergence(difference, iteration)


def correct_conserving_charge(
    image: Float32, kernel: Float64, *, max_iterations: int = 10, threshold: float = 1000.0
) -> Convergence:
    """Put charge back where it was headed, in place, as currents between pixels: what one gains another loses.

    The currents follow from the potential of the uncorrected image, which is not updated (the reference does not
    either); pixels nearer than half the kernel to the low edges exchange nothing. Parameters, errors and the treatment
    of not-a-numbers are those of `correct_brighter_fatter`.
    """
    size = _checked_size(kernel, max_iterations)
    is_missing = np.isnan(image)
    if is_missing.all():
        return Convergence(math.nan, 0)
    mean = float(np.mean(image[~is_missing], dtype=np.float64))
    current = np.where(is_missing, 0.0, image.astype(np.float64) - mean)
    potential = _potential_of(current, np.ascontiguousarray(kernel, np.float64), size)
    gained, updated, changes = np.empty(image.shape), np.empty(image.shape), np.empty(image.shape[0])
    base = np.ascontiguousarray(image)
    difference = math.nan
    for iteration in range(max_iterations):
        _apply_currents(base, current, potential, mean, updated, gained, iteration > 1, changes)
        current, updated = updated, current
        if iteration > 0:
            difference = float(changes.sum())
            if difference < threshold:
                break
    np.copyto(image, image + gained, casting="same_kind")
    return Convergence(difference, iteration)


def _checked_size(kernel: Float64, max_iterations: int) -> int:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.size == 0:
        raise ValueError(f"the kernel must be square, but its shape is {kernel.shape}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}: at least one is needed")
    return int(kernel.shape[0])


def _potential_of(signal: Float64, kernel: Float64, size: int) -> Float64:
    """Correlate with a kernel centred on (size - 1) // 2; zeros follow the image, what precedes it is not a number."""
    ny, nx = signal.shape
    centre = (size - 1) // 2
    padded = np.zeros((ny + size, nx + size))
    padded[:ny, :nx] = signal
    result = np.full(signal.shape, np.nan)
    result[centre:, centre:] = _correlate_valid(padded, kernel)[: max(ny - centre, 0), : max(nx - centre, 0)]
    return result


def _correlate_valid(signal: Float64, kernel: Float64) -> Float64:
    """Return the sums over ``kernel[i, j] * signal[y + i, x + j]`` where all of the kernel fits."""
    size = kernel.shape[0]
    result = np.empty((signal.shape[0] - size + 1, signal.shape[1] - size + 1))
    _correlate(signal, kernel, np.array_equal(kernel, kernel[::-1]), result)
    return result


@parallel_njit()
def _correlate(signal: Float64, kernel: Float64, is_symmetric: bool, result: Float64) -> None:
    size = kernel.shape[0]
    n_rows = (size + 1) // 2 if is_symmetric else size
    n_tiles = (result.shape[1] + _TILE - 1) // _TILE
    for y in prange(result.shape[0]):
        row = np.empty(_TILE + size)
        for tile in range(n_tiles):
            start = tile * _TILE
            width = min(_TILE, result.shape[1] - start)
            sums = result[y, start : start + width]
            sums[:] = 0.0
            for i in range(n_rows):
                mirrored = size - 1 - i
                for x in range(width + size - 1):
                    row[x] = signal[y + i, start + x]
                if is_symmetric and mirrored != i:
                    for x in range(width + size - 1):
                        row[x] += signal[y + mirrored, start + x]
                _add_weighed(row, kernel[i], sums)


@njit(cache=True, nogil=True)
def _add_weighed(row: Float64, weights: Float64, sums: Float64) -> None:
    """Add ``weights[j] * row[x + j]``, four weights at a time so that sums are loaded and stored less often."""
    j, size = 0, weights.size
    while j + 4 <= size:
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for x in range(sums.size):
            sums[x] += a * row[x + j] + b * row[x + j + 1] + c * row[x + j + 2] + d * row[x + j + 3]
        j += 4
    while j < size:
        a = weights[j]
        for x in range(sums.size):
            sums[x] += a * row[x + j]
        j += 1


@parallel_njit(error_model="numpy")
def _apply_divergence(
    base: Float32,
    current: Float64,
    potential: Float64,
    updated: Float64,
    size: int,
    is_judged_by_change: bool,
    changes: Float64,
) -> None:
    ny, nx = base.shape
    half = size // 2
    # One pixel more is left out at the high edges for odd kernels, as in the reference.
    first, last_y, last_x = half + 1, ny - (size + 1) // 2 - 2, nx - (size + 1) // 2 - 2
    for y in prange(ny):
        for x in range(nx):
            updated[y, x] = base[y, x]
        if first <= y <= last_y:
            below, here, above = potential[y - half - 1], potential[y - half], potential[y - half + 1]
            for x in range(first, last_x + 1):
                at = x - half
                slope_y = (current[y + 1, x] - current[y - 1, x]) / 2 * ((above[at] - below[at]) / 2)
                slope_x = (current[y, x + 1] - current[y, x - 1]) / 2 * ((here[at + 1] - here[at - 1]) / 2)
                bend_y = (above[at] - here[at]) - (here[at] - below[at])
                bend_x = (here[at + 1] - here[at]) - (here[at] - here[at - 1])
                updated[y, x] = base[y, x] + 0.5 * (slope_y + slope_x + current[y, x] * (bend_y + bend_x))
        changes[y] = _change(current[y], updated[y], is_judged_by_change)


@njit(cache=True, nogil=True)
def _change(current: Float64, updated: Float64, is_judged_by_change: bool) -> float:
    """Sum up absolute changes of a row; the first judged change is by rule that from zero."""
    total = 0.0
    for x in range(updated.size):
        total += abs(updated[x] - current[x]) if is_judged_by_change else abs(updated[x])
    return total


@parallel_njit(error_model="numpy")
def _apply_currents(
    base: Float32,
    current: Float64,
    potential: Float64,
    mean: float,
    updated: Float64,
    gained: Float64,
    is_judged_by_change: bool,
    changes: Float64,
) -> None:
    ny, nx = base.shape
    for y in prange(ny):
        for x in range(nx):
            gain = 0.0
            if y > 0:
                gain += _flow(potential[y - 1, x], potential[y, x], current[y - 1, x], current[y, x])
            if y < ny - 1:
                gain -= _flow(potential[y, x], potential[y + 1, x], current[y, x], current[y + 1, x])
            if x > 0:
                gain += _flow(potential[y, x - 1], potential[y, x], current[y, x - 1], current[y, x])
            if x < nx - 1:
                gain -= _flow(potential[y, x], potential[y, x + 1], current[y, x], current[y, x + 1])
            gained[y, x] = gain
            updated[y, x] = 0.0 if np.isnan(base[y, x]) else base[y, x] + gain - mean
        changes[y] = _change(current[y], updated[y], is_judged_by_change)


@njit(cache=True, nogil=True, error_model="numpy")
def _flow(potential: float, next_potential: float, signal: float, next_signal: float) -> float:
    """Return the charge that a pixel gives to the next one; none where a potential is not a number."""
    step = next_potential - potential
    if step > 0:
        return -0.5 * signal * step
    if step < 0:
        return -0.5 * next_signal * step
    return 0.0
