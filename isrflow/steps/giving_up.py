"""Giving up amplifiers as a whole, and exposures of which none is left."""

from __future__ import annotations

from collections.abc import Collection

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.stage import mosaic_detector
from isrflow.steps.byproducts import BadAmplifiers
from isrflow.steps.step import StepConfig


class GivingUpConfig(StepConfig):
    """Base of the settings of steps that find bad amplifiers."""

    refuse_all_bad: bool = True
    """Whether an exposure without a good amplifier is refused."""


def give_up(
    exposure: Exposure, names: Collection[str], known: BadAmplifiers | None, config: GivingUpConfig
) -> BadAmplifiers:
    """Mark the whole raw segments of amplifiers as BAD, in place, and count them among those known to be bad.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    UnprocessableError
        If no amplifier is left and the settings say to refuse that.
    """
    for amp in mosaic_detector(exposure, "its raw segments are not known").amplifiers:
        if amp.name in names:
            _, mask, _ = exposure.amp(amp, "raw").planes()
            mask |= mask_bits("BAD")
    bad = BadAmplifiers(frozenset(names) | (frozenset() if known is None else known.names))
    if config.refuse_all_bad:
        bad.refuse_if_all(exposure)
    return bad
