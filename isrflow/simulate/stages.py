"""What a simulated exposure should look like after each correction, and how noisy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isrflow.calibs.base import Calibration
from isrflow.calibs.image import ImageCalibration
from isrflow.frame.camera import Amplifier
from isrflow.simulate.electronics import add_crosstalk, linearized
from isrflow.simulate.exposure import Truth
from isrflow.simulate.readout import in_raw_order, measured_signals
from isrflow.simulate.signature import in_readout_order

Plane = NDArray[np.float64]
_ROUNDING_ADU2 = 1 / 12
"""Variance of a number rounded to whole adu."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The truth after one step, assembled, in adu."""

    expected: Plane
    removed: Plane
    """What the step was to take away."""
    variance: Plane
    """Of pixels minus `expected`."""
    formula: str


@dataclass(frozen=True, slots=True)
class Stages:
    """The truth along the pipeline."""

    after: Mapping[str, Stage]
    raw_data: Mapping[str, Plane]
    """By amplifier, as it lies in the mosaic, once the overscan is subtracted."""
    raw_full: Mapping[str, NDArray[np.bool_]]
    read_variance: Mapping[str, float]
    """Read noise and rounding of one pixel, adu squared, by amplifier."""
    row_variance: Plane
    """The part of a pixel's variance that it shares with its row: the error of the overscan's level."""
    row_number: NDArray[np.intp]
    """A number for each row of each amplifier."""
    collected: Plane
    """Light that was collected, in the unit of the scene after the flat."""
    variance_plane: Plane
    """What the variance plane should say: shot noise and read noise, no more."""
    even: NDArray[np.bool_]
    """Where the scene is nothing but sky."""
    overscan_fit: str


def stages_of(truth: Truth, calibs: Mapping[str, Calibration], overscan_fit: str) -> Stages:
    """Work out the truth after every step.

    Parameters
    ----------
    truth
        Of the exposure.
    calibs
        Their variance adds to the floors of the steps that use them.
    overscan_fit
        Model of the overscan, which decides the noise it adds.
    """
    signature = truth.signature
    amps, shape = signature.detector.amplifiers, truth.scene_electron.shape
    gain = truth.gain.astype(np.float64)
    read = {amp.name: _read_variance(amp, signature.flaws.read_noise) for amp in amps}
    per_row = {amp.name: overscan_variance(read[amp.name], amp, overscan_fit) for amp in amps}
    noise = _spread(amps, shape, {name: read[name] + per_row[name] for name in read})
    measured, heard, slope = _electronics(truth)
    clean: Plane = truth.charge_electron / gain
    bias = signature.bias_adu.astype(np.float64)
    dark: Plane = truth.dark_electron / gain
    after_bias = noise + _variance(calibs, "bias", shape)
    after_linearity = after_bias * slope**2
    time_ratio = truth.shot.obs.dark_time_s / _dark_time(calibs)
    after_dark = after_linearity + time_ratio**2 * _variance(calibs, "dark", shape)
    sound = signature.is_sound
    response: Plane = signature.response(truth.shot.obs.physical_filter) / gain
    level = float(np.median(response[sound]))
    scene: Plane = truth.scene_electron.astype(np.float64) * level
    relative = np.where(sound, response / level, 1.0)
    shot = (truth.light_electron + truth.dark_electron) / gain**2
    flat_noise = (scene / relative) ** 2 * _variance(calibs, "flat", shape)
    electronics = "read noise^2 + 1/12 + overscan"
    after = {
        "bias": Stage(measured, bias, after_bias, f"{electronics} + var(bias)"),
        "linearity": Stage(heard, measured - heard, after_linearity, "that of the bias times (1 + 2 c u)^2"),
        "crosstalk": Stage(clean, heard - clean, after_linearity, "that of the linearity (ghosts of ghosts: c^2 u)"),
        "dark": Stage(clean - dark, dark, after_dark, "that of the linearity + (t/t_dark)^2 var(dark)"),
        "flat": Stage(
            scene,
            scene * (relative - 1),
            (shot + after_dark) / relative**2 + flat_noise,
            "(electrons/gain^2 + that of the dark)/flat^2 + (scene/flat)^2 var(flat)",
        ),
    }
    collected: Plane = truth.light_electron / gain
    plane = (shot + _spread(amps, shape, read) - _ROUNDING_ADU2) / relative**2
    even = truth.scene_electron < 1.02 * float(np.median(truth.scene_electron))
    return Stages(
        after,
        raw_data={amp.name: in_raw_order((measured + bias)[amp.box.slices()], amp) for amp in amps},
        raw_full={amp.name: in_raw_order(truth.full[amp.box.slices()], amp) for amp in amps},
        read_variance=read,
        row_variance=_spread(amps, shape, per_row),
        row_number=_row_numbers(amps, shape),
        collected=collected,
        variance_plane=plane,
        even=even,
        overscan_fit=overscan_fit,
    )


def overscan_variance(read_variance: float, amp: Amplifier, fit: str) -> float:
    """Return the variance that the overscan's level adds to every pixel of a row.

    The variance of the median of n normal numbers is pi/(2 n + pi - 2) of theirs, to a per cent from n = 3 on.
    """
    n = amp.raw_serial_overscan.width
    if fit == "MEDIAN_PER_ROW":
        return read_variance * np.pi / (2 * n + np.pi - 2)
    if fit == "MEAN_PER_ROW":
        return read_variance / n
    return 0.0


def _electronics(truth: Truth) -> tuple[Plane, Plane, Plane]:
    """Return what was measured, what it would be without non-linearity, and the slope of the linearity correction."""
    signature = truth.signature
    amps, shape = signature.detector.amplifiers, truth.scene_electron.shape
    measured, heard, slope = np.zeros(shape), np.zeros(shape), np.ones(shape)
    blocks = [
        in_readout_order(truth.charge_electron[amp.box.slices()], amp) * np.float32(1 / amp.gain_electron_per_adu)
        for amp in amps
    ]
    signals = measured_signals(truth.charge_electron, signature)
    for amp, signal, sound in zip(amps, signals, add_crosstalk(blocks, signature.crosstalk), strict=True):
        part = amp.box.slices()
        measured[part] = in_readout_order(signal, amp)
        heard[part] = in_readout_order(sound, amp)
        if signature.flaws.nonlinearity:
            step = 1.0
            up, down = (linearized(measured[part] + shift, amp) for shift in (step, -step))
            slope[part] = (up - down) / (2 * step)
    return measured, heard, slope


def _read_variance(amp: Amplifier, factor: float) -> float:
    return (factor * amp.read_noise_electron / amp.gain_electron_per_adu) ** 2 + _ROUNDING_ADU2


def _spread(amps: tuple[Amplifier, ...], shape: tuple[int, ...], values: Mapping[str, float]) -> Plane:
    image = np.zeros(shape)
    for amp in amps:
        image[amp.box.slices()] = values[amp.name]
    return image


def _row_numbers(amps: tuple[Amplifier, ...], shape: tuple[int, ...]) -> NDArray[np.intp]:
    numbers = np.zeros(shape, np.intp)
    for index, amp in enumerate(amps):
        rows = np.arange(amp.box.height)[:, np.newaxis]
        numbers[amp.box.slices()] = 1 + index * shape[0] + rows
    return numbers


def _variance(calibs: Mapping[str, Calibration], kind: str, shape: tuple[int, ...]) -> Plane:
    calib = calibs.get(kind)
    if isinstance(calib, ImageCalibration):
        return calib.exposure.planes()[2].astype(np.float64)
    return np.zeros(shape)


def _dark_time(calibs: Mapping[str, Calibration]) -> float:
    dark = calibs.get("dark")
    stated = dark.exposure.obs.dark_time_s if isinstance(dark, ImageCalibration) else np.nan
    return float(stated) if np.isfinite(stated) else 1.0
