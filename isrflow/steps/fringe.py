"""Subtract fringes: interference of sky lines within the sensor."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from isrflow.calibs.fringe import Fringe
from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import add_scaled
from isrflow.kernels.box_medians import Positions
from isrflow.kernels.fringe import draw_places, measure_contrasts, solve_strengths
from isrflow.kernels.layout import Float32, Float64, Int32, Planes
from isrflow.kernels.level import LevelRule, Statistic
from isrflow.kernels.statistics import median
from isrflow.steps.by_filter import ByFilterConfig, wanted_calibration
from isrflow.steps.step import ByProduct

log = logging.getLogger(__name__)


class FringeConfig(ByFilterConfig):
    """In which filters there are fringes, and how their strength is measured."""

    calibration: ClassVar = Fringe
    lack: ClassVar = "which has fringes, but there are no frames"

    n_samples: int = Field(30000, ge=1)
    """Places at which the contrast is measured."""
    small_px: int = Field(3, ge=1)
    """Half the side of the box whose level is compared; smaller than the fringes."""
    large_px: int = Field(30, ge=1)
    """Half the side of the box it is compared with; larger than the fringes."""
    n_iterations: int = Field(20, ge=0)
    """Rejections of outlying places at most."""
    n_sigma: float = Field(3.0, gt=0)
    """Places this many standard deviations out are rejected."""
    subtract_pedestal: bool = False
    """Whether the median of each frame is taken off before it is used."""
    ignored_planes: tuple[str, ...] = ("SAT",)
    """Pixels with these marks take no part in the levels of boxes."""
    statistic: Statistic = "MEDIAN"
    """What the level of a box is; the median hardly sees stars, the mean is exact in noise."""
    clip_sigma: float = Field(3.0, gt=0)
    """Clipping width of MEANCLIP."""
    clip_iterations: int = Field(3, ge=0)
    """Clipping passes of MEANCLIP."""
    seed_offset: int = 0
    """Added to the exposure id: the sum, modulo 2**32, decides the places, so that a repeated run finds the same."""
    seed: int | None = Field(None, ge=0, lt=2**32)
    """Decides the places instead, if given."""

    @model_validator(mode="after")
    def _boxes_are_in_order(self) -> Self:
        if self.small_px > self.large_px:
            raise ValueError(f"small_px {self.small_px} is larger than large_px {self.large_px}")
        return self


@dataclass(frozen=True, slots=True)
class FringeStrengths(ByProduct):
    """What was subtracted."""

    strengths: tuple[float, ...]
    """By which each frame was multiplied."""
    rms: float
    """Robust scatter of the contrasts about the solution, in the unit of the exposure; NaN if there was none."""
    n_used: int
    """Places that were not rejected."""


def subtract_fringes(
    exposure: Exposure, config: FringeConfig, *, fringe: Fringe | None = None
) -> FringeStrengths | None:
    """Subtract each fringe frame as strongly as it is found in the exposure, in place, if its filter has fringes.

    Parameters
    ----------
    exposure
        float32, trimmed. Its mask decides, with those of the frames, which pixels are measured; it is not changed.
    config
        Filters, sampling and rejection.
    fringe
        Left untouched; needed only for exposures through one of the filters.

    Returns
    -------
    FringeStrengths or None
        Also noted in ``LSST ISR FRINGE ...`` cards; None for exposures through other filters.

    Raises
    ------
    MissingCalibrations
        If there are no frames for an exposure that needs them.
    CalibrationMismatch
        If a frame differs in size.
    GeometryError
        If the exposure is too small to hold a large box.

    Notes
    -----
    ``I -= sum_i s_i F_i`` and ``V += sum_i s_i^2 V_i``. With the contrast ``c = median(small box) - median(large box)``
    at each place, the strengths ``s_i`` are the least squares solution of ``c(I) = sum_i s_i c(F_i)``; places are
    rejected beyond `n_sigma` times 0.74 interquartile ranges of the residuals until none is. Strengths are in the unit
    of the image over that of the frames.
    """
    wanted = wanted_calibration(exposure, config, fringe)
    if wanted is None:
        return None
    frames = [_prepared(exposure, frame, config) for frame in wanted.frames]
    found = _measure(exposure, frames, config)
    planes, no_marks = exposure.planes(), np.zeros(exposure.image.shape, np.int32)
    for strength, (image, _, variance) in zip(found.strengths, frames, strict=True):
        add_scaled(planes, (image, no_marks, variance), -strength)
    exposure.header["LSST ISR FRINGE APPLIED"] = True
    exposure.header["LSST ISR FRINGE RMS"] = found.rms
    exposure.header |= {f"LSST ISR FRINGE STRENGTH {i}": value for i, value in enumerate(found.strengths, 1)}
    return found


def _prepared(exposure: Exposure, frame: Exposure, config: FringeConfig) -> Planes:
    """Return the planes of a frame, without pedestal if so configured."""
    match_size(exposure, frame, "fringe frame")
    image, mask, variance = frame.planes()
    if config.subtract_pedestal:
        image = image - np.float32(median(image))
    return image, mask, variance


def _measure(exposure: Exposure, frames: list[Planes], config: FringeConfig) -> FringeStrengths:
    image, mask, _ = exposure.planes()
    ny, nx = image.shape
    if min(ny, nx) <= 2 * config.large_px:
        raise GeometryError(
            f"{exposure.label} of {nx} x {ny} pixels cannot hold a box of {2 * config.large_px} pixels to measure "
            "fringes in",
            fix="lower fringe.large_px",
        )
    places = draw_places((ny, nx), config.n_samples, config.large_px, _seed(exposure, config))
    science = _contrasts(image, mask, places, config)
    columns = [_contrasts(picture, mask | marks, places, config) for picture, marks, _ in frames]
    found = solve_strengths(
        science, np.stack(columns, axis=1), n_sigma=config.n_sigma, n_iterations=config.n_iterations
    )
    strengths = FringeStrengths(tuple(found.values.tolist()), found.rms, found.n_used)
    if found.n_used == 0:
        log.warning("%s: no place to measure fringes at is left, so none are subtracted", exposure.label)
    return strengths


def _contrasts(image: Float32, mask: Int32, places: Positions, config: FringeConfig) -> Float64:
    half_sizes = config.small_px, config.large_px
    rule = LevelRule(config.statistic, config.clip_sigma, config.clip_iterations)
    return measure_contrasts(image, mask, mask_bits(config.ignored_planes), places, half_sizes, rule)


def _seed(exposure: Exposure, config: FringeConfig) -> int:
    if config.seed is not None:
        return config.seed
    return (config.seed_offset + (exposure.obs.exposure_id or 0)) % 2**32
