"""Subtract stray light: what reaches the detector past the optics."""

from __future__ import annotations

import math
from typing import ClassVar

from isrflow.calibs.stray_light import StrayLight
from isrflow.errors import ConfigError, HeaderError
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import add_scaled
from isrflow.steps.by_filter import ByFilterConfig, wanted_calibration


class StrayLightConfig(ByFilterConfig):
    """Through which filters there is stray light, and how its model is used."""

    calibration: ClassVar = StrayLight
    lack: ClassVar = "which has stray light, but there is no model of it"

    enabled: bool = False
    """Whether the step is run."""
    scale_by_time: bool = False
    """Whether the model is scaled to the exposure's time; if false it is subtracted as it is."""
    use_rotator_angle: bool = False
    """Whether the model is asked for the exposure's rotator angles; it must be one that depends on them."""
    rotator_cards: tuple[str, str] = ("ROTSTART", "ROTEND")
    """Header cards of the rotator angle in degrees, at begin and end of the exposure."""
    trim_to_fit: bool = False
    """Allow a model smaller by the same even number of pixels along x and y; what it does not cover becomes EDGE."""

    def ignores(self) -> frozenset[str]:
        """Look for a model in any case: a function of the user's own may want it through all filters."""
        return frozenset()

    def idle_through(self, physical_filter: str | None) -> frozenset[str]:  # noqa: ARG002
        """Look for a model in any case, likewise."""
        return frozenset()


def subtract_stray_light(
    exposure: Exposure, config: StrayLightConfig, *, stray_light: StrayLight | None = None
) -> None:
    """Subtract a model of stray light, in place, if the filter is one with stray light.

    A function of your own with this signature may take its place (`isrflow.task.subtasks.StrayLightTask`).

    Parameters
    ----------
    exposure
        float32, trimmed, in the unit of the model.
    config
        Filters, scale, rotator angles.
    stray_light
        Left untouched; needed only for exposures through one of the filters.

    Raises
    ------
    MissingCalibrations
        If there is no model for an exposure that needs one.
    ConfigError
        If rotator angles are to be used and the model does not depend on them.
    HeaderError
        If a rotator angle or an exposure time is asked for and not known.
    CalibrationMismatch
        If the sizes do not fit.

    Notes
    -----
    ``I -= f S`` and ``V += f^2 V_S``, masks OR-ed, with f = 1, or the ratio of the exposure times of exposure and
    model; image in adu (or electron), variance in that squared.
    """
    wanted = wanted_calibration(exposure, config, stray_light)
    if wanted is None:
        return
    model = wanted.evaluate(*_angles(exposure, wanted, config))
    factor = _seconds(exposure, "exposure") / _seconds(model, "stray light model") if config.scale_by_time else 1.0
    part = match_size(exposure, model, "stray light model", trim_to_fit=config.trim_to_fit)
    add_scaled(part.planes(), model.planes(), -factor)
    exposure.header["LSST ISR STRAYLIGHT APPLIED"] = True


def _angles(exposure: Exposure, model: StrayLight, config: StrayLightConfig) -> tuple[float, float]:
    """Return the rotator angles at begin and end, NaN if they are not asked for."""
    if not config.use_rotator_angle:
        return math.nan, math.nan
    if not model.depends_on_angle:
        raise ConfigError(
            f"{model.label} is one picture for all rotator angles, but use_rotator_angle is set",
            fix="set stray_light.use_rotator_angle: false, or give a model that overrides StrayLight.evaluate",
        )
    missing = [card for card in config.rotator_cards if not isinstance(exposure.header.get(card), (int, float))]
    if missing:
        raise HeaderError(
            f"{exposure.label}: no rotator angle in {', '.join(missing)}, so stray light cannot be told",
            fix="name the cards that hold it in stray_light.rotator_cards",
        )
    begin, end = (float(exposure.header[card]) for card in config.rotator_cards)
    return begin, end


def _seconds(exposure: Exposure, what: str) -> float:
    seconds = exposure.obs.exposure_time_s
    if not seconds > 0:
        raise HeaderError(f"the exposure time of the {what} is {seconds:g} s, so stray light cannot be scaled")
    return seconds
