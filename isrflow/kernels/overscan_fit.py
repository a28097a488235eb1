"""One number a line from the overscan beside it: robust collapse, then medians, polynomials or splines along the lines.

Lines are the first axis; for a parallel overscan hand in the transposed arrays. ``excluded`` is True where a pixel does
not take part; pixels that are not finite never do.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.interp1d import interpolate
from isrflow.kernels.runs import runs_of

FitKind = Literal[
    "MEAN",
    "MEANCLIP",
    "MEDIAN",
    "MEAN_PER_ROW",
    "MEDIAN_PER_ROW",
    "POLY",
    "CHEB",
    "LEG",
    "NATURAL_SPLINE",
    "CUBIC_SPLINE",
    "AKIMA_SPLINE",
]
Pixels = NDArray[Any]
Excluded = NDArray[np.bool_]
Vector = NDArray[np.float64]

IQR_TO_SIGMA = 0.74
"""Rounded as in the reference, where it only steers which pixels are left out."""
FILL_REACH = 5
"""Lines on each side from which an empty line is filled."""
FEWEST_SPLINE_BINS = 5


def exclude_outliers(pixels: Pixels, excluded: Excluded, n_sigma: float) -> Excluded:
    """Exclude also the pixels further than `n_sigma` from the median of their line.

    The deviation of a line is estimated from its quartiles, already excluded pixels included, and limited to the median
    over the lines where it is more than twice that.
    """
    low, middle, high = _line_quartiles(pixels)
    sigma = IQR_TO_SIGMA * (high - low)
    usual = float(np.nanmedian(sigma))
    sigma = np.where(sigma > 2.0 * usual, usual, sigma)
    with np.errstate(invalid="ignore"):
        wild = np.abs(pixels - middle[:, np.newaxis]) > (n_sigma * sigma)[:, np.newaxis]
    return np.asarray(excluded | wild | ~np.isfinite(pixels), np.bool_)


def fit_lines(pixels: Pixels, excluded: Excluded, kind: FitKind, *, order: int, as_integers: bool) -> Vector:
    """Fit one number to each line.

    Parameters
    ----------
    pixels, excluded
        Shape (lines, pixels of a line).
    kind
        Any kind but the constants. ``*_PER_ROW`` is a statistic of each line alone.
    order
        Degree of the polynomial, of which never more is used than passes through every line; or number of bins, at
        least one, whose means a spline interpolates.
    as_integers
        For ``*_PER_ROW``: truncate the pixels to integers first, which spreads the ties of digitised data in a median.

    Returns
    -------
    ndarray of float64
        One number a line; lines without any pixel are filled from their neighbours.

    Raises
    ------
    ValueError
        If a spline is asked for without bins.
    """
    if kind in {"MEAN_PER_ROW", "MEDIAN_PER_ROW"}:
        statistic = line_medians if kind == "MEDIAN_PER_ROW" else line_means
        if as_integers:
            excluded = excluded | ~np.isfinite(pixels)
            pixels = np.where(excluded, 0, pixels).astype(np.int32)
        return fill_empty_lines(statistic(pixels, excluded))
    profile = fill_empty_lines(_collapse(pixels, excluded))
    if kind in {"POLY", "CHEB", "LEG"}:
        return _fit_polynomial(profile, order)
    return _fit_spline(_abscissa(profile.size), profile, kind, order)


def line_means(pixels: Pixels, excluded: Excluded) -> Vector:
    """Average each line in double precision; NaN for a line without pixels."""
    used = ~(excluded | ~np.isfinite(pixels))
    count = used.sum(axis=1)
    total = np.where(used, pixels, 0).sum(axis=1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def line_medians(pixels: Pixels, excluded: Excluded) -> Vector:
    """Find the median of each line; NaN for a line without pixels.

    Integer pixels follow the rule of `isrflow.kernels.quantiles.quantile`.
    """
    used = ~(excluded | ~np.isfinite(pixels))
    count = used.sum(axis=1)
    integer = pixels.dtype.kind in "iu"
    largest = np.iinfo(pixels.dtype).max if integer else np.inf
    ordered = np.sort(np.where(used, pixels, largest), axis=1).astype(np.float64)
    line = np.arange(count.size)
    last = np.maximum(count - 1, 0)
    low = ordered[line, last // 2]
    if integer:
        inside = np.arange(ordered.shape[1]) < count[:, np.newaxis]
        left = (inside & (ordered < low[:, np.newaxis])).sum(axis=1)
        ties = (inside & (ordered == low[:, np.newaxis])).sum(axis=1)
        result = np.where(count == 1, low, low - 0.5 + (0.5 * count - left) / np.maximum(ties, 1))
    else:
        result = 0.5 * low + 0.5 * ordered[line, (last + 1) // 2]
    return np.where(count > 0, result, np.nan)


def fill_empty_lines(values: Vector) -> Vector:
    """Fill each run of NaN with the median of up to five values on either side.

    A run takes the values before it if it starts after the sixth line, those after it if it ends more than five lines
    before the end; earlier fills count, later empty lines do not. A run with nothing near takes the median of all.
    """
    filled = values.copy()
    empty = np.isnan(values)
    if not empty.any() or empty.all():
        return filled
    everywhere = float(np.median(values[~empty]))
    for start, stop in runs_of(empty):
        before = filled[start - FILL_REACH : start] if start > FILL_REACH else filled[:0]
        after = filled[stop : stop + FILL_REACH] if stop < values.size - FILL_REACH else filled[:0]
        near = np.concatenate([before, after])
        near = near[~np.isnan(near)]
        filled[start:stop] = np.median(near) if near.size else everywhere
    return filled


def _collapse(pixels: Pixels, excluded: Excluded) -> Vector:
    """Average each line, summing in the precision of the pixels; NaN for a line without pixels."""
    used = ~(excluded | ~np.isfinite(pixels))
    count = used.sum(axis=1)
    zeroed = pixels.copy(order="K")  # the memory order decides the order of the sum
    np.copyto(zeroed, 0, where=~used)
    return np.where(count > 0, zeroed.sum(axis=1) / np.maximum(count, 1), np.nan)


def _line_quartiles(pixels: Pixels) -> tuple[Vector, Vector, Vector]:
    """Find the quartiles of each line's finite pixels, interpolating as `numpy.percentile` does."""
    ordered = np.sort(pixels, axis=1)  # NaN sorts last
    count = np.isfinite(pixels).sum(axis=1)
    finite = np.where(np.isfinite(ordered), ordered, np.nan)
    line = np.arange(count.size)
    found = []
    for fraction in (0.25, 0.5, 0.75):
        position = fraction * np.maximum(count - 1, 0)
        low = position.astype(np.intp)
        weight = position - low
        below, above = finite[line, low], finite[line, np.minimum(low + 1, np.maximum(count - 1, 0))]
        step = above - below
        found.append(np.where(weight < 0.5, below + step * weight, above - step * (1.0 - weight)))
    return found[0], found[1], found[2]


def _fit_polynomial(profile: Vector, order: int) -> Vector:
    """Fit a polynomial by unweighted least squares and evaluate it where it was fitted.

    That is the projection of the profile on the polynomials, whichever basis spans them: the kinds POLY, CHEB and LEG
    differ by rounding only.
    """
    basis = _orthonormal_polynomials(profile.size, min(order, profile.size - 1))
    # Not by BLAS: its threads cost more than these few numbers, and its sums depend on the machine.
    return np.asarray((basis * (basis * profile[:, np.newaxis]).sum(axis=0)).sum(axis=1), np.float64)


@lru_cache(maxsize=64)
def _orthonormal_polynomials(n: int, order: int) -> Vector:
    """Return polynomials up to a degree, orthonormal over the abscissa of `n` lines, one a column."""
    basis = np.linalg.qr(np.polynomial.chebyshev.chebvander(_abscissa(n), order))[0]
    basis.setflags(write=False)
    return np.asarray(basis, np.float64)


def _abscissa(n: int) -> Vector:
    """Return where the lines lie between -1 and 1: the last one stops short of 1."""
    return 2.0 * np.arange(n) / n - 1.0


def _fit_spline(at: Vector, profile: Vector, kind: Any, n_bins: int) -> Vector:
    """Interpolate the means of equal-width bins; with fewer than five bins return the first mean everywhere."""
    if n_bins < 1:
        raise ValueError(f"{kind}: order is the number of bins, {n_bins} is not one")
    edges = np.linspace(at.min(), at.max(), n_bins + 1)
    owner = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, n_bins - 1)
    count = np.bincount(owner, minlength=n_bins)
    filled = count > 0
    knots = np.bincount(owner, at, n_bins)[filled] / count[filled]
    means = np.bincount(owner, profile, n_bins)[filled] / count[filled]
    if knots.size < FEWEST_SPLINE_BINS:
        return np.full(profile.size, means[0])
    return interpolate(knots, means, at, kind)
