"""Attach how much light of each wavelength arrives at each pixel."""

from __future__ import annotations

import logging

from isrflow.calibs.transmission import (
    TransmissionAtmosphere,
    TransmissionFilter,
    TransmissionFilterDetector,
    TransmissionOptics,
    TransmissionSensor,
)
from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.focal_plane import pixels_to_focal_plane
from isrflow.frame.transmission import TransmissionCurve
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class TransmissionConfig(StepConfig):
    """Which of the curves at hand are used."""

    enabled: bool = False
    """Whether the step is run."""
    use_atmosphere: bool = True
    """Whether the curve of the atmosphere takes part, if there is one."""
    use_optics: bool = True
    """Whether that of the optics does."""
    use_filter: bool = True
    """Whether that of the filter does."""
    use_sensor: bool = True
    """Whether that of the sensor does."""


def attach_transmission(
    exposure: Exposure,
    config: TransmissionConfig,
    *,
    transmission_atmosphere: TransmissionAtmosphere | None = None,
    transmission_optics: TransmissionOptics | None = None,
    transmission_filter: TransmissionFilter | None = None,
    transmission_filter_detector: TransmissionFilterDetector | None = None,
    transmission_sensor: TransmissionSensor | None = None,
) -> None:
    """Attach the product of the transmission curves at hand, as seen from pixels; no pixel is changed.

    Parameters
    ----------
    exposure
        Gets its `transmission`.
    config
        Which curves are used.
    transmission_atmosphere, transmission_optics, transmission_filter
        Curves in the focal plane, in millimetres from the optical axis. Those not given let all light through.
    transmission_filter_detector
        Curve of the filter above this detector, in pixels; goes before `transmission_filter`.
    transmission_sensor
        Curve in pixels.

    Raises
    ------
    GeometryError
        If a curve depends on the place in the focal plane, and the exposure has no detector.

    Notes
    -----
    ``T(x, y, l) = T_atmosphere(p, l) T_optics(p, l) T_filter(p, l) T_sensor(x, y, l)`` with ``p`` the place of pixel
    ``(x, y)`` in the focal plane in mm; l in Angstrom, T a fraction. Tables are interpolated linearly.
    """
    whole_filter = transmission_filter if transmission_filter_detector is None else None
    in_focal_plane = (
        ("atmosphere", transmission_atmosphere, config.use_atmosphere),
        ("optics", transmission_optics, config.use_optics),
        ("filter", whole_filter, config.use_filter),
    )
    in_pixels = (
        ("filter above the detector", transmission_filter_detector, config.use_filter),
        ("sensor", transmission_sensor, config.use_sensor),
    )
    given = {name: _in_pixels(part.curve, exposure) for name, part, is_used in in_focal_plane if part and is_used}
    given |= {name: part.curve for name, part, is_used in in_pixels if part and is_used}
    product = TransmissionCurve()
    for curve in given.values():
        product = product * curve
    exposure.transmission = product
    log.info("%s: transmission of %s", exposure.label, ", ".join(given) or "nothing: no curve was given")


def _in_pixels(curve: TransmissionCurve, exposure: Exposure) -> TransmissionCurve:
    """Return a curve in focal-plane millimetres as seen from pixels."""
    if all(factor.radii is None for factor in curve.factors):
        return curve
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector: where its pixels lie in the focal plane is not known")
    return curve.seen_from(pixels_to_focal_plane(exposure.detector))
