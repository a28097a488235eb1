"""Decide which gain, read noise and turnoff the later steps use."""

from __future__ import annotations

import logging
import math

from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationMismatch, GeometryError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc, OverscanFits
from isrflow.steps.step import StepConfig, at_amplifier

log = logging.getLogger(__name__)

UNKNOWN_TURNOFF_ADU = 2e19


class EffectivePtcConfig(StepConfig):
    """Where the numbers come from; by default from the camera's description."""

    use_ptc_gains: bool = False
    """Take gains from the photon transfer curve."""
    use_ptc_noise: bool = False
    """Take read noises from the photon transfer curve."""
    empirical_read_noise: bool = False
    """Take read noises from what the serial overscan correction left; goes before the others."""

    def demands(
        self,
        detector: Detector | None,  # noqa: ARG002 - the same for every detector and filter
        physical_filter: str | None = None,  # noqa: ARG002
    ) -> frozenset[str]:
        """Demand a photon transfer curve if numbers are to come from it."""
        return frozenset({"ptc"}) if self.use_ptc_gains or self.use_ptc_noise else frozenset()


def find_effective_ptc(
    exposure: Exposure,
    config: EffectivePtcConfig,
    *,
    ptc: PhotonTransferCurve | None = None,
    overscan: OverscanFits | None = None,
) -> EffectivePtc:
    """Find gain, read noise and turnoff of every amplifier and note them in the header; pixels are untouched.

    A gain or noise that is not a positive number becomes 1, with a warning that says so.

    Parameters
    ----------
    exposure
        Its detector supplies what the other sources do not.
    config
        The choice of sources.
    ptc
        Photon transfer curve; its turnoffs are used whenever it is given.
    overscan
        Fits whose residuals are the empirical noise.

    Returns
    -------
    EffectivePtc
        Positive numbers for every amplifier.

    Raises
    ------
    GeometryError
        If the exposure has no detector.
    CalibrationMismatch
        If the curve lacks amplifiers of the detector; all are named.

    Notes
    -----
    No pixel changes. Gains in electron/adu, read noises in electron, turnoffs in adu. The empirical read noise is the
    clipped standard deviation of what the overscan correction left, times the gain.
    """
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so gain and read noise are not known")
    amplifiers = exposure.detector.amplifiers
    wanted = [config.use_ptc_gains and "gain", config.use_ptc_noise and "noise"]
    for quantity in filter(None, wanted):
        lacking = [amp.name for amp in amplifiers if ptc is None or amp.name not in getattr(ptc, str(quantity))]
        if lacking:
            raise CalibrationMismatch(f"{exposure.label}: the ptc has no {quantity} of amplifiers {', '.join(lacking)}")
    found = {}
    for amp in amplifiers:
        with at_amplifier(amp.name):
            found[amp.name] = _of_amplifier(exposure, amp, config, ptc, overscan)
    result = EffectivePtc(
        gain_electron_per_adu={name: gain for name, (gain, _, _, _) in found.items()},
        noise_electron={name: noise for name, (_, noise, _, _) in found.items()},
        turnoff_adu={name: turnoff for name, (_, _, turnoff, _) in found.items()},
        gain_source="ptc" if config.use_ptc_gains else "amp",
        noise_source={name: source for name, (_, _, _, source) in found.items()},
    )
    _write_cards(exposure, result)
    return result


def _of_amplifier(
    exposure: Exposure,
    amp: Amplifier,
    config: EffectivePtcConfig,
    ptc: PhotonTransferCurve | None,
    overscan: OverscanFits | None,
) -> tuple[float, float, float, str]:
    """Return gain, noise, turnoff and the source of the noise of one amplifier."""
    raw_gain = ptc.gain[amp.name] if ptc is not None and config.use_ptc_gains else amp.gain_electron_per_adu
    gain = _positive(raw_gain, 1.0, f"{exposure.label} amplifier {amp.name}: gain")
    fit = overscan.amplifiers.get(amp.name) if overscan is not None else None
    noise, source = amp.read_noise_electron, "amp"
    if config.empirical_read_noise and fit is not None:
        noise, source = fit.serial.residual_sigma * gain, "serial overscan"
    elif config.use_ptc_noise and ptc is not None:
        noise, source = ptc.noise[amp.name], "ptc"
    noise = _positive(noise, 1.0, f"{exposure.label} amplifier {amp.name}: read noise")
    turnoff = ptc.turnoff.get(amp.name, math.nan) if ptc is not None else math.nan
    return gain, noise, turnoff if turnoff > 0 else UNKNOWN_TURNOFF_ADU, source


def _positive(value: float, otherwise: float, what: str) -> float:
    """Return a positive number, or the substitute with a warning."""
    if value > 0:
        return float(value)
    log.warning("%s is %s, which is not a positive number; %s is used instead", what, value, otherwise)
    return otherwise


def _write_cards(exposure: Exposure, ptc: EffectivePtc) -> None:
    for name, gain in ptc.gain_electron_per_adu.items():
        noise = ptc.noise_electron[name]
        exposure.header |= {f"LSST GAIN {name}": gain, f"LSST READNOISE {name}": noise}
        exposure.header |= {f"LSST ISR GAIN {name}": gain, f"LSST ISR READNOISE {name}": noise}
    exposure.header["LSST ISR GAIN SOURCE"] = ptc.gain_source
    sources = list((ptc.noise_source or {}).values())
    exposure.header["LSST ISR NOISE SOURCE"] = sources[-1] if sources else "amp"
    exposure.header["LSST ISR READNOISE UNITS"] = "electron"
