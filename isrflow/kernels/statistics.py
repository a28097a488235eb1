"""Means, medians and clipped moments of a sample, as every step of the pipeline means them.

A *usable* value is finite and not excluded. Moments are accumulated in double precision about a centre, order
statistics interpolate linearly, and the clipped moments start from the interquartile range and then make a fixed number
of passes:

    pass 1       keeps  |x - median|  <= k * 0.7413 * IQR
    pass 2 ..    keeps  |x - mean|    <= k * standard deviation,   mean and deviation those of the pass before

There is no convergence test. A pass that keeps fewer than two of several values makes the result NaN. How sums are made
is in `isrflow.kernels.moments`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.kernels.moments import moments
from isrflow.kernels.quantiles import is_integer, is_large, quantile, quartiles
from isrflow.kernels.threads import has_all_cores, map_in_threads

IQR_TO_SIGMA = 0.741301109252802
"""Standard deviation of a Gaussian over its interquartile range."""

_LANES = 16
_BLOCKS = 16  # of large samples; a fixed number, so that results do not depend on the number of threads


@dataclass(frozen=True, slots=True)
class Clipped:
    """Mean and unbiased variance of what clipping kept of a sample, and how many values that was."""

    mean: float
    variance: float
    n: int

    @property
    def stdev(self) -> float:
        """Standard deviation of the kept values."""
        return math.sqrt(self.variance)

    @property
    def mean_error(self) -> float:
        """Standard error of the clipped mean."""
        return math.sqrt(self.variance / self.n) if self.n else math.nan

    @property
    def stdev_error(self) -> float:
        """Standard error of the clipped standard deviation, for Gaussian values."""
        if self.n < 2 or not self.variance > 0:
            return math.nan
        return 0.5 * math.sqrt(2 * (self.n - 1) * self.variance) / self.n


NOTHING = Clipped(math.nan, math.nan, 0)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What `describe` says of a sample; every statistic is NaN when no value is usable.

    Attributes
    ----------
    n, n_rejected
        Usable values, and those that are excluded or not finite.
    mean, variance
        Mean and unbiased variance of the usable values.
    q25, median, q75
        Quartiles.
    clipped
        Moments after clipping.
    """

    n: int
    n_rejected: int
    mean: float = math.nan
    variance: float = math.nan
    q25: float = math.nan
    median: float = math.nan
    q75: float = math.nan
    clipped: Clipped = NOTHING

    @property
    def stdev(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.variance)

    @property
    def iqr(self) -> float:
        """Interquartile range."""
        return self.q75 - self.q25

    @property
    def sum(self) -> float:
        """Sum of the usable values."""
        return self.mean * self.n

    @property
    def mean_square(self) -> float:
        """Mean of the squares."""
        return (self.n - 1) / self.n * self.variance + self.mean**2 if self.n else math.nan

    @property
    def mean_error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.variance / self.n) if self.n else math.nan

    @property
    def median_error(self) -> float:
        """Standard error of the median of a Gaussian sample with the unclipped variance."""
        return math.sqrt(math.pi / 2) * self.mean_error


def describe(
    values: ArrayLike, *, exclude: ArrayLike | None = None, n_sigma: float = 3.0, n_iterations: int = 3
) -> Statistics:
    """Compute every statistic of a sample in one go.

    Parameters
    ----------
    values
        Any shape; integers, float32 or float64. Never modified.
    exclude
        Boolean array of the same shape: True where a value does not take part.
    n_sigma, n_iterations
        Clipping width in standard deviations, and number of passes.

    Returns
    -------
    Statistics
        For integer values the median is that of the whole sample, while quartiles, and the median that clipping starts
        from, count ties only within a slice of the sorted sample.

    Raises
    ------
    ValueError
        If `values` has no element at all, or `exclude` another shape.
    """
    sample = usable(values, exclude)
    n_rejected = np.size(values) - sample.size
    if sample.size == 0:
        return Statistics(0, n_rejected)
    q25, middle, q75 = quartiles(sample)
    average, variance, _ = moments(sample, middle, math.inf)
    clipped = _clip_passes(sample, middle, q75 - q25, n_sigma, n_iterations)
    whole = quantile(sample, 0.5) if is_integer(sample) else middle
    return Statistics(sample.size, n_rejected, average, variance, q25, whole, q75, clipped)


def mean(values: ArrayLike, *, exclude: ArrayLike | None = None) -> float:
    """Average the usable values in double precision; NaN when there is none."""
    sample = usable(values, exclude)
    if sample.size == 0:
        return math.nan
    return moments(sample, float(sample.sum(dtype=np.float64)) / sample.size, math.inf)[0]


def median(values: ArrayLike, *, exclude: ArrayLike | None = None) -> float:
    """Find the median of the usable values, by `quantiles.quantile`; NaN when there is none."""
    sample = usable(values, exclude)
    return quantile(sample, 0.5) if sample.size else math.nan


def clip(
    values: ArrayLike, *, exclude: ArrayLike | None = None, n_sigma: float = 3.0, n_iterations: int = 3
) -> Clipped:
    """Compute mean and variance of a sample after iterative clipping; the module's text states the rule."""
    sample = usable(values, exclude)
    if sample.size == 0:
        return NOTHING
    q25, middle, q75 = quartiles(sample)
    return _clip_passes(sample, middle, q75 - q25, n_sigma, n_iterations)


def usable(values: ArrayLike, exclude: ArrayLike | None = None) -> NDArray[Any]:
    """Copy the finite, not excluded values into a fresh one-dimensional array, in reading order.

    A large contiguous float32 image that is finite everywhere is not copied: finding quantiles of so many values leaves
    them where they are.
    """
    array = np.asarray(values)
    if array.size == 0:
        raise ValueError("statistics of an array without elements: check the box the pixels were taken from")
    if exclude is not None and np.shape(exclude) != array.shape:
        raise ValueError(f"exclude has shape {np.shape(exclude)}, values have {array.shape}: they must agree")
    if exclude is not None and not np.any(exclude):
        exclude = None  # the common case is also the fast one
    if is_integer(array):
        return (array.copy() if exclude is None else array[~np.asarray(exclude, bool)]).ravel()
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if exclude is None and is_large(array) and array.flags.c_contiguous and has_all_cores():
        values = array.reshape(-1)
        if _all_finite(values):
            return values
    flat = array.flatten()
    if exclude is None and flat.dtype == np.float32 and _is_finite(flat):
        return flat
    left_out = np.zeros(0, np.bool_) if exclude is None else np.ascontiguousarray(exclude, np.bool_).ravel()
    buffer = np.empty_like(flat)
    return buffer[: _gather(flat, left_out, buffer)]


def _clip_passes(sample: NDArray[Any], middle: float, iqr: float, n_sigma: float, n_iterations: int) -> Clipped:
    """Run the clipping passes over usable values."""
    centre, width = middle, n_sigma * IQR_TO_SIGMA * iqr
    variance, kept = math.nan, 0
    for _ in range(n_iterations):
        if math.isnan(centre) or math.isnan(width):
            return Clipped(math.nan, math.nan, kept)
        centre, variance, kept = moments(sample, centre, width)
        if sample.size > 1:  # a single value keeps the zero width it started with
            width = n_sigma * math.sqrt(variance)
    return Clipped(centre, variance, kept)


@nb.njit(cache=True, nogil=True)
def _gather(values: NDArray[Any], exclude: NDArray[np.bool_], buffer: NDArray[Any]) -> int:
    """Copy usable values into a buffer and count them; an empty `exclude` excludes nothing."""
    n = 0
    masked = exclude.size > 0
    for i in range(values.size):
        buffer[n] = values[i]
        # "finite" means: as a float32 pixel
        if np.isfinite(np.float32(values[i])) and not (masked and exclude[i]):
            n += 1
    return n


def _all_finite(values: NDArray[np.float32]) -> bool:
    """Do `_is_finite` for a large sample."""
    step = -(-values.size // _BLOCKS)
    parts = [values[block * step : (block + 1) * step] for block in range(_BLOCKS)]
    return all(map_in_threads(_is_finite, parts))


@nb.njit(cache=True, nogil=True)
def _is_finite(values: NDArray[np.float32]) -> bool:
    """Tell whether no value is NaN or infinite: times zero these alone are not zero, and that vectorises."""
    n = values.size
    odd = np.zeros(_LANES, np.float32)
    for start in range(0, n - n % _LANES, _LANES):
        for lane in range(_LANES):
            odd[lane] += values[start + lane] * np.float32(0)
    for i in range(n - n % _LANES, n):
        odd[0] += values[i] * np.float32(0)
    return bool(odd.sum() == 0)
