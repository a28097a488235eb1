"""Find amplifiers whose electronics do not stand at their usual level."""

from __future__ import annotations

import logging
import math

from pydantic import Field

from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class OverscanLevelConfig(StepConfig):
    """What counts as another level."""

    enabled: bool = False
    """Whether the step is run."""
    threshold_sigma: float = Field(default=5.0, gt=0)
    """An amplifier further from its usual level than this many of its usual deviations is bad."""
    refuse_all_bad: bool = True
    """Whether an exposure without a good amplifier is refused."""


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
        If the exposure is trimmed already.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= BAD`` over raw segments with ``|m - M| / sigma > threshold_sigma``: m the median of the serial overscan
    model, M and sigma its usual value and spread, all in adu.
    """
    if exposure.detector is None or exposure.is_trimmed:
        raise GeometryError(f"{exposure.label} is no raw mosaic: its raw segments are not known")
    fits = {} if overscan is None else overscan.amplifiers
    usual = (effective_ptc and effective_ptc.overscan_median_adu) or {}
    spread = (effective_ptc and effective_ptc.overscan_median_sigma_adu) or {}
    bad = set() if bad_amplifiers is None else set(bad_amplifiers.names)
    unknown = []
    for amp in exposure.detector.amplifiers:
        level, sigma = usual.get(amp.name, math.nan), spread.get(amp.name, math.nan)
        if not (math.isfinite(level) and math.isfinite(sigma)):
            unknown.append(amp.name)
        elif amp.name in fits and _pull(fits[amp.name].serial.median - level, sigma) > config.threshold_sigma:
            log.warning("%s: overscan of amplifier %s is not at %g adu as usual", exposure.label, amp.name, level)
            bad.add(amp.name)
            mask = exposure.amp(amp, "raw").planes()[1]
            mask |= mask_bits("BAD")
    if unknown:
        log.warning("%s: usual overscan levels are not known of %s", exposure.label, ", ".join(unknown))
    exposure.header["LSST ISR OVERSCANLEVEL CHECKED"] = True
    result = BadAmplifiers(frozenset(bad))
    if config.refuse_all_bad:
        result.refuse_if_all(exposure)
    return result


def _pull(difference: float, sigma: float) -> float:
    """Return a difference in units of sigma, without sign; NaN if it is not a number."""
    if sigma == 0:
        return math.nan if difference == 0 else math.inf
    return abs(difference / sigma)
