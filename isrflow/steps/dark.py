"""Subtract the dark current, in proportion to the time in which it collected."""

from __future__ import annotations

import logging
import math

from isrflow.calibs.dark import Dark
from isrflow.errors import CalibrationError, HeaderError
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import add_scaled
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class DarkConfig(StepConfig):
    """How the dark is scaled and laid over the exposure."""

    use_dark_time: bool = True
    """Scale by dark time; if false, by exposure time."""
    trim_to_fit: bool = False
    """Allow a dark smaller by the same even number of pixels along x and y; what it does not cover becomes EDGE."""


def subtract_dark(exposure: Exposure, config: DarkConfig, *, dark: Dark, invert: bool = False) -> None:
    """Subtract the dark current, scaled by the dark times of exposure and dark, in place.

    Parameters
    ----------
    exposure
        float32, trimmed, bias subtracted, in the unit of the dark.
    config
        Which time counts; whether the dark may be smaller.
    dark
        Left untouched. Where it does not state its dark time, it is that of one second.
    invert
        Add it back instead. This restores the image to rounding; the variance grows both ways.

    Raises
    ------
    HeaderError
        If the dark time of the exposure is not known or negative.
    CalibrationError
        If that of the dark is zero or negative.
    CalibrationMismatch
        If the sizes do not fit.

    Notes
    -----
    ``I -= (t / t_D) D`` and ``V += (t / t_D)^2 V_D``, masks OR-ed, with the dark times of exposure and dark in seconds;
    image and dark in adu (or electron), variance in that squared.
    """
    factor = _exposure_time(exposure, config) / _dark_time(dark)
    part = match_size(exposure, dark.exposure, "dark", trim_to_fit=config.trim_to_fit)
    add_scaled(part.planes(), dark.exposure.planes(), factor if invert else -factor)
    exposure.header["LSST ISR DARK APPLIED"] = not invert


def _exposure_time(exposure: Exposure, config: DarkConfig) -> float:
    name = "dark_time_s" if config.use_dark_time else "exposure_time_s"
    seconds: float = getattr(exposure.obs, name)
    if math.isnan(seconds):
        raise HeaderError(
            f"{exposure.label}: {name.removesuffix('_s').replace('_', ' ')} is not known, so the dark cannot be scaled",
            fix=f"name the header card of {name} in the instrument's YAML file",
        )
    if seconds < 0:
        raise HeaderError(f"{exposure.label}: {name.removesuffix('_s').replace('_', ' ')} is {seconds:g} s")
    return seconds


def _dark_time(dark: Dark) -> float:
    if math.isnan(dark.exposure.obs.dark_time_s):
        log.warning("the dark does not state its dark time: it is taken as that of one second")
    if dark.dark_time_s <= 0:
        raise CalibrationError(
            f"the dark time of the dark is {dark.dark_time_s:g} s, so it cannot be scaled",
            fix="mend its DARKTIME card, or make or certify another one",
        )
    return dark.dark_time_s
