"""Divide by the illumination correction: how unevenly the flat was lit."""

from __future__ import annotations

from pydantic import Field

from isrflow.calibs.illumination import Illumination
from isrflow.errors import MissingCalibrations
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.arithmetic import divide_scaled
from isrflow.steps.step import StepConfig


class IlluminationConfig(StepConfig):
    """Through which filters the flat was lit unevenly, and how the correction is laid over the exposure."""

    enabled: bool = False
    """Whether the step is run."""
    filters: tuple[str, ...] = ()
    """Physical filters or bands; exposures through others are left alone."""
    scale: float = Field(default=1.0, gt=0)
    """Level of the correction that counts as one."""
    trim_to_fit: bool = False
    """Allow a correction smaller by the same even number of pixels along x and y; the rest becomes EDGE."""

    def demands(self, detector: Detector | None, physical_filter: str | None = None) -> frozenset[str]:  # noqa: ARG002
        """Demand a correction for exposures through a listed filter."""
        return frozenset({Illumination.kind}) if physical_filter in self.filters else frozenset()

    def ignores(self) -> frozenset[str]:
        """Look for no correction unless some filter needs one."""
        return frozenset() if self.filters else frozenset({Illumination.kind})


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
    if not exposure.obs.is_through(config.filters):
        return
    if illumination is None:
        raise MissingCalibrations(
            f"{exposure.label} was taken through {exposure.obs.filter_name}, whose flats need it, but there is no "
            "illumination correction",
            missing=[("illumination", Illumination.kind)],
            fix="give an illumination correction, or take the filter off illumination.filters",
        )
    part = match_size(exposure, illumination.exposure, "illumination correction", trim_to_fit=config.trim_to_fit)
    divide_scaled(part.planes(), illumination.exposure.planes(), 1.0 / config.scale)
    exposure.header["LSST ISR ILLUMINATION APPLIED"] = True
