"""Measure the read noise in the overscan, where no calibration states it."""

from __future__ import annotations

from dataclasses import replace

from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc, OverscanFits
from isrflow.steps.step import StepConfig


class ReadNoiseConfig(StepConfig):
    """Settings of the measurement: there are none."""


def measure_read_noise(
    exposure: Exposure,
    config: ReadNoiseConfig,  # noqa: ARG001
    *,
    effective_ptc: EffectivePtc | None = None,
    overscan: OverscanFits | None = None,
) -> EffectivePtc | None:
    """Take read noises that the source of the gains does not state from what is left of the serial overscan.

    Pixels are untouched; the numbers are noted in the header.

    Returns
    -------
    EffectivePtc or None
        The same, with noises; 0 for amplifiers without overscan fit. None without gains.

    Notes
    -----
    ``noise = g * sigma`` in electrons, sigma (adu) the clipped deviation of what the serial overscan correction left.
    """
    if effective_ptc is None:
        return None
    fits = {} if overscan is None else overscan.amplifiers
    noise, source = dict(effective_ptc.noise_electron), dict(effective_ptc.noise_source or {})
    for name, gain in effective_ptc.gain_electron_per_adu.items():
        if source.get(name) == "none" and name in fits:
            noise[name], source[name] = fits[name].serial.residual_sigma * gain, "serial overscan"
    result = replace(effective_ptc, noise_electron=noise, noise_source=source)
    exposure.header |= result.cards()
    return result
