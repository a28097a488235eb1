"""Turn adu into electrons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.kernels.arithmetic import multiply_by
from isrflow.kernels.threads import map_in_threads
from isrflow.steps.byproducts import EffectivePtc
from isrflow.steps.step import StepConfig, at_amplifier


class GainsConfig(StepConfig):
    """What is done beside the multiplication."""

    enabled: bool = False
    """Whether the step is run."""
    normalize: bool = False
    """Whether amplifiers are then scaled to one median, for pictures that should look even."""


def apply_gains(exposure: Exposure, config: GainsConfig, *, effective_ptc: EffectivePtc | None = None) -> None:
    """Multiply each amplifier by its gain, in place; the unit becomes electron, the variance that of electrons.

    Parameters
    ----------
    exposure
        float32 in adu, raw mosaic or trimmed.
    config
        Whether the amplifiers' medians are made equal.
    effective_ptc
        Gains; by default those of the amplifiers.

    Raises
    ------
    GeometryError
        If the exposure has no detector, or is in electrons already.

    Notes
    -----
    ``I *= g``, ``V *= g^2``, with the gain in electron/adu: adu become electron. Normalised: each amplifier is then
    multiplied by the median of all amplifiers' medians over its own.
    """
    if exposure.unit == "electron":
        raise GeometryError(f"{exposure.label} is in electrons already")
    gains = None if effective_ptc is None else effective_ptc.gain_electron_per_adu
    multiply_amplifiers(exposure, gains, normalize=config.normalize)
    exposure.unit = "electron"
    exposure.header["LSST ISR UNITS"] = "electron"
    _scale_levels(exposure, gains)


def _scale_levels(exposure: Exposure, gains: Mapping[str, float] | None) -> None:
    """Turn the saturation and suspect levels noted in the header into electrons."""
    for amp in _amplifiers(exposure, gains):
        gain = amp.gain_electron_per_adu if gains is None else gains[amp.name]
        for card in (f"LSST ISR SATURATION LEVEL {amp.name}", f"LSST ISR SUSPECT LEVEL {amp.name}"):
            if card in exposure.header:
                exposure.header[card] *= gain


def multiply_amplifiers(
    exposure: Exposure, gains: Mapping[str, float] | None = None, *, normalize: bool = False
) -> None:
    """Multiply image and variance of each amplifier by its gain, in place, leaving the unit to the caller.

    Raises
    ------
    GeometryError
        If the exposure has no detector, or gains are given but not for all amplifiers.
    """
    amplifiers = _amplifiers(exposure, gains)

    def multiply(amp: Amplifier) -> None:
        with at_amplifier(amp.name):
            _multiply(exposure, amp, amp.gain_electron_per_adu if gains is None else gains[amp.name])

    map_in_threads(multiply, amplifiers)
    if normalize:
        _even_out(exposure, amplifiers)


def _even_out(exposure: Exposure, amplifiers: Sequence[Amplifier]) -> None:
    """Multiply amplifiers so that their medians agree; those without level stay as they are, and do not count."""
    levels = {amp.name: _level(_part(exposure, amp).image) for amp in amplifiers}
    known = [level for level in levels.values() if np.isfinite(level)]
    for amp in amplifiers:
        level = levels[amp.name]
        if np.isfinite(level) and level != 0:
            _multiply(exposure, amp, float(np.median(known) / level))


def _level(image: NDArray[np.float32]) -> np.float32:
    """Return the median of the finite pixels, masked or not, in single precision; NaN if there is none."""
    finite = np.isfinite(image)
    pixels = image if finite.all() else image[finite]
    return np.float32(np.median(pixels) if pixels.size else np.nan)


def _amplifiers(exposure: Exposure, gains: Mapping[str, float] | None) -> list[Amplifier]:
    if exposure.detector is None:
        raise GeometryError(f"{exposure.label} has no detector, so the gains of its amplifiers are not known")
    missing = [amp.name for amp in exposure.detector.amplifiers if gains is not None and amp.name not in gains]
    if missing:
        raise GeometryError(f"{exposure.label}: no gain is given for amplifiers {', '.join(missing)}")
    return list(exposure.detector.amplifiers)


def _multiply(exposure: Exposure, amp: Amplifier, factor: float) -> None:
    image, _, variance = _part(exposure, amp).planes()
    multiply_by(image, variance, factor)


def _part(exposure: Exposure, amp: Amplifier) -> Exposure:
    return exposure.amp(amp, "data" if exposure.is_trimmed else "raw")
