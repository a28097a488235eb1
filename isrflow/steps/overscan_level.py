"""Find amplifiers whose electronics do not stand at their usual level."""

from __future__ import annotations

import logging
import math

from pydantic import Field

from isrflow.frame.exposure import Exposure
from isrflow.frame.stage import mosaic_detector
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.giving_up import GivingUpConfig, give_up

log = logging.getLogger(__name__)


class OverscanLevelConfig(GivingUpConfig):
    """What counts as another level."""

    enabled: bool = False
    """Whether the step is run."""
    threshold_sigma: float = Field(default=5.0, gt=0)
    """An amplifier further from its usual level than this many of its usual deviations is bad."""


def check_overscan_levels(
    exposure: Exposure,
    config: OverscanLevelConfig,
    *,
    effective_ptc: EffectivePtc | None = None,
    overscan: OverscanFits | None = None,
    bad_amplifiers: BadAmplifiers | None = None,
) -> BadAmplifiers:
    """Mark the whole raw segment of amplifiers whose serial overscan was at an unusual level as BAD, in place.

    Parameters
    ----------
    exposure
        Raw mosaic.
    config
        The limit.
    effective_ptc
        Usual levels and deviations; amplifiers whose are not known are warned of, and not checked.
    overscan
        Levels of this exposure; amplifiers without one are not checked.
    bad_amplifiers
        Amplifiers known to be bad.

    Returns
    -------
    BadAmplifiers
        Those given, and those found.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= BAD`` over raw segments with ``|m - M| / sigma > threshold_sigma``: m the median of the serial overscan
    model, M and sigma its usual value and spread, all in adu.
    """
    detector = mosaic_detector(exposure, "its raw segments are not known")
    fits = {} if overscan is None else overscan.amplifiers
    usual = (effective_ptc and effective_ptc.overscan_median_adu) or {}
    spread = (effective_ptc and effective_ptc.overscan_median_sigma_adu) or {}
    unknown, off = [], []
    for amp in detector.amplifiers:
        level, sigma = usual.get(amp.name, math.nan), spread.get(amp.name, math.nan)
        if not (math.isfinite(level) and math.isfinite(sigma)):
            unknown.append(amp.name)
        elif amp.name in fits and _pull(fits[amp.name].serial.median - level, sigma) > config.threshold_sigma:
            log.warning("%s: overscan of amplifier %s is not at %g adu as usual", exposure.label, amp.name, level)
            off.append(amp.name)
    if unknown:
        log.warning("%s: usual overscan levels are not known of %s", exposure.label, ", ".join(unknown))
    exposure.header["LSST ISR OVERSCANLEVEL CHECKED"] = True
    return give_up(exposure, off, bad_amplifiers, config)


def _pull(difference: float, sigma: float) -> float:
    """Return a difference in units of sigma, without sign; NaN if it is not a number."""
    if sigma == 0:
        return math.nan if difference == 0 else math.inf
    return abs(difference / sigma)
