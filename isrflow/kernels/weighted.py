"""Moments of a sample whose values count differently, as those of pixels of different variance.

With weights ``w`` and ``W = sum w``: mean ``sum(w x) / W``,
variance ``sum(w (x - mean)^2) / W * W^2 / (W^2 - sum w^2)``,
squared error of the mean ``variance * sum w^2 / W^2``. Order statistics do not know weights. Clipping goes as in
`isrflow.kernels.statistics`, with these moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.kernels.quantiles import quartiles
from isrflow.kernels.statistics import IQR_TO_SIGMA

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightedMoments:
    """Moments of the values that took part; NaN where they are not defined."""

    n: int = 0
    mean: float = math.nan
    variance: float = math.nan
    mean_error: float = math.nan

    @property
    def stdev(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.variance)


@dataclass(frozen=True, slots=True)
class WeightedStatistics:
    """What `describe_weighted` says of a sample."""

    n: int
    n_rejected: int
    sum: float = 0.0
    """Sum of weight times value."""
    minimum: float = math.nan
    q25: float = math.nan
    median: float = math.nan
    q75: float = math.nan
    maximum: float = math.nan
    whole: WeightedMoments = WeightedMoments()
    clipped: WeightedMoments = WeightedMoments()

    @property
    def mean_square(self) -> float:
        """Mean of the squares."""
        return (self.n - 1) / self.n * self.whole.variance + self.whole.mean**2 if self.n else math.nan

    @property
    def median_error(self) -> float:
        """Standard error of the median of a Gaussian sample with the unclipped variance."""
        return math.sqrt(math.pi / 2 * self.whole.variance / self.n) if self.n else math.nan


def describe_weighted(
    values: ArrayLike,
    weights: ArrayLike,
    *,
    variance: ArrayLike | None = None,
    exclude: ArrayLike | None = None,
    n_sigma: float = 3.0,
    n_iterations: int = 3,
) -> WeightedStatistics:
    """Compute statistics of a weighted sample.

    Parameters
    ----------
    values
        Any shape. Never modified.
    weights
        The same shape; a value whose weight is not a positive number takes no part. For weights by variance give
        one over it.
    variance
        The same shape: take the errors of means from these variances, as ``sqrt(sum w^2 V) / W``, and not from the
        scatter.
    exclude
        True where a value does not take part.
    n_sigma, n_iterations
        Clipping width in standard deviations, and number of passes.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    used = _used(values, weights, exclude)
    sample, its_weights = np.asarray(values, np.float64)[used], np.asarray(weights, np.float64)[used]
    its_variance = None if variance is None else np.asarray(variance, np.float64)[used]
    n_rejected = np.size(values) - sample.size
    if sample.size == 0:
        return WeightedStatistics(0, n_rejected)
    q25, middle, q75 = quartiles(sample.astype(np.asarray(values).dtype))
    return WeightedStatistics(
        n=sample.size,
        n_rejected=n_rejected,
        sum=float(its_weights @ sample),
        minimum=float(sample.min()),
        q25=q25,
        median=middle,
        q75=q75,
        maximum=float(sample.max()),
        whole=_moments(sample, its_weights, its_variance),
        clipped=_clip((sample, its_weights, its_variance), middle, q75 - q25, n_sigma, n_iterations),
    )


def _used(values: ArrayLike, weights: ArrayLike, exclude: ArrayLike | None) -> NDArray[np.bool_]:
    array, its_weights = np.asarray(values), np.asarray(weights, np.float64)
    left_out: NDArray[Any] = np.zeros(array.shape, bool) if exclude is None else np.asarray(exclude, bool)
    if not array.shape == its_weights.shape == left_out.shape:
        raise ValueError(f"values {array.shape}, weights {its_weights.shape} and exclude {left_out.shape} must agree")
    return np.asarray(np.isfinite(array) & ~left_out & (its_weights > 0) & np.isfinite(its_weights), np.bool_)


def _moments(sample: Float64, weights: Float64, variances: Float64 | None) -> WeightedMoments:
    if sample.size == 0:
        return WeightedMoments()
    total, squares = float(weights.sum()), float(weights @ weights)
    mean, variance = float(weights @ sample) / total, math.nan
    if sample.size > 1:
        variance = float(weights @ (sample - mean) ** 2) / total * total**2 / (total**2 - squares)
    known = variance * squares if variances is None else float(weights**2 @ variances)
    return WeightedMoments(sample.size, mean, variance, math.sqrt(known) / total)


def _clip(
    sample: tuple[Float64, Float64, Float64 | None], centre: float, iqr: float, n_sigma: float, n_iterations: int
) -> WeightedMoments:
    """Run the clipping passes; the first has the width of the interquartile range, as a single value always has."""
    values, weights, variances = sample
    width, found = n_sigma * IQR_TO_SIGMA * iqr, WeightedMoments()
    for _ in range(n_iterations):
        kept = np.abs(values - centre) <= width
        found = _moments(values[kept], weights[kept], None if variances is None else variances[kept])
        centre = found.mean
        if values.size > 1:
            width = n_sigma * found.stdev
    return found
