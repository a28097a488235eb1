"""How light becomes electrons in each pixel: vignetting, dust, pixel-to-pixel sensitivity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Camera, Detector
from isrflow.simulate.flaws import Flaws
from isrflow.simulate.noise import stream


def pixel_response(detector: Detector, flaws: Flaws, seed: int) -> NDArray[np.float32]:
    """Return the sensitivity of each pixel (ny, nx), mean one, the same in all filters."""
    rng = stream(seed, "prnu", detector.id)
    return 1.0 + np.float32(flaws.prnu_rms) * rng.standard_normal(detector.box.shape, np.float32)


def illumination(
    camera: Camera, detector: Detector, physical_filter: str | None, flaws: Flaws, seed: int
) -> NDArray[np.float32]:
    """Return the light each pixel gets from an even sky through a filter (ny, nx), mean one over the detector.

    Vignetting grows as the square of the distance from the optical axis; each filter tilts the light a little and has
    dust of its own.
    """
    x_mm, y_mm = focal_plane_mm(detector)
    far = _farthest_corner_mm(camera)
    rng = stream(seed, "illumination", detector.id, physical_filter or "")
    tilt = 0.15 * flaws.vignetting * rng.uniform(-1.0, 1.0, 2)
    dimmed = flaws.vignetting * (x_mm**2 + y_mm**2) / far**2
    light: NDArray[np.float32] = (1.0 - dimmed + (tilt[0] * x_mm + tilt[1] * y_mm) / far).astype(np.float32)
    for _ in range(flaws.dust_per_detector):
        _cast_dust_shadow(light, rng)
    light /= np.float32(light.mean(dtype=np.float64))
    return light


def focal_plane_mm(detector: Detector) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return focal-plane x (1, nx) and y (ny, 1) of the pixels of a detector, its rotation left aside."""
    ny, nx = detector.box.shape
    x = (np.arange(nx, dtype=np.float32) - (nx - 1) / 2) * detector.pixel_size_mm + detector.focal_plane_x_mm
    y = (np.arange(ny, dtype=np.float32) - (ny - 1) / 2) * detector.pixel_size_mm + detector.focal_plane_y_mm
    return x[np.newaxis, :].astype(np.float32), y[:, np.newaxis].astype(np.float32)


def _farthest_corner_mm(camera: Camera) -> float:
    corners = [
        np.hypot(
            abs(item.focal_plane_x_mm) + item.box.width * item.pixel_size_mm / 2,
            abs(item.focal_plane_y_mm) + item.box.height * item.pixel_size_mm / 2,
        )
        for item in camera.detectors
    ]
    return float(max(corners))


def _cast_dust_shadow(light: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Multiply one ring-shaped shadow into the light: a speck far from focus shows the pupil of the telescope."""
    ny, nx = light.shape
    x, y = rng.uniform(0, nx), rng.uniform(0, ny)
    radius = rng.uniform(0.02, 0.05) * max(nx, ny)
    depth = rng.uniform(0.01, 0.04)
    rows = slice(max(0, int(y - 1.5 * radius)), int(y + 1.5 * radius) + 1)
    columns = slice(max(0, int(x - 1.5 * radius)), int(x + 1.5 * radius) + 1)
    part = light[rows, columns]
    yy, xx = np.mgrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
    distance = np.hypot(xx - x, yy - y)
    inside = 1 / (1 + np.exp((distance - radius) / (0.08 * radius)))
    hole = 1 / (1 + np.exp((distance - 0.4 * radius) / (0.08 * radius)))
    part *= (1 - depth * (inside - hole)).astype(np.float32)
