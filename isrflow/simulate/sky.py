"""What the sky sends: an even background and stars, in electrons a perfect detector would collect."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isrflow.frame.camera import Camera, Detector
from isrflow.simulate.noise import stream
from isrflow.simulate.shots import Shot

_STARS_PER_MM2 = 2.0
_FAINTEST_ELECTRON_S = 20.0
_BRIGHTEST_ELECTRON_S = 2e6
_SLOPE = 0.7
"""Number of stars brighter than f falls as f to the minus this."""
_CUT_ELECTRON = 0.2
"""Star light fainter than this per pixel is left out ..."""
_LARGEST_RADIUS_PX = 200.0
"""... and all of it beyond this radius."""


def scene_of(shot: Shot, camera: Camera, detector: Detector, seed: int) -> NDArray[np.float32]:
    """Return the light of a shot on a detector (ny, nx): sky, stars or lamp, before vignetting and sensitivity.

    Parameters
    ----------
    shot
        What is looked at, and how long.
    camera, detector
        Where the pixels are in the focal plane.
    seed
        Of the sky; the same field has the same stars in every exposure and filter.
    """
    level = shot.lamp_electron + shot.sky_electron_s * shot.obs.exposure_time_s
    scene = np.full(detector.box.shape, level, np.float32)
    if not shot.field:
        return scene
    x_mm, y_mm, electron_s = star_field(camera, shot.field, seed)
    ny, nx = scene.shape
    x = (x_mm + shot.offset_mm[0] - detector.focal_plane_x_mm) / detector.pixel_size_mm + (nx - 1) / 2
    y = (y_mm + shot.offset_mm[1] - detector.focal_plane_y_mm) / detector.pixel_size_mm + (ny - 1) / 2
    for star in range(len(x)):
        add_star(scene, x[star], y[star], electron_s[star] * shot.obs.exposure_time_s, shot.seeing_px)
    return scene


def star_field(
    camera: Camera, field: str, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return focal-plane x and y in mm and brightness in electron/s of the stars of a field."""
    rng = stream(seed, "field", field)
    reach = 2.0 + max(
        max(abs(item.focal_plane_x_mm), abs(item.focal_plane_y_mm)) + max(item.box.shape) * item.pixel_size_mm / 2
        for item in camera.detectors
    )
    n = max(4, round(_STARS_PER_MM2 * (2 * reach) ** 2))
    x, y = rng.uniform(-reach, reach, (2, n))
    brightness = np.minimum(_FAINTEST_ELECTRON_S * rng.random(n) ** (-1 / _SLOPE), _BRIGHTEST_ELECTRON_S)
    return x, y, brightness


def add_star(image: NDArray[np.float32], x: float, y: float, electron: float, fwhm_px: float) -> None:
    """Add a star to an image in place, with the Moffat profile of exponent 3 that seeing makes.

    References
    ----------
    .. [1] Moffat, A. F. J. 1969, A&A 3, 455.
    """
    width = fwhm_px / (2 * math.sqrt(2 ** (1 / 3) - 1))
    peak = 2 * electron / (math.pi * width**2)
    radius = width * math.sqrt(max((peak / _CUT_ELECTRON) ** (1 / 3) - 1, 0))
    reach = min(max(radius, 4.0), _LARGEST_RADIUS_PX)
    rows = slice(max(0, math.ceil(y - reach)), max(0, math.floor(y + reach) + 1))
    columns = slice(max(0, math.ceil(x - reach)), max(0, math.floor(x + reach) + 1))
    part = image[rows, columns]
    if not part.size:
        return
    dy = np.arange(rows.start, rows.start + part.shape[0], dtype=np.float32) - np.float32(y)
    dx = np.arange(columns.start, columns.start + part.shape[1], dtype=np.float32) - np.float32(x)
    base = 1 + (dx[np.newaxis, :] ** 2 + dy[:, np.newaxis] ** 2) / np.float32(width**2)
    part += np.float32(peak) / (base * base * base)
