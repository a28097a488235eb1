"""Medians and quartiles of usable values, integers included.

The functions here sort or partially sort the array they are given; `isrflow.kernels.statistics` gives them a copy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.select import WORTHWHILE, interpolated, select_quantiles

Sample = NDArray[Any]


def quantile(sample: Sample, fraction: float) -> float:
    """Find one quantile of at least one value, interpolating linearly at ``fraction * (n - 1)``.

    Integers are taken as spread evenly over ``[v - 0.5, v + 0.5)``, so that a quantile of digitised data is not itself
    digitised: with ``v`` the value at that position, ``left`` values below and ``mid`` equal to it, the quantile is
    ``v - 0.5 + (fraction * n - left) / mid``.
    """
    if is_integer(sample):
        sample.sort()
        return _integer_quantile(sample, fraction)
    if is_large(sample):
        return select_quantiles(sample[np.newaxis], [fraction])[0]
    return _interpolate_at(sample, fraction * (sample.size - 1))


def quartiles(sample: Sample) -> tuple[float, float, float]:
    """Find the three quartiles of at least one value."""
    if is_integer(sample):
        return _integer_quartiles(sample)
    last = sample.size - 1
    if is_large(sample):
        q25, median, q75 = select_quantiles(sample[np.newaxis], [0.25, 0.5, 0.75])
        return q25, median, q75
    start = last // 2
    median = _interpolate_at(sample, 0.5 * last)
    # With the middle in place the outer quartiles lie in the halves: half the work of a second search of everything.
    q25 = _interpolate_at(sample[: max(start + 1, 2)], 0.25 * last)
    q75 = _interpolate_at(sample[start:], 0.75 * last - start)
    return q25, median, q75


def is_integer(sample: Sample) -> bool:
    """Tell whether the values are integers, whose quantiles have a rule of their own."""
    return sample.dtype.kind in "iu"


def is_large(sample: Sample) -> bool:
    """Tell whether quantiles of the sample are found in one pass, which leaves it as it is."""
    return sample.dtype == np.float32 and sample.size >= WORTHWHILE


def _interpolate_at(sample: Sample, position: float) -> float:
    """Interpolate between the order statistics on both sides of a position."""
    low = int(position)
    sample.partition(low)
    above = float(sample[low + 1 :].min()) if position > low else math.nan
    return interpolated(float(sample[low]), above, position - low)


def _integer_quartiles(sample: Sample) -> tuple[float, float, float]:
    """Find the quartiles of integers, ties counted only inside a slice of the sorted sample around each."""
    sample.sort()
    last = sample.size - 1
    i25, i50, i75 = (int(fraction * last) for fraction in (0.25, 0.5, 0.75))
    return (
        _integer_quantile(sample, 0.25, 0, i50),
        _integer_quantile(sample, 0.5, i25, i75),
        _integer_quantile(sample, 0.75, i50, sample.size),
    )


def _integer_quantile(ordered: Sample, fraction: float, start: int = 0, stop: int | None = None) -> float:
    """Find a quantile of sorted integers spread evenly over unit cells, counting within ``[start, stop)`` only."""
    n = ordered.size
    value = ordered[int(fraction * (n - 1))]
    part = ordered[start:stop]
    left = int(np.searchsorted(part, value, side="left"))
    ties = int(np.searchsorted(part, value, side="right")) - left
    if n == 1 or ties == 0:  # a slice too short to hold its own quantile
        return float(value)
    return float(value) - 0.5 + (fraction * n - start - left) / ties
