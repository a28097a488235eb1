"""How strong fringes are in a picture: contrasts at many places, compared with those of fringe frames.

The contrast of a place is the level of a small box about it less that of a large one: where the sky is smooth on the
scale of the large box, only fringes are left. The strength of each frame is the least squares solution, without
intercept, of `science = sum(strength_i * frame_i)` over the places, from which outliers are taken step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.box_medians import Positions, contrast_of_boxes
from isrflow.kernels.layout import Float32, Float64, Int32
from isrflow.kernels.level import LevelRule

IQR_TO_RMS = 0.74
"""Standard deviation of a Gaussian over its interquartile range, to the two digits used here by rule."""


@dataclass(frozen=True, slots=True)
class Strengths:
    """The strength of each fringe frame, and how well they explain the contrasts."""

    values: Float64
    """(k,); all zero where no place could be used."""
    rms: float
    """Robust scatter of the residuals in the last rejection; NaN where there was none."""
    n_used: int
    """How many places the solution rests on."""


def draw_places(shape: tuple[int, int], n: int, margin: int, seed: int) -> Positions:
    """Draw places at least `margin` from the edges, the same for the same seed.

    Parameters
    ----------
    shape
        (ny, nx) of the picture.
    n
        How many.
    margin
        In pixels.
    seed
        From 0 to 2**32 - 1; the generator is numpy's of before 1.17, which never changes.

    Returns
    -------
    ndarray
        (n, 2) int64, x and y: all x were drawn before all y.

    Raises
    ------
    ValueError
        If the picture is not larger than two margins.
    """
    ny, nx = shape
    if min(nx, ny) <= 2 * margin:
        raise ValueError(f"a picture of {nx} x {ny} pixels has no place {margin} pixels from all edges")
    generator = np.random.RandomState(seed)
    x = generator.randint(margin, nx - margin, n)
    y = generator.randint(margin, ny - margin, n)
    return np.stack([x, y], axis=1).astype(np.int64)


def measure_contrasts(
    image: Float32,
    mask: Int32,
    exclude_bits: int,
    places: Positions,
    half_sizes: tuple[int, int],
    rule: LevelRule = LevelRule("MEDIAN"),  # noqa: B008 - it is frozen
) -> Float64:
    """Measure the contrast at each place, NaN where no pixel of a box can be used.

    Parameters
    ----------
    image, mask
        (ny, nx) float32 and int32, left untouched; pixels with any of `exclude_bits` take no part.
    places
        (n, 2) x and y.
    half_sizes
        Of the small and the large box, in pixels.
    rule
        What the level of a box is.

    Returns
    -------
    ndarray
        (n,) float64.
    """
    if rule.statistic == "MEDIAN":
        return contrast_of_boxes(image, mask, exclude_bits, places, half_sizes)
    excluded = (mask & exclude_bits) != 0
    small, large = (_levels(image, excluded, places, half, rule) for half in half_sizes)
    return small - large


def _levels(image: Float32, excluded: NDArray[np.bool_], places: Positions, half: int, rule: LevelRule) -> Float64:
    boxes = [np.s_[y - half : y + half, x - half : x + half] for x, y in places.tolist()]
    return np.array([rule.of(image[box], excluded[box]) for box in boxes])


def solve_strengths(science: Float64, frames: Float64, *, n_sigma: float = 3.0, n_iterations: int = 20) -> Strengths:
    """Find how strong each fringe frame is in a picture, by least squares with rejection.

    Parameters
    ----------
    science
        (n,) contrasts of the picture.
    frames
        (n, k) contrasts of the frames at the same places.
    n_sigma
        Places further from the median of a column, then from the solution, are left out.
    n_iterations
        Rejections at most; they end when none is left out any more.

    Returns
    -------
    Strengths
        Zeros if no place is left.
    """
    nothing = Strengths(np.zeros(frames.shape[1]), np.nan, 0)
    finite = np.isfinite(science) & np.isfinite(frames).all(axis=1)
    science, frames = science[finite], frames[finite]
    if science.size == 0:
        return nothing
    good = np.all([_near_median(column, n_sigma) for column in (science, *frames.T)], axis=0)
    science, frames = science[good], frames[good]
    rms = np.nan
    for _ in range(n_iterations):
        if science.size == 0:
            return nothing
        residual = science - frames @ _least_squares(frames, science)
        rms = _robust_rms(residual)
        good = ~(np.abs(residual) > n_sigma * rms)
        if good.all():
            break
        science, frames = science[good], frames[good]
    if science.size == 0:
        return nothing
    return Strengths(_least_squares(frames, science), rms, science.size)


def _near_median(values: Float64, n_sigma: float) -> NDArray[np.bool_]:
    return np.abs(values - np.median(values)) < n_sigma * _robust_rms(values)


def _robust_rms(values: Float64) -> float:
    q25, q75 = np.percentile(values, (25, 75))
    return float(IQR_TO_RMS * (q75 - q25))


def _least_squares(frames: Float64, science: Float64) -> Float64:
    return np.asarray(np.linalg.lstsq(frames, science, rcond=None)[0], np.float64)
