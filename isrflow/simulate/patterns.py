"""Patterns of light and level that have a shape of their own: fringes, stray light, an uneven lamp, amplifier steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Detector
from isrflow.simulate.noise import stream

_FRINGES_ACROSS = 14.0
"""How many wavelengths the sensor's thickness varies from edge to edge."""


def fringe_pattern(detector: Detector, seed: int) -> NDArray[np.float32]:
    """Return what a sky line makes of an uneven sensor (ny, nx): mean zero, root mean square one.

    A sensor whose thickness varies smoothly reflects a line of one wavelength as the cosine of its thickness in half
    wavelengths.
    """
    rng = stream(seed, "fringe", detector.id)
    x, y = _unit_grid(detector)
    tilt = rng.uniform(0.5, 1.0, 2)
    bumps = np.zeros(detector.box.shape)
    for i, j in np.ndindex(3, 3):
        height, phase = rng.normal(0, 0.15), rng.uniform(0, 2 * np.pi)
        bumps += height * np.sin(np.pi * (i + 1) * x + phase) * np.sin(np.pi * (j + 1) * y)
    thickness = tilt[0] * x + tilt[1] * y + bumps
    pattern: NDArray[np.float32] = np.cos(np.pi * _FRINGES_ACROSS * thickness).astype(np.float32)
    pattern -= pattern.mean(dtype=np.float64)
    pattern /= pattern.std(dtype=np.float64)
    return pattern


def stray_pattern(detector: Detector, seed: int) -> NDArray[np.float32]:
    """Return scattered light (ny, nx): a ring and a slope, never negative, one at most."""
    rng = stream(seed, "stray light", detector.id)
    x, y = _unit_grid(detector)
    centre, radius = rng.uniform(-0.4, 0.4, 2), rng.uniform(0.4, 0.7)
    ring = np.exp(-(((np.hypot(x - centre[0], y - centre[1]) - radius) / 0.15) ** 2))
    pattern: NDArray[np.float32] = (0.7 * ring + 0.15 * (1 + x)).astype(np.float32)
    return pattern


def lamp_pattern(detector: Detector, seed: int) -> NDArray[np.float32]:
    """Return how a flat-field lamp is unlike the sky (ny, nx): mean zero, one or less."""
    rng = stream(seed, "lamp", detector.id)
    x, y = _unit_grid(detector)
    slope = rng.uniform(-0.5, 0.5, 2)
    pattern: NDArray[np.float32] = (slope[0] * x + slope[1] * y + 0.3 * (x**2 + y**2)).astype(np.float32)
    pattern -= pattern.mean(dtype=np.float64)
    return pattern


def amplifier_steps(detector: Detector, seed: int, exposure_id: int) -> dict[str, float]:
    """Return a level of each amplifier that its overscan does not show, root mean square one, mean zero."""
    rng = stream(seed, "amplifier steps", detector.id, exposure_id)
    steps = rng.standard_normal(len(detector.amplifiers))
    steps -= steps.mean()
    return dict(zip((amp.name for amp in detector.amplifiers), map(float, steps), strict=True))


def _unit_grid(detector: Detector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (1, nx) and y (ny, 1), from -1 to 1 across the detector."""
    ny, nx = detector.box.shape
    return np.linspace(-1, 1, nx)[np.newaxis, :], np.linspace(-1, 1, ny)[:, np.newaxis]
