"""What steps hand on to later steps; a by-product only one step knows stands in that step's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isrflow.kernels.overscan import OverscanFit
from isrflow.steps.step import ByProduct


@dataclass(frozen=True, slots=True)
class BadAmplifiers(ByProduct):
    """Amplifiers without any usable pixel, by name; steps on amplifiers pass them over."""

    names: frozenset[str] = frozenset()


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
    """Gain, read noise and photon transfer turnoff that the later steps use, by amplifier name; all are positive."""

    gain_electron_per_adu: Mapping[str, float]
    noise_electron: Mapping[str, float]
    turnoff_adu: Mapping[str, float]
    """Level above which the photon transfer curve turns off; 2e19 where unknown."""
    gain_source: str = "amp"
    """``amp``: the camera description; ``ptc``: a photon transfer curve."""
    noise_source: Mapping[str, str] | None = None
    """By amplifier: ``amp``, ``ptc`` or ``serial overscan``."""
