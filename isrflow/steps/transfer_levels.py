"""The levels that show how much charge an amplifier leaves behind, in electrons, from whatever was kept of the raw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Amplifier
from isrflow.frame.exposure import Exposure
from isrflow.kernels.charge_transfer import Lines, OuterLines, outer_lines, overscan_lines
from isrflow.kernels.level import LevelRule
from isrflow.steps.byproducts import EffectivePtc, KeptOverscan

_NO_TURNOFF_ADU = 1e19
"""Turnoffs above this stand for "not known"."""


@dataclass(frozen=True, slots=True)
class ChargeTransfer:
    """Levels of one amplifier, electron; lines are first where they are read first, overscans beside the picture."""

    gain_electron_per_adu: float
    turnoff_electron: float
    """Of the photon transfer curve; NaN if not known."""
    image_mean: float
    outer: OuterLines
    serial_overscan: Lines
    parallel_overscan: Lines | None
    """None where only the serial overscans were kept."""


@dataclass(frozen=True, slots=True)
class TransferSources:
    """What the levels of an exposure are measured on."""

    exposure: Exposure
    """Assembled and corrected."""
    kept: Exposure | Mapping[str, KeptOverscan]
    """The raw mosaic; or the serial overscans alone, in adu, by amplifier."""
    ptc: EffectivePtc | None
    """Gains, before those of the header; turnoffs, after them."""


def measure_transfer(amp: Amplifier, sources: TransferSources, rule: LevelRule) -> ChargeTransfer:
    """Measure the outer lines and overscans of one amplifier.

    The outer lines are those of the mosaic if there is one, where they are as they were read, else of the exposure.

    Parameters
    ----------
    amp
        One of the exposure's; without a kept overscan it has no lines of one.
    sources
        Left untouched.
    rule
        How a level is taken.

    Raises
    ------
    GeometryError
        If the mosaic lacks pixels of the amplifier.
    """
    gain = _gain(amp, sources)
    exposure, kept = sources.exposure, sources.kept
    picture = _electrons(exposure.amp(amp).image, exposure.unit, gain)
    right, top = amp.readout_corner in ("LR", "UR"), amp.readout_corner in ("UL", "UR")
    raw_right, raw_top = right != amp.raw_flip_x, top != amp.raw_flip_y
    serial, parallel = Lines((), ()), None
    if isinstance(kept, Exposure):
        data, beside, above = (
            _electrons(kept.amp(amp, region).image, kept.unit, gain)
            for region in ("data", "serial_overscan", "parallel_overscan")
        )
        outer = outer_lines(data, rule, from_right=raw_right, from_top=raw_top)
        serial = overscan_lines(beside, rule, reverse=raw_right)
        parallel = overscan_lines(above.T, rule, reverse=raw_top)
    else:
        outer = outer_lines(picture, rule, from_right=right, from_top=top)
        if amp.name in kept:
            residual = kept[amp.name].residual[: len(picture)]
            serial = overscan_lines(_electrons(residual, "adu", gain), rule, reverse=raw_right)
    return ChargeTransfer(gain, _turnoff_electron(amp, sources, gain), rule.of(picture), outer, serial, parallel)


def _gain(amp: Amplifier, sources: TransferSources) -> float:
    """Return the gain the pixels were, or would have been, multiplied by."""
    if sources.ptc is not None:
        return float(sources.ptc.gain_electron_per_adu[amp.name])
    return float(sources.exposure.header.get(f"LSST ISR GAIN {amp.name}", amp.gain_electron_per_adu))


def _turnoff_electron(amp: Amplifier, sources: TransferSources, gain: float) -> float:
    """Return the turnoff the header states, or that of the photon transfer curve, or NaN."""
    stated = sources.exposure.header.get(f"LSST ISR PTCTURNOFF {amp.name}")
    if stated is not None:
        return float(stated)
    turnoff_adu = math.inf if sources.ptc is None else sources.ptc.turnoff_adu[amp.name]
    return turnoff_adu * gain if turnoff_adu < _NO_TURNOFF_ADU else math.nan


def _electrons(pixels: NDArray[np.float32], unit: str, gain: float) -> NDArray[np.float32]:
    return pixels if unit == "electron" else pixels * np.float32(gain)
