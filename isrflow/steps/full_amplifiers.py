"""Find the amplifiers that are bad as a whole, so that no step on amplifiers wastes its work on them."""

from __future__ import annotations

import logging
import math

from isrflow.calibs.defects import Defects
from isrflow.frame.exposure import Exposure
from isrflow.frame.stage import mosaic_detector
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc
from isrflow.steps.giving_up import GivingUpConfig, give_up

log = logging.getLogger(__name__)


class FullAmplifiersConfig(GivingUpConfig):
    """What makes an amplifier bad."""

    without_gain: bool = True
    """Whether an amplifier whose gain is not a number is bad."""


def mask_full_amplifiers(
    exposure: Exposure,
    config: FullAmplifiersConfig,
    *,
    defects: Defects | None = None,
    effective_ptc: EffectivePtc | None = None,
) -> BadAmplifiers:
    """Mark the whole raw segment of amplifiers that lie in one defect or have no gain as BAD, in place.

    Parameters
    ----------
    exposure
        Raw mosaic.
    config
        What makes an amplifier bad.
    defects
        An amplifier is bad if *one* box holds all of it.
    effective_ptc
        Gains.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= BAD`` over the whole raw segment; no pixel is changed.
    """
    detector = mosaic_detector(exposure, "its raw segments are not known")
    boxes = () if defects is None else defects.boxes
    gains = effective_ptc.gain_electron_per_adu if effective_ptc is not None and config.without_gain else {}
    bad = [
        amp.name
        for amp in detector.amplifiers
        if any(box.contains(amp.box) for box in boxes) or not math.isfinite(gains.get(amp.name, 1.0))
    ]
    if bad:
        log.warning("%s: bad amplifiers: %s", exposure.label, ", ".join(sorted(bad)))
    return give_up(exposure, bad, None, config)
