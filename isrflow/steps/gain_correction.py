"""Follow gains that have changed since they were measured."""

from __future__ import annotations

import logging

from isrflow.calibs.gain_correction import GainCorrection
from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class GainCorrectionConfig(StepConfig):
    """Settings of the correction: there are none."""


def correct_gains(
    exposure: Exposure,
    config: GainCorrectionConfig,  # noqa: ARG001
    *,
    effective_ptc: EffectivePtc | None = None,
    gain_correction: GainCorrection | None = None,
) -> EffectivePtc | None:
    """Multiply the gains by their corrections, if there are any, and note the gains in the header; pixels stay.

    Parameters
    ----------
    exposure
        Its header is written to.
    config
        Unused.
    effective_ptc
        Gains as measured; left untouched, as is the calibration they come from.
    gain_correction
        Factors; without it gains stay as they are.

    Raises
    ------
    CalibrationMismatch
        If there are factors of amplifiers the detector does not have; all are named.

    Notes
    -----
    ``g *= adjustment``, electron/adu. Read noises (electrons) stay; turnoffs in electrons follow the gain.
    """
    if gain_correction is None or effective_ptc is None:
        log.info("%s: there are no gains or no corrections of them, so nothing changes", exposure.label)
        return effective_ptc
    result = effective_ptc.with_gains(gain_correction.corrected(effective_ptc.gain_electron_per_adu))
    exposure.header |= result.cards()
    exposure.header["LSST ISR GAINCORRECTION APPLIED"] = True
    return result
