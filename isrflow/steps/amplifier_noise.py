"""Find amplifiers that are too noisy to be of use."""

from __future__ import annotations

import logging

from isrflow.errors import GeometryError
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.byproducts import BadAmplifiers, EffectivePtc, OverscanFits
from isrflow.steps.step import StepConfig

log = logging.getLogger(__name__)


class AmplifierNoiseConfig(StepConfig):
    """What counts as too noisy."""

    threshold_electron: float = 25.0
    """An amplifier whose read noise is larger is bad."""
    refuse_all_bad: bool = True
    """Whether an exposure without a good amplifier is refused."""


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
        If the exposure is trimmed already.
    UnprocessableError
        If all amplifiers are bad.

    Notes
    -----
    ``mask |= BAD`` over raw segments where the calibrated noise, or ``g * sigma`` of the serial overscan, exceeds
    `threshold_electron` (electrons).
    """
    if exposure.detector is None or exposure.is_trimmed:
        raise GeometryError(f"{exposure.label} is no raw mosaic: its raw segments are not known")
    fits = {} if overscan is None else overscan.amplifiers
    bad = set() if bad_amplifiers is None else set(bad_amplifiers.names)
    for amp in exposure.detector.amplifiers:
        calibrated, gain = amp.read_noise_electron, amp.gain_electron_per_adu
        if effective_ptc is not None:
            calibrated, gain = effective_ptc.noise_electron[amp.name], effective_ptc.gain_electron_per_adu[amp.name]
        present = fits[amp.name].serial.residual_sigma * gain if amp.name in fits else 0.0
        if not (calibrated > config.threshold_electron or present > config.threshold_electron):
            continue
        log.warning(
            "%s: amplifier %s is too noisy: %.1f electrons as calibrated, %.1f now (limit %.1f)",
            *(exposure.label, amp.name, calibrated, present, config.threshold_electron),
        )
        bad.add(amp.name)
        mask = exposure.amp(amp, "raw").planes()[1]
        mask |= mask_bits("BAD")
    exposure.header["LSST ISR NOISE CHECKED"] = True
    result = BadAmplifiers(frozenset(bad))
    if config.refuse_all_bad:
        result.refuse_if_all(exposure)
    return result
