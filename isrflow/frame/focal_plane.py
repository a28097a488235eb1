"""Between the pixels of a detector and millimetres in the focal plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isrflow.frame.camera import Detector


def pixels_to_focal_plane(detector: Detector) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix A with ``(x_mm, y_mm) = A (x, y, 1)``.

    The centre of the detector lies at its focal-plane position; x and y are turned by its rotation, counter-clockwise.
    """
    turn = np.deg2rad(detector.rotation_deg)
    cos, sin = detector.pixel_size_mm * np.cos(turn), detector.pixel_size_mm * np.sin(turn)
    rotation = np.array([[cos, -sin], [sin, cos]])
    box = detector.box
    centre = np.array([box.x0 + (box.width - 1) / 2, box.y0 + (box.height - 1) / 2])
    position = np.array([detector.focal_plane_x_mm, detector.focal_plane_y_mm]) - rotation @ centre
    return np.column_stack([rotation, position])


def to_focal_plane(detector: Detector, points_px: ArrayLike) -> NDArray[np.float64]:
    """Return where pixel positions (..., 2) lie in the focal plane, in millimetres."""
    return transform(pixels_to_focal_plane(detector), points_px)


def to_pixels(detector: Detector, points_mm: ArrayLike) -> NDArray[np.float64]:
    """Return the pixel positions of points (..., 2) in the focal plane."""
    affine = pixels_to_focal_plane(detector)
    back = np.linalg.inv(affine[:, :2])
    return transform(np.column_stack([back, -back @ affine[:, 2]]), points_mm)


def transform(affine: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    """Apply a 2 x 3 matrix to points (..., 2)."""
    moved: NDArray[np.float64] = np.asarray(points, np.float64) @ affine[:, :2].T + affine[:, 2]
    return moved
