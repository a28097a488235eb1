"""Divide by the illumination correction: how unevenly the flat was lit."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from isrflow.calibs.illumination import Illumination
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import divide_scaled
from isrflow.steps.by_filter import ByFilterConfig, wanted_calibration


class IlluminationConfig(ByFilterConfig):
    """Through which filters the flat was lit unevenly, and how the correction is laid over the exposure."""

    calibration: ClassVar = Illumination
    lack: ClassVar = "whose flats need it, but there is no illumination correction"

    enabled: bool = False
    """Whether the step is run."""
    scale: float = Field(default=1.0, gt=0)
    """Level of the correction that counts as one."""
    trim_to_fit: bool = False
    """Allow a correction smaller by the same even number of pixels along x and y; the rest becomes EDGE."""


def correct_illumination(
    exposure: Exposure, config: IlluminationConfig, *, illumination: Illumination | None = None
) -> None:
    """Divide by the illumination correction over its scale, in place, if the filter is one that needs it.

    Parameters
    ----------
    exposure
        float32, trimmed, flat-fielded.
    config
        Filters and scale.
    illumination
        Left untouched; needed only for exposures through one of the filters.

    Raises
    ------
    MissingCalibrations
        If there is no correction for an exposure that needs one.
    CalibrationMismatch
        If the sizes do not fit.

    Notes
    -----
    ``I /= L / s`` and ``V = (V (L/s)^2 + V_L / s^2 I^2) / (L/s)^4`` with the image before, masks OR-ed. The unit stays;
    the correction has none.
    """
    correction = wanted_calibration(exposure, config, illumination)
    if correction is None:
        return
    part = match_size(exposure, correction.exposure, "illumination correction", trim_to_fit=config.trim_to_fit)
    divide_scaled(part.planes(), correction.exposure.planes(), 1.0 / config.scale)
    exposure.header["LSST ISR ILLUMINATION APPLIED"] = True
