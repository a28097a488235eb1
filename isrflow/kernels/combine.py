"""Many pictures of one thing made into one: a statistic per pixel over a stack.

The stack is read a block of rows at a time, so that memory does not grow with the number of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from isrflow.kernels.layout import Float32, Float64, Int32, Planes
from isrflow.kernels.threads import parallel_njit

StackStatistic = Literal["MEAN", "MEDIAN", "MEANCLIP", "VARIANCECLIP"]
_CODES = {"MEAN": 0, "MEDIAN": 1, "MEANCLIP": 2, "VARIANCECLIP": 3}
_IQR_TO_SIGMA = 0.741301109252802


@dataclass(frozen=True, slots=True)
class StackControl:
    """How a stack is combined.

    Parameters
    ----------
    statistic
        What to take over the good values of each pixel.
    n_sigma, n_iterations
        Clipping: the first pass about the median with the quartile width, the others about the mean; always all passes.
    exclude_bits
        Mask bits of values to leave out; non-finite values always are.
    empty_bits
        Mask of pixels without any good value, which become NaN.
    error_from_variance
        Whether the variance of a mean comes from the input variances rather than from the scatter.
    """

    statistic: StackStatistic = "MEANCLIP"
    n_sigma: float = 3.0
    n_iterations: int = 3
    exclude_bits: int = 0
    empty_bits: int = 0
    error_from_variance: bool = False


def combine_stack(stack: Planes, control: StackControl, *, weights: NDArray[np.floating[Any]] | None = None) -> Planes:
    """Combine pictures pixel by pixel.

    Parameters
    ----------
    stack
        Image, mask and variance, each (n, ny, nx), C-contiguous, left untouched.
    control
        What to compute.
    weights
        (n,) relative weights of the pictures; equal if None.

    Returns
    -------
    tuple of ndarray
        New planes (ny, nx): the statistic; the OR of the masks of the values used; the variance of the statistic (of a
        median ``pi/2 * variance / n``; of a clipped variance, unknown and NaN).
    """
    images, masks, variances = stack
    n, ny, nx = images.shape
    combined = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.int32), np.empty((ny, nx), np.float32)
    scale = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    _combine(
        images, masks, variances, scale, _CODES[control.statistic], float(control.n_sigma),
        control.n_iterations, control.exclude_bits, control.empty_bits, control.error_from_variance, *combined,
    )  # fmt: skip
    return combined


def combine_in_blocks(
    shape: tuple[int, int], read_rows: Callable[[slice], Planes], control: StackControl, *, rows: int = 128
) -> Planes:
    """Combine pictures that need not be in memory together.

    Parameters
    ----------
    shape
        (ny, nx) of each picture.
    read_rows
        Gives, for a slice of rows, the planes of all pictures there, each (n, rows, nx).
    control
        What to compute.
    rows
        Rows to a block: memory is ``12 n rows nx`` bytes and the result does not depend on it.

    Returns
    -------
    tuple of ndarray
        New planes (ny, nx), as from `combine_stack`.
    """
    combined = np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty(shape, np.float32)
    for start in range(0, shape[0], rows):
        block = slice(start, min(start + rows, shape[0]))
        for whole, part in zip(combined, combine_stack(read_rows(block), control), strict=True):
            whole[block] = part
    return combined


@parallel_njit(error_model="numpy")
def _combine(
    images: Float32,
    masks: Int32,
    variances: Float32,
    weights: Float64,
    statistic: int,
    n_sigma: float,
    n_iterations: int,
    exclude_bits: int,
    empty_bits: int,
    error_from_variance: bool,
    combined: Float32,
    combined_mask: Int32,
    combined_variance: Float32,
) -> None:
    n, ny, nx = images.shape
    for y in prange(ny):
        # Rows of (value, weight, variance) of the good values of one pixel, and the values in order.
        good, ordered = np.empty((3, n)), np.empty(n)
        for x in range(nx):
            m, bits = 0, 0
            for i in range(n):
                value = images[i, y, x]
                if not np.isfinite(value) or masks[i, y, x] & exclude_bits:
                    continue
                good[0, m], good[1, m], good[2, m] = value, weights[i], variances[i, y, x]
                _insert(ordered, m, value)
                bits |= masks[i, y, x]
                m += 1
            if m == 0:
                combined[y, x], combined_variance[y, x], combined_mask[y, x] = np.nan, np.nan, empty_bits
                continue
            combined_mask[y, x] = bits
            half = math.inf
            centre = _quantile(ordered, m, 0.5)
            if statistic > 1:
                half = n_sigma * _IQR_TO_SIGMA * (_quantile(ordered, m, 0.75) - _quantile(ordered, m, 0.25))
            mean, variance, error = _moments(good, m, centre, half, error_from_variance)
            for _ in range(n_iterations - 1 if statistic > 1 else 0):
                if m > 1:
                    half = n_sigma * math.sqrt(variance if not variance < 0 else 0.0)
                mean, variance, error = _moments(good, m, mean, half, error_from_variance)
            if statistic == 1:
                combined[y, x], combined_variance[y, x] = centre, 0.5 * math.pi * variance / m
            elif statistic == 3:
                combined[y, x], combined_variance[y, x] = variance, np.nan
            else:
                combined[y, x], combined_variance[y, x] = mean, error


@njit(cache=True, nogil=True)
def _insert(ordered: Float64, count: int, value: float) -> None:
    """Put a value in its place among the first `count`, which are in order."""
    i = count
    while i > 0 and ordered[i - 1] > value:
        ordered[i] = ordered[i - 1]
        i -= 1
    ordered[i] = value


@njit(cache=True, nogil=True)
def _quantile(ordered: Float64, count: int, fraction: float) -> float:
    place = fraction * (count - 1)
    low = int(place)
    if low + 1 >= count:
        return float(ordered[low])
    share = place - low
    return float(ordered[low] * (1.0 - share) + ordered[low + 1] * share)


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(
    good: Float64, count: int, centre: float, half: float, error_from_variance: bool
) -> tuple[float, float, float]:
    """Find mean, unbiased variance and squared error of the mean of the values within `half` of `centre`."""
    total, total2, first, second = 0.0, 0.0, 0.0, 0.0
    spread, kept = 0.0, 0
    for i in range(count):
        distance = good[0, i] - centre
        if not abs(distance) <= half:
            continue
        w = good[1, i]
        total += w
        total2 += w * w
        first += w * distance
        second += w * distance * distance
        spread += w * w * good[2, i]
        kept += 1
    if kept == 0:
        return math.nan, math.nan, math.nan
    shift = first / total
    variance = math.nan
    if kept > 1:
        variance = (second / total - shift * shift) * total * total / (total * total - total2)
    error = spread / (total * total) if error_from_variance else variance * total2 / (total * total)
    return centre + shift, variance, error
