"""Decide whose gains are used in the newer order: those of the photon transfer curve, of the linearizer, or none."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from isrflow.calibs.linearizer import Linearizer
from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationMismatch, GeometryError, MissingCalibrations
from isrflow.frame.camera import Detector
from isrflow.frame.exposure import Exposure
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.exceptions import ExceptionsConfig

log = logging.getLogger(__name__)


class GainSourceConfig(ExceptionsConfig):
    """Where gains, read noises and turnoffs come from."""

    source: Literal["PTC", "LINEARIZER"] = "PTC"
    """PTC: the photon transfer curve. LINEARIZER: what the linearizer was made with; noises are then measured."""
    bootstrap: bool = False
    """Use no gains at all (1 for all), to make the calibrations that gains are measured with."""
    gain_electron_per_adu: float = math.nan
    """Gain in place of the source's; meant for `exceptions`. NaN: the source's."""

    def demands(self, detector: Detector | None, physical_filter: str | None = None) -> frozenset[str]:  # noqa: ARG002
        """Demand the calibration the gains come from."""
        return frozenset() if self.bootstrap else frozenset({self.source.lower()})


def find_gains(
    exposure: Exposure,
    config: GainSourceConfig,
    *,
    ptc: PhotonTransferCurve | None = None,
    linearizer: Linearizer | None = None,
) -> EffectivePtc:
    """Find gain, read noise and turnoff of every amplifier and note them in the header; pixels are untouched.

    Gains that are not numbers are kept as they are: what an amplifier gives without its gain is not known.

    Parameters
    ----------
    exposure
        Its detector says which amplifiers there are.
    config
        The source.
    ptc, linearizer
        The sources; left untouched.

    Returns
    -------
    EffectivePtc
        For every amplifier. Noises the source does not have are 0, until they are measured.

    Raises
    ------
    GeometryError
        If the exposure has no detector.
    MissingCalibrations
        If the source is not given.
    CalibrationMismatch
        If it lacks amplifiers of the detector; all are named.

    Notes
    -----
    Gain g in electron/adu, read noise in electron, turnoff in adu; noted in ``LSST ISR GAIN``, ``READNOISE`` and, times
    g, ``PTCTURNOFF`` cards. Bootstrapping, ``g = 1``, no noise, and a turnoff of infinity.
    """
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so gain and read noise are not known")
    names = [amp.name for amp in exposure.detector.amplifiers]
    found = _of_source(exposure, config, names, ptc, linearizer)
    gains = dict(found.gain_electron_per_adu)
    for name in names:
        other = config.at(exposure.detector, name).gain_electron_per_adu
        if not math.isnan(other):
            log.warning(
                "%s amplifier %s: gain %g of the settings replaces %g", exposure.label, name, other, gains[name]
            )
            gains[name] = other
    result = found.with_gains(gains)
    exposure.header["LSST ISR BOOTSTRAP"] = config.bootstrap
    exposure.header |= result.cards()
    return result


def _of_source(
    exposure: Exposure,
    config: GainSourceConfig,
    names: Sequence[str],
    ptc: PhotonTransferCurve | None,
    linearizer: Linearizer | None,
) -> EffectivePtc:
    no_noise = dict.fromkeys(names, 0.0), dict.fromkeys(names, "none")
    if config.bootstrap:
        if ptc is not None:
            log.warning("%s: bootstrapping, so the photon transfer curve given is not used", exposure.label)
        ones, endless = dict.fromkeys(names, 1.0), dict.fromkeys(names, math.inf)
        return EffectivePtc(ones, no_noise[0], endless, config.source, no_noise[1], is_placeholder=True)
    given = ptc if config.source == "PTC" else linearizer
    kind = config.source.lower()
    if given is None:
        raise MissingCalibrations(
            f"{exposure.label}: gains are to come from the {kind}", missing=[("gain_source", kind)]
        )
    if lacking := [name for name in names if name not in given.amp_names]:
        raise CalibrationMismatch(f"{exposure.label}: {given.label} lacks amplifiers {', '.join(lacking)}")
    if isinstance(given, Linearizer):
        gains, turnoffs = _only(given.input_gain, names), _only(given.input_turnoff, names)
        return EffectivePtc(gains, no_noise[0], turnoffs, config.source, no_noise[1])
    return EffectivePtc(
        _only(given.gain, names),
        _only(given.noise, names),
        _only(given.turnoff, names),
        config.source,
        dict.fromkeys(names, "ptc"),
        overscan_median_adu=_only(given.overscan_median, names),
        overscan_median_sigma_adu=_only(given.overscan_median_sigma, names),
    )


def _only(values: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return {name: float(values[name]) for name in names}
