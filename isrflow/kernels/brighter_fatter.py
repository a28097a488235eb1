"""Undoing the brighter-fatter effect: charge already in a pixel pushes later charge into its neighbours.

Coulton et al. 2018 (AJ 155, 258): the true image is ``F + div(F grad(K * F)) / 2`` with a measured kernel K; F on the
right is the true image itself, so the formula is applied until it no longer changes. Images are in electrons. What is
kept from one pass to the next is the correction, not the image, and the potential is that of the image, found once, and
of the correction: single precision is enough for small numbers, unless the iteration is to go on until less changes
than that can tell. Each pass is one sweep over the image, in bands that stay in the cache.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from isrflow.kernels.bands import add_to, over_bands
from isrflow.kernels.layout import Float32, Float64
from isrflow.kernels.stencil import Real, is_symmetric, sum_weighed

_QUARTER = np.float32(0.25)
_ROWS = 64
"""Rows summed up at a time."""
_BAND, _STRETCH = 64, 1024
"""Rows and columns corrected at a time. Bands are higher than others, as rows that several need are kept twice."""
_SINGLE_SUFFICES = 1e-5
"""Electrons per pixel: changes a tenth as large can still be told in single precision, in the most crowded fields."""


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
    size = checked_size(kernel, max_iterations)
    if min(image.shape) < size:
        return Convergence(math.nan, 0)  # all of the image is border
    base = without_nan(image)
    # The sum of the two terms is halved, and the kernel with it.
    weights = np.ascontiguousarray(kernel[::-1, ::-1] / 2, sufficient_precision(threshold, image.size))
    pivot = np.float32(np.mean(base[:: max(size, 1)], dtype=np.float64))  # differences alone matter: small numbers
    window = _window(base.shape, size)
    potential = _potential_of(base, weights, pivot, window)
    correction = np.zeros(base.shape, weights.dtype)
    difference = math.nan
    for iteration in range(max_iterations):
        change = _pass(base, potential, weights, pivot, window, correction, is_first=iteration == 0)
        if iteration == 1:  # by rule the first change that is judged is that from zero
            is_last = iteration == max_iterations - 1
            change = magnitude(base, correction, math.inf if is_last else threshold)
        if iteration > 0:
            difference = change
            if difference < threshold:
                break
    add_to(image, correction)
    return Convergence(difference, iteration)


def checked_size(kernel: Float64, max_iterations: int) -> int:
    """Return the width of a kernel; raises `ValueError` if it is not square or no iteration is allowed."""
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.size == 0:
        raise ValueError(f"the kernel must be square, but its shape is {kernel.shape}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}: at least one is needed")
    return int(kernel.shape[0])


def sufficient_precision(threshold: float, n_pixels: int) -> type[np.float32 | np.float64]:
    """Return the type in which a sum of changes can be told from such a threshold, in electrons."""
    return np.float32 if threshold >= _SINGLE_SUFFICES * n_pixels else np.float64


def without_nan(image: Float32) -> Float32:
    """Return the image with zeros for what is not a number; the image itself if there is nothing of the kind."""
    if math.isnan(image.min()) or not image.flags.c_contiguous:  # the least of numbers and a NaN is NaN
        return np.ascontiguousarray(np.where(np.isnan(image), np.float32(0), image))
    return image


def magnitude(base: Real, correction: Real, enough: float, *, pivot: float = 0.0) -> float:
    """Sum up absolute values of base less pivot plus correction where they are numbers; stop when there is enough."""
    total = 0.0
    for y in range(0, base.shape[0], _ROWS):
        rows = slice(y, y + _ROWS)
        total += float(np.nansum(np.abs(base[rows].astype(np.float64) - pivot + correction[rows])))
        if total >= enough:
            break
    return total


class _Window(NamedTuple):
    """The pixels that are corrected, by first row and column and the ends."""

    first: int
    end_y: int
    end_x: int

    @property
    def width(self) -> int:
        return self.end_x - self.first


def _window(shape: tuple[int, ...], size: int) -> _Window:
    first = size // 2 + 1
    # One pixel more is left out at the high edges for odd kernels, as in the reference.
    end_y, end_x = (max(length - (size + 1) // 2 - 1, first) for length in shape)
    return _Window(first, end_y, end_x)


def _potential_of(base: Float32, weights: Real, pivot: np.float32, window: _Window) -> Real:
    """Return the potential of the image as it is, in the window and one pixel around it."""
    size, symmetric = weights.shape[0], is_symmetric(weights)
    result = np.empty((window.end_y - window.first + 2, window.width + 2), weights.dtype)

    def work(first: int, end: int) -> None:
        around = np.subtract(base[first : end + size - 1, : window.width + size + 1], pivot, dtype=weights.dtype)
        sum_weighed(around, 0, 0, weights, symmetric, result[first:end])

    over_bands(work, 0, len(result))
    return result


def _pass(
    base: Float32,
    potential: Real,
    weights: Real,
    pivot: np.float32,
    window: _Window,
    correction: Real,
    *,
    is_first: bool,
) -> float:
    """Improve the correction, in place; return the sum of absolute changes."""
    (first, end_y, end_x), size, symmetric = window, weights.shape[0], is_symmetric(weights)
    columns = slice(0, window.width + size + 1)
    # What bands see of each other, before any is changed.
    starts = range(first, end_y, _BAND)
    below = {y: correction[y - first : y, columns].copy() for y in starts}
    above = {y: correction[y + _BAND : y + _BAND + size - first + 1, columns].copy() for y in starts}

    def work(y: int, end: int) -> float:
        own = correction[y:end, columns]
        rest = correction[end : end - first + size + 1, columns] if end == end_y else above[y]
        old = np.concatenate((below[y], own, rest))
        rows, change = slice(y - 1, end + 1), 0.0
        for x in range(first, end_x, _STRETCH):
            stop = min(x + _STRETCH, end_x)
            field = potential[y - first : end - first + 2, x - first : stop - first + 2].copy()
            if not is_first:  # what is known of the correction adds to the potential
                more = np.empty_like(field)
                sum_weighed(old, 0, x - first, weights, symmetric, more)
                field += more
            signal = np.subtract(base[rows, x - 1 : stop + 1], pivot, dtype=weights.dtype)
            signal += old[first - 1 : first + end - y + 1, x - 1 : stop + 1]
            change += _diverge(signal, field, weights.dtype.type(pivot), old[first:], x, correction[y:end])
        return change

    return math.fsum(over_bands(work, first, end_y, height=_BAND))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _diverge(signal: Real, potential: Real, pivot: Any, old: Real, left: int, new: Real) -> float:
    """Set the new correction to the divergence of charge times field, and return how far it changed in all.

    Signal and potential have a border of one pixel; the corrections begin at column `left`.
    """
    n = potential.shape[1] - 2
    change = np.zeros(n)
    for y in range(new.shape[0]):
        s_below, s_above, p_below, p_above = signal[y, 1:], signal[y + 2, 1:], potential[y, 1:], potential[y + 2, 1:]
        s_left, s_here, s_right = signal[y + 1], signal[y + 1, 1:], signal[y + 1, 2:]
        p_left, p_here, p_right = potential[y + 1], potential[y + 1, 1:], potential[y + 1, 2:]
        was, now = old[y, left:], new[y, left:]
        for x in range(n):
            slopes = (s_above[x] - s_below[x]) * (p_above[x] - p_below[x])
            slopes += (s_right[x] - s_left[x]) * (p_right[x] - p_left[x])
            bend = (p_above[x] - p_here[x]) - (p_here[x] - p_below[x])
            bend += (p_right[x] - p_here[x]) - (p_here[x] - p_left[x])
            now[x] = _QUARTER * slopes + (s_here[x] + pivot) * bend
            change[x] += abs(now[x] - was[x])
    return float(change.sum())
