"""Where detectors and amplifiers lie in the focal plane, in millimetres, y upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isrflow.frame.camera import Amplifier, Camera, Detector

GAP = 0.06
"""Space between detectors whose places are not known, as a fraction of their size."""


@dataclass(frozen=True, slots=True)
class Place:
    """A detector's centre, size and rotation (counter-clockwise) in the focal plane."""

    detector: Detector
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    rotation_deg: float

    def amplifier_box(self, amp: Amplifier) -> tuple[float, float, float, float]:
        """Return (x, y, width, height) of an amplifier relative to the detector's centre, before rotation."""
        pixel = self.detector.pixel_size_mm
        x = amp.box.x0 * pixel - self.width_mm / 2
        y = amp.box.y0 * pixel - self.height_mm / 2
        return x, y, amp.box.width * pixel, amp.box.height * pixel

    def corners(self) -> list[tuple[float, float]]:
        """Return the four corners in the focal plane."""
        angle = math.radians(self.rotation_deg)
        cos, sin = math.cos(angle), math.sin(angle)
        half = [(sx * self.width_mm / 2, sy * self.height_mm / 2) for sx in (-1, 1) for sy in (-1, 1)]
        return [(self.x_mm + x * cos - y * sin, self.y_mm + x * sin + y * cos) for x, y in half]


@dataclass(frozen=True, slots=True)
class FocalPlane:
    """All detectors in their places, and the box that holds them (left, bottom, width, height)."""

    places: tuple[Place, ...]
    bounds: tuple[float, float, float, float]


def focal_plane(camera: Camera) -> FocalPlane:
    """Place a camera's detectors; in a row-wise grid if their positions are not known (any two coincide)."""
    detectors = camera.detectors
    positions = [(item.focal_plane_x_mm, item.focal_plane_y_mm) for item in detectors]
    if len(set(positions)) < len(positions):
        positions = _grid(detectors)
    places = tuple(
        Place(item, x, y, item.box.width * item.pixel_size_mm, item.box.height * item.pixel_size_mm, item.rotation_deg)
        for item, (x, y) in zip(detectors, positions, strict=True)
    )
    corners = [corner for place in places for corner in place.corners()]
    left, bottom = min(x for x, _ in corners), min(y for _, y in corners)
    right, top = max(x for x, _ in corners), max(y for _, y in corners)
    return FocalPlane(places, (left, bottom, right - left, top - bottom))


def _grid(detectors: Sequence[Detector]) -> list[tuple[float, float]]:
    columns = math.ceil(math.sqrt(len(detectors)))
    width = max(item.box.width * item.pixel_size_mm for item in detectors) * (1 + GAP)
    height = max(item.box.height * item.pixel_size_mm for item in detectors) * (1 + GAP)
    return [((index % columns) * width, -(index // columns) * height) for index in range(len(detectors))]
