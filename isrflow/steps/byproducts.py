"""What steps hand on to later steps; a by-product only one step knows stands in that step's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isrflow.errors import UnprocessableError
from isrflow.frame.exposure import Exposure
from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.step import ByProduct


@dataclass(frozen=True, slots=True)
class BadAmplifiers(ByProduct):
    """Amplifiers without any usable pixel, by name; steps on amplifiers pass them over."""

    names: frozenset[str] = frozenset()

    def refuse_if_all(self, exposure: Exposure) -> None:
        """Raise `UnprocessableError` if no amplifier of the exposure is left."""
        if exposure.detector is not None and all(amp.name in self.names for amp in exposure.detector.amplifiers):
            raise UnprocessableError(f"{exposure.label}: all amplifiers are bad, so that there is nothing to correct")


@dataclass(frozen=True, slots=True)
class AmplifierOverscan:
    """The overscan fits of one amplifier."""

    serial: OverscanFit
    parallel: OverscanFit | None = None


@dataclass(frozen=True, slots=True)
class OverscanFits(ByProduct):
    """The overscan fits by amplifier name; amplifiers without overscan or passed over as bad are absent."""

    amplifiers: Mapping[str, AmplifierOverscan]


@dataclass(frozen=True, slots=True)
class EffectivePtc(ByProduct):
    """Gain, read noise and photon transfer turnoff that the later steps use, by amplifier name.

    In the classic order all are positive numbers. In the newer one they are as the source states them: the gain of an
    amplifier that has none is NaN, and the amplifier is bad.
    """

    gain_electron_per_adu: Mapping[str, float]
    noise_electron: Mapping[str, float]
    turnoff_adu: Mapping[str, float]
    """Level above which the photon transfer curve turns off; 2e19 where unknown."""
    gain_source: str = "amp"
    """``amp``: the camera description; ``ptc``, ``PTC``: a photon transfer curve; ``LINEARIZER``: the linearizer."""
    noise_source: Mapping[str, str] | None = None
    """By amplifier: ``amp``, ``ptc`` or ``serial overscan``; ``none`` if the source has none."""
    is_placeholder: bool = False
    """Whether the gains stand for none, as when the first photon transfer curve is made: all are 1."""
    overscan_median_adu: Mapping[str, float] | None = None
    """Usual level of the serial overscan, if the source states it."""
    overscan_median_sigma_adu: Mapping[str, float] | None = None
    """Its usual spread."""

    def with_gains(self, gains: Mapping[str, float]) -> EffectivePtc:
        """Return the same with other gains."""
        return replace(self, gain_electron_per_adu=gains)

    def cards(self) -> dict[str, Any]:
        """Return the header cards of the newer order about gain, noise and turnoff (the latter in electrons)."""
        cards: dict[str, Any] = {"LSST ISR READNOISE UNITS": "electron", "LSST ISR PTCTURNOFF UNITS": "electron"}
        cards["LSST ISR GAIN SOURCE"] = self.gain_source
        for name, gain in self.gain_electron_per_adu.items():
            cards[f"LSST ISR GAIN {name}"] = gain
            cards[f"LSST ISR READNOISE {name}"] = self.noise_electron[name]
            cards[f"LSST ISR PTCTURNOFF {name}"] = self.turnoff_adu[name] * gain
        return cards


@dataclass(frozen=True, slots=True)
class KeptOverscan:
    """The serial overscan of one amplifier, lines of the picture along the first axis."""

    residual: NDArray[np.float32]
    """(lines, n): what the correction left."""
    model: float | NDArray[np.float64]
    """What was subtracted: a constant, or one value a line."""

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The overscan before it was corrected."""
        model = self.model if isinstance(self.model, float) else self.model[:, np.newaxis]
        return self.residual + np.asarray(model, np.float32)


@dataclass(frozen=True, slots=True)
class OverscanPixels(ByProduct):
    """Copies of the serial overscans by amplifier name; those without a fit are absent."""

    amplifiers: Mapping[str, KeptOverscan]


@dataclass(frozen=True, slots=True)
class UntrimmedCopy(ByProduct):
    """The raw mosaic as it was before assembly."""

    exposure: Exposure


@dataclass(frozen=True, slots=True)
class PreInterpolation(ByProduct):
    """The picture as it was before bad pixels were replaced."""

    exposure: Exposure
