"""Find amplifiers that are too noisy to be of use."""

from __future__ import annotations

import logging

from isrflow.frame.exposure import Exposure
from isrflow.frame.stage import mosaic_detector
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.giving_up import GivingUpConfig, give_up

log = logging.getLogger(__name__)


class AmplifierNoiseConfig(GivingUpConfig):
    """What counts as too noisy."""

    threshold_electron: float = 25.0
    """An amplifier whose read noise is larger is bad."""


def check_amplifier_noise(
    exposure: Exposure,
    config: AmplifierNoiseConfig,
    *,
    effective_ptc: EffectivePtc | None = None,
    overscan: OverscanFits | None = None,
    bad_amplifiers: BadAmplifiers | None = None,
) -> BadAmplifiers:
    """Mark the whole raw segment of amplifiers with too much read noise as BAD, in place.

    Parameters
    ----------
    exposure
        Raw mosaic.
    config
        The limit.
    effective_ptc
        Read noises as calibrated, and gains; by default those of the amplifiers.
    overscan
        What was left of the serial overscan: the read noise of this exposure (adu).
    bad_amplifiers
        Amplifiers known to be bad.

    Returns
    -------
    BadAmplifiers
        Those given, and those whose calibrated or present noise is above the limit; NaN is not.

    Raises
    ------
    GeometryError
        If the exposure has no detector or is trimmed already.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= BAD`` over raw segments where the calibrated noise, or ``g * sigma`` of the serial overscan, exceeds
    `threshold_electron` (electrons).
    """
    detector = mosaic_detector(exposure, "its raw segments are not known")
    fits = {} if overscan is None else overscan.amplifiers
    noisy = []
    for amp in detector.amplifiers:
        calibrated, gain = amp.read_noise_electron, amp.gain_electron_per_adu
        if effective_ptc is not None:
            calibrated, gain = effective_ptc.noise_electron[amp.name], effective_ptc.gain_electron_per_adu[amp.name]
        present = fits[amp.name].serial.residual_sigma * gain if amp.name in fits else 0.0
        if calibrated > config.threshold_electron or present > config.threshold_electron:
            log.warning(
                "%s: amplifier %s is too noisy: %.1f electrons as calibrated, %.1f now (limit %.1f)",
                *(exposure.label, amp.name, calibrated, present, config.threshold_electron),
            )
            noisy.append(amp.name)
    exposure.header["LSST ISR NOISE CHECKED"] = True
    return give_up(exposure, noisy, bad_amplifiers, config)
