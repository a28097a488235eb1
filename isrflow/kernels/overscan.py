"""Overscan correction of one amplifier: judge the overscan, reject, fit, subtract, and measure what is left.

Arrays are given with lines along the first axis: as they are for a serial overscan (the model has one value a row),
transposed for a parallel one (one value a column). Image and overscan have the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.kernels.footprints import grow
from isrflow.kernels.overscan_fit import FitKind, Vector, exclude_outliers, fit_lines
from isrflow.kernels.statistics import clip, describe, mean, median

Pixels = NDArray[np.float32]
Mask = NDArray[np.int32]
CONSTANTS = ("MEAN", "MEANCLIP", "MEDIAN")


@dataclass(frozen=True, slots=True)
class OverscanRules:
    """How to model an overscan; levels are in the unit of the pixels."""

    kind: FitKind = "MEDIAN"
    order: int = 1
    """Degree of a polynomial, number of bins of a spline."""
    n_sigma: float = 3.0
    """Clipping width, for pixels in their lines and for every clipped statistic."""
    as_integers: bool = True
    """Truncate pixels to integers for the statistics per row."""
    reject_bits: int = 0b11
    """Pixels with any of these mask bits take no part."""
    bad_bit: int = 0b1
    """Set on pixels rejected here."""
    max_deviation: float = 1000.0
    """Pixels further than this from the median are rejected."""
    two_sided: bool = True
    """Whether pixels too low are rejected as well."""
    smoothing_kernel: int = 0
    """Odd number of lines of the running median that shows up bright lines; 0: none."""
    smoothing_threshold: float = math.inf
    """A line this far above the running median is rejected."""
    grow_bad_lines: int = 0
    """Radius by which rejected lines are widened."""
    flood_fraction: float = 1.0
    """With `flood_level`: no correction if overscan / image exceeds this fraction in a bright image."""
    flood_level: float = math.inf


@dataclass(frozen=True, slots=True)
class OverscanFit:
    """The model that was subtracted, its statistics, and those of the overscan after subtraction."""

    model: float | Vector
    """A constant, or one value a line (float64, before rounding to the pixels)."""
    mean: float
    median: float
    sigma: float
    residual_mean: float
    residual_median: float
    residual_sigma: float
    bad_lines: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Rejected lines, before widening."""
    skipped: str = ""
    """Why nothing was subtracted; empty if something was."""


def correct_overscan(
    image: Pixels, overscan: Pixels, mask: Mask, rules: OverscanRules, used: slice = slice(None)
) -> OverscanFit:
    """Fit the overscan and subtract the model from image and overscan, in place.

    Parameters
    ----------
    image
        Shape (lines, n), float32, changed in place.
    overscan, mask
        Shape (lines, m): float32 pixels, changed in place, and their mask, which gains ``rules.bad_bit`` on what is
        rejected.
    rules
        The model and what is rejected.
    used
        The pixels of each line that are fitted; all of them are corrected and enter the residual statistics.

    Raises
    ------
    ValueError
        If image and overscan differ in their number of lines.
    """
    if image.shape[0] != overscan.shape[0]:
        raise ValueError(f"image has {image.shape[0]} lines, overscan {overscan.shape[0]}: their boxes must match")
    pixels, its_mask = overscan[:, used], mask[:, used]
    bad_lines = np.zeros(0, np.intp)
    model: float | Vector = 0.0
    skipped = _flood(image, pixels, rules)
    free = _free(pixels, its_mask, rules)
    if not skipped and free.any():
        bad_lines = _reject(pixels, free, mask, rules, used)
        free = _free(pixels, its_mask, rules) if bad_lines.size else free
    if not skipped and not free.any():
        skipped = "all overscan pixels are masked"
    if not skipped:
        model = _fit(pixels, ~free, rules)
    rounded = np.float32(model) if isinstance(model, float) else model.astype(np.float32)[:, np.newaxis]
    image -= rounded
    overscan -= rounded
    residual = describe(overscan, exclude=(mask & rules.reject_bits) != 0, n_sigma=rules.n_sigma)
    return OverscanFit(
        model,
        *_model_statistics(model, rules),
        residual.mean,
        residual.median,
        residual.clipped.stdev,
        bad_lines,
        skipped,
    )


def _free(pixels: Pixels, mask: Mask, rules: OverscanRules) -> NDArray[np.bool_]:
    """Find the pixels that can be used."""
    return np.asarray(((mask & rules.reject_bits) == 0) & np.isfinite(pixels), np.bool_)


def _flood(image: Pixels, overscan: Pixels, rules: OverscanRules) -> str:
    """Say that the overscan holds charge of the image, or nothing."""
    if math.isinf(rules.flood_level) or not _may_be_brighter(image, rules.flood_level):
        return ""
    level = median(image)
    flooded = level > rules.flood_level and median(overscan) / level > rules.flood_fraction
    return "the overscan is flooded with charge" if flooded else ""


def _may_be_brighter(image: Pixels, level: float) -> bool:
    """Tell whether the median could be above a level: not if less than half is, and counting takes far less time."""
    above, finite = image > np.float32(level), np.isfinite(image)
    return int(np.count_nonzero(above & finite)) >= int(np.count_nonzero(finite)) // 2


def _reject(pixels: Pixels, free: NDArray[np.bool_], mask: Mask, rules: OverscanRules, used: slice) -> NDArray[np.intp]:
    """Mask outlying pixels among those used, and whole lines that stand out; return those lines.

    `free` is updated for single pixels, not for lines.
    """
    delta = pixels - np.float32(median(pixels, exclude=~free))
    outlying = free & ((np.abs(delta, out=delta) if rules.two_sided else delta) > rules.max_deviation)
    bad = np.zeros(len(pixels), np.bool_)
    if outlying.any():
        mask[:, used][outlying] |= rules.bad_bit
        if rules.reject_bits & rules.bad_bit:
            free &= ~outlying
        bad |= outlying.all(axis=1)
    if rules.smoothing_kernel > 0:
        bad |= _bright_lines(pixels, rules)
    if bad.any():
        lines = np.broadcast_to(bad[:, np.newaxis], mask.shape)
        mask[grow(lines, rules.grow_bad_lines)] |= rules.bad_bit
    return np.nonzero(bad)[0]


def _bright_lines(pixels: Pixels, rules: OverscanRules) -> NDArray[np.bool_]:
    """Find lines that stand above the running median of the lines; those near the ends are never judged."""
    finite = np.isfinite(pixels)
    profile = np.zeros(pixels.shape[0], np.float32)
    some = finite.any(axis=1)
    profile[some] = np.nanmedian(np.where(finite[some], pixels[some], np.nan), axis=1)
    bright = (profile - _running_median(profile, rules.smoothing_kernel)) >= rules.smoothing_threshold
    bright[: rules.smoothing_kernel] = False
    bright[-rules.smoothing_kernel :] = False
    return np.asarray(bright, np.bool_)


def _running_median(profile: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Filter by the median of an odd number of neighbours; beyond the ends there are zeros."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(profile, width // 2), width)
    return np.asarray(np.median(windows, axis=1), np.float32)


def _fit(pixels: Pixels, excluded: NDArray[np.bool_], rules: OverscanRules) -> float | Vector:
    """Fit the model to the pixels that are left."""
    if rules.kind == "MEAN":
        return mean(pixels, exclude=excluded)
    if rules.kind == "MEDIAN":
        return median(pixels, exclude=excluded)
    if rules.kind == "MEANCLIP":
        return clip(pixels, exclude=excluded, n_sigma=rules.n_sigma).mean
    excluded = exclude_outliers(pixels, excluded, rules.n_sigma)
    if rules.kind.endswith("_PER_ROW") and not rules.reject_bits & rules.bad_bit:
        # What is left out here counts as BAD, so nothing is if BAD pixels are wanted.
        excluded = np.zeros_like(excluded)
    return fit_lines(pixels, excluded, rules.kind, order=rules.order, as_integers=rules.as_integers)


def _model_statistics(model: Any, rules: OverscanRules) -> tuple[float, float, float]:
    """Return mean, median and clipped deviation of the model."""
    if isinstance(model, float):
        return model, model, 0.0
    statistics = describe(model, n_sigma=rules.n_sigma)
    return statistics.mean, statistics.median, statistics.clipped.stdev
