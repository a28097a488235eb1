"""The signature of one detector: everything about it that stays the same from exposure to exposure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Amplifier, Camera, Detector
from isrflow.simulate.defects import Blemishes, make_blemishes
from isrflow.simulate.electronics import linearized
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.noise import stream
from isrflow.simulate.response import illumination, pixel_response

S = TypeVar("S", bound=np.generic)
_DEAD_RESPONSE = np.float32(0.02)


@dataclass(frozen=True, slots=True)
class Signature:
    """What isrflow is to remove from the raws of one detector; arrays (ny, nx) in assembled coordinates."""

    camera: Camera
    detector: Detector
    flaws: Flaws
    seed: int
    bias_adu: NDArray[np.float32]
    """Fixed pattern above the electronic level."""
    column_adu: Mapping[str, NDArray[np.float32]]
    """The part of it that is one value a column, which parallel overscans show too; in order of readout."""
    level_adu: Mapping[str, float]
    """Mean electronic level of each amplifier."""
    pixel_response: NDArray[np.float32]
    """Sensitivity, dead pixels included."""
    dark_electron_s: NDArray[np.float32]
    """Dark current, hot pixels included."""
    blemishes: Blemishes
    crosstalk: NDArray[np.float64]
    """[source, target] among the amplifiers, ratio of adu."""
    inter_detector: Mapping[str, NDArray[np.float64]]
    """The same for amplifiers of other detectors, by name of the source."""
    full_well_electron: Mapping[str, float]
    _responses: dict[str | None, NDArray[np.float32]] = field(default_factory=dict, repr=False, compare=False)
    _patterns: dict[str, NDArray[np.float32]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_sound(self) -> NDArray[np.bool_]:
        """Pixels that are neither hot nor dead (ny, nx)."""
        sound = np.ones(self.detector.box.shape, np.bool_)
        for box in self.blemishes.boxes:
            sound[box.slices()] = False
        return sound

    def response(self, physical_filter: str | None) -> NDArray[np.float32]:
        """Return electrons per photoelectron of an ideal pixel, through a filter: what a flat shows."""
        if physical_filter not in self._responses:
            light = illumination(self.camera, self.detector, physical_filter, self.flaws, self.seed)
            self._responses[physical_filter] = light * self.pixel_response
        return self._responses[physical_filter]

    def pattern(self, draw: Callable[[Detector, int], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return one of the patterns of `isrflow.simulate.patterns`, drawn when first asked for."""
        if draw.__name__ not in self._patterns:
            self._patterns[draw.__name__] = draw(self.detector, self.seed)
        return self._patterns[draw.__name__]


def make_signature(camera: Camera, detector: Detector, flaws: Flaws | None = None, *, seed: int = 1) -> Signature:
    """Draw the signature of a detector; the same seed gives the same detector again.

    Parameters
    ----------
    camera, detector
        Geometry, gains, read noise, saturation and linearity are theirs.
    flaws
        How strong the rest is.
    seed
        Of the whole camera; detectors differ.
    """
    flaws = flaws or Flaws()
    blemishes = make_blemishes(detector, flaws, seed)
    response = pixel_response(detector, flaws, seed)
    response[tuple(blemishes.dead.T)] = _DEAD_RESPONSE
    for box in blemishes.columns:
        response[box.slices()] = 0
    columns = _column_pattern(detector, flaws, seed)
    return Signature(
        camera,
        detector,
        flaws,
        seed,
        bias_adu=_bias_pattern(detector, columns, flaws, seed),
        column_adu=columns,
        level_adu=_levels(detector, flaws, seed),
        pixel_response=response,
        dark_electron_s=_dark_current(detector, blemishes, flaws, seed),
        blemishes=blemishes,
        crosstalk=_crosstalk(detector, flaws, seed),
        inter_detector=_inter_detector(camera, detector, flaws, seed),
        full_well_electron={amp.name: _full_well(amp, flaws) for amp in detector.amplifiers},
    )


def in_readout_order(block: NDArray[S], amp: Amplifier) -> NDArray[S]:
    """Turn an assembled block so that its first pixel is the first read out, or back: the turn undoes itself."""
    if amp.readout_corner.endswith("R"):
        block = block[:, ::-1]
    return block[::-1] if amp.readout_corner.startswith("U") else block


def _column_pattern(detector: Detector, flaws: Flaws, seed: int) -> dict[str, NDArray[np.float32]]:
    rng = stream(seed, "columns", detector.id)
    scale = np.float32(flaws.bias_column_rms_adu)
    return {amp.name: scale * rng.standard_normal(amp.box.width, np.float32) for amp in detector.amplifiers}


def _bias_pattern(
    detector: Detector, columns: Mapping[str, NDArray[np.float32]], flaws: Flaws, seed: int
) -> NDArray[np.float32]:
    rng = stream(seed, "bias", detector.id)
    bias = np.float32(flaws.bias_pixel_rms_adu) * rng.standard_normal(detector.box.shape, np.float32)
    for amp in detector.amplifiers:
        height, width = amp.box.shape
        x = np.exp(-8.0 * np.arange(width, dtype=np.float32) / width)
        y = 0.3 + 0.7 * np.exp(-2.0 * np.arange(height, dtype=np.float32) / height)
        pattern = (np.float32(flaws.bias_glow_adu) * y[:, np.newaxis] * x + columns[amp.name]).astype(np.float32)
        bias[amp.box.slices()] += in_readout_order(pattern, amp)
    return bias


def _levels(detector: Detector, flaws: Flaws, seed: int) -> dict[str, float]:
    rng = stream(seed, "levels", detector.id)
    return {amp.name: flaws.level_adu * (1 + 0.03 * float(rng.standard_normal())) for amp in detector.amplifiers}


def _dark_current(detector: Detector, blemishes: Blemishes, flaws: Flaws, seed: int) -> NDArray[np.float32]:
    rng = stream(seed, "dark", detector.id)
    ny, nx = detector.box.shape
    x = np.linspace(0, 1, nx, dtype=np.float32)[np.newaxis, :]
    y = np.linspace(0, 1, ny, dtype=np.float32)[:, np.newaxis]
    if rng.random() < 0.5:
        x = 1 - x
    glow = np.exp(-6 * (x**2 + y**2)).astype(np.float32)
    dark: NDArray[np.float32] = np.float32(flaws.dark_electron_s) + np.float32(flaws.dark_glow_electron_s) * glow
    dark[tuple(blemishes.hot.T)] += blemishes.hot_electron_s
    return dark


def _crosstalk(detector: Detector, flaws: Flaws, seed: int) -> NDArray[np.float64]:
    """Draw a matrix that is visibly asymmetric, so that a transposed one is noticed."""
    rng = stream(seed, "crosstalk", detector.id)
    n = len(detector.amplifiers)
    matrix = flaws.crosstalk * rng.uniform(0.1, 1.0, (n, n))
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _inter_detector(camera: Camera, detector: Detector, flaws: Flaws, seed: int) -> dict[str, NDArray[np.float64]]:
    """Let every detector hear the next one, the last the first, if their amplifiers are read out in step."""
    ids = [each.id for each in camera.detectors]
    other = camera.detectors[(ids.index(detector.id) + 1) % len(ids)]
    sizes = [[amp.box.shape for amp in each.amplifiers] for each in (detector, other)]
    if flaws.inter_detector == 0 or other.id == detector.id or sizes[0] != sizes[1]:
        return {}
    n = len(detector.amplifiers)
    return {other.name: flaws.inter_detector * stream(seed, "inter_detector", detector.id).uniform(0.1, 1.0, (n, n))}


def _full_well(amp: Amplifier, flaws: Flaws) -> float:
    """Return the electrons a pixel holds: one per cent above what the camera calls saturated."""
    if math.isnan(amp.saturation_adu):
        return 1e5
    adu = np.array([1.01 * amp.saturation_adu - flaws.level_adu])
    return float((linearized(adu, amp) if flaws.nonlinearity else adu)[0]) * amp.gain_electron_per_adu
