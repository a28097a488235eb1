"""Undoing the brighter-fatter effect: charge already in a pixel pushes later charge into its neighbours.

Coulton et al. 2018 (AJ 155, 258): the true image is ``F + div(F grad(K * F)) / 2`` with a measured kernel K; F on the
right is the true image itself, so the formula is applied until it no longer changes. Images are in electrons. What is
kept from one pass to the next is the correction, not the image: single precision is enough for small numbers, unless
the iteration is to go on until less changes than that can tell. Each pass is one sweep over the image, in bands that
stay in the cache.
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
_SINGLE_SUFFICES = 4e-5
"""Electrons per pixel: in the most crowded fields, changes half as large are what single precision makes of nothing."""


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
    correction, updated = np.zeros(base.shape, weights.dtype), np.zeros(base.shape, weights.dtype)
    difference = math.nan
    for iteration in range(max_iterations):
        change = _pass(base, correction, pivot, weights, updated)
        correction, updated = updated, correction
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
        return np.where(np.isnan(image), np.float32(0), image)
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


def _pass(base: Float32, correction: Real, pivot: np.float32, weights: Real, updated: Real) -> float:
    """Find the next correction; return the sum of absolute changes."""
    size = weights.shape[0]
    first = size // 2 + 1
    # One pixel more is left out at the high edges for odd kernels, as in the reference.
    end_y, end_x = (length - (size + 1) // 2 - 1 for length in base.shape)
    if end_x <= first:
        return 0.0
    symmetric = is_symmetric(weights)

    def work(y: int, end: int) -> float:
        part = np.s_[y - first : end - first + size + 1, : end_x - first + size + 1]
        around = np.subtract(base[part], pivot, dtype=weights.dtype)
        around += correction[part]
        potential = np.empty((end - y + 2, end_x - first + 2), weights.dtype)
        sum_weighed(around, 0, 0, weights, symmetric, potential)
        return float(_diverge(around, potential, first, weights.dtype.type(pivot), correction[y:end], updated[y:end]))

    return math.fsum(over_bands(work, first, end_y))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _diverge(signal: Real, potential: Real, first: int, pivot: Any, old: Real, new: Real) -> float:
    """Set the new correction to the divergence of charge times field, and return how far it changed in all.

    The potential has a border of one pixel, the signal one of `first`.
    """
    n = potential.shape[1] - 2
    change = np.zeros(n)
    for y in range(new.shape[0]):
        s_below, s_above = signal[first + y - 1, first:], signal[first + y + 1, first:]
        s_left, s_here, s_right = (
            signal[first + y, first - 1 :],
            signal[first + y, first:],
            signal[first + y, first + 1 :],
        )
        p_below, p_above = potential[y, 1:], potential[y + 2, 1:]
        p_left, p_here, p_right = potential[y + 1], potential[y + 1, 1:], potential[y + 1, 2:]
        was, now = old[y, first:], new[y, first:]
        for x in range(n):
            slopes = (s_above[x] - s_below[x]) * (p_above[x] - p_below[x])
            slopes += (s_right[x] - s_left[x]) * (p_right[x] - p_left[x])
            bend = (p_above[x] - p_here[x]) - (p_here[x] - p_below[x])
            bend += (p_right[x] - p_here[x]) - (p_here[x] - p_left[x])
            now[x] = _QUARTER * slopes + (s_here[x] + pivot) * bend
            change[x] += abs(now[x] - was[x])
    return float(change.sum())
