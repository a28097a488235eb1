"""Estimate bad pixels as a Gaussian process: a smooth field seen with noise at the good pixels around them.

Each connected region is estimated by itself, from the good pixels within five correlation lengths of its box. The field
has the covariance ``A^2 exp(-d^2 / (2 L^2))`` about the median of these pixels, ``A^2`` being the largest of them; they
are averaged in square cells, and each cell has the noise of a pixel.

Needs scikit-learn (``pip install 'isrflow[gp]'``), which is imported when a region is estimated.

References
----------
Rasmussen, C. E. & Williams, C. K. I., 2006, *Gaussian Processes for Machine Learning*, section 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from isrflow.kernels.footprints import label
from isrflow.kernels.layout import Float64
from isrflow.kernels.statistics import clip

_REACH_IN_LENGTHS = 5
_MOST_POINTS = 2000
_PREDICTED_AT_ONCE = 4096  # times 2000 points of 8 bytes: 65 MB
_LEAST_NOISE = 1e-5


@dataclass(frozen=True, slots=True)
class FieldRules:
    """What the field is like, and how finely it is sampled."""

    correlation_px: float = 15.0
    """Correlation length of the field."""
    cell_px: int = 20
    """Side of the cells in which good pixels are averaged; larger if there would be more than 2000 cells."""


def estimate_regions(
    image: NDArray[np.float32], variance: NDArray[np.float32], bad: NDArray[np.bool_], rules: FieldRules
) -> None:
    """Replace bad pixels by what the field seen in the good ones suggests, in place.

    Parameters
    ----------
    image
        (ny, nx), changed where `bad`.
    variance
        (ny, nx): its mean over finite pixels gives the noise. Never modified.
    bad
        (ny, nx): pixels to be replaced; of the others, those that are not finite are not used.
    rules
        Correlation length and sampling.

    Notes
    -----
    A region without a good pixel in reach takes the clipped mean of the image. Linear algebra runs on one thread, so
    that the result does not depend on their number.
    """
    from threadpoolctl import threadpool_limits

    labels, _ = label(bad)
    good = ~bad & np.isfinite(image)
    fallback = clip(image).mean
    reach = math.ceil(_REACH_IN_LENGTHS * rules.correlation_px)
    with threadpool_limits(1, user_api="blas"):
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
            y0, x0 = max(rows.start - reach, 0), max(columns.start - reach, 0)
            box = slice(y0, rows.stop + reach), slice(x0, columns.stop + reach)
            where = np.argwhere(labels[box] == number)
            if good[box].any():
                image[box][tuple(where.T)] = _estimate(image[box], variance[box], good[box], where, rules)
            else:
                image[box][tuple(where.T)] = fallback


def _estimate(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    good: NDArray[np.bool_],
    where: NDArray[np.intp],
    rules: FieldRules,
) -> Float64:
    """Estimate the pixels at `where` from good ones; there is at least one."""
    level = float(np.median(image[good]))
    known = variance[np.isfinite(variance)]
    noise = math.sqrt(max(float(known.mean(dtype=np.float64)), 0.0)) if known.size else 0.0
    places, values = average_cells(image, good, rules.cell_px)
    amplitude = math.sqrt(max(float(image[good].max()), noise**2, _LEAST_NOISE))
    model = _regressor(amplitude, rules.correlation_px, noise).fit(places, values - level)
    starts = range(0, len(where), _PREDICTED_AT_ONCE)
    parts = [model.predict(where[start : start + _PREDICTED_AT_ONCE].astype(np.float64)) for start in starts]
    return np.asarray(np.concatenate(parts) + level)


def _regressor(amplitude: float, length: float, noise: float) -> Any:
    """Make a regressor whose parameters are given, not fitted."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    kernel = ConstantKernel(amplitude**2, "fixed") * RBF(length, "fixed")
    solvable = _LEAST_NOISE**2 * amplitude**2  # cells that all but touch make the equations nearly dependent
    return GaussianProcessRegressor(kernel, alpha=max(noise**2, solvable), optimizer=None)


def average_cells(image: NDArray[np.float32], good: NDArray[np.bool_], side: int) -> tuple[Float64, Float64]:
    """Average good pixels, and their places, in square cells of at least `side` pixels.

    Returns
    -------
    places, values
        (n, 2) as y, x, and (n,): of the cells with a good pixel, at most 2000.
    """
    ny, nx = image.shape
    while -(-ny // side) * -(-nx // side) > _MOST_POINTS:
        side += 1
    y, x = np.nonzero(good)
    cell = y // side * -(-nx // side) + x // side
    _, cell, counts = np.unique(cell, return_inverse=True, return_counts=True)
    sums = [np.bincount(cell, each) / counts for each in (y, x, image[y, x].astype(np.float64))]
    return np.stack(sums[:2], axis=1), sums[2]
