"""Cosmic rays: straight tracks of charge that no telescope has focused."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Detector

_ELECTRON_PER_PX = 1500.0
"""A minimum-ionising particle leaves about 80 electrons a micrometre of silicon; it crosses some 20 in each pixel."""


def add_cosmic_rays(
    charge: NDArray[np.float32], detector: Detector, rate_cm2_min: float, time_s: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Add tracks to the charge in place, and return which pixels they hit (ny, nx)."""
    hit = np.zeros(charge.shape, np.bool_)
    ny, nx = charge.shape
    area_cm2 = charge.size * (detector.pixel_size_mm / 10) ** 2
    for _ in range(rng.poisson(rate_cm2_min * area_cm2 * time_s / 60)):
        length = 1 + rng.exponential(8.0)
        angle = rng.uniform(0, 2 * np.pi)
        steps = np.arange(0, length, 0.5)
        x = (rng.uniform(0, nx) + steps * np.cos(angle)).astype(np.intp)
        y = (rng.uniform(0, ny) + steps * np.sin(angle)).astype(np.intp)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        np.add.at(charge, (y[inside], x[inside]), np.float32(_ELECTRON_PER_PX / 2 * rng.lognormal(0, 0.4)))
        hit[y[inside], x[inside]] = True
    return hit
