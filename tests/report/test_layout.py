from __future__ import annotations

import pytest

from flows.report.layout import focal_plane
from isrflow.frame.camera import Amplifier, Camera, Detector


def camera(*places: tuple[float, float, float]) -> Camera:
    amp = Amplifier(name="A", box=[0, 0, 100, 50], raw=[0, 0, 100, 50], raw_data=[0, 0, 100, 50])
    detectors = [
        Detector(
            id=number,
            name=f"D{number}",
            box=[0, 0, 100, 50],
            amplifiers=(amp,),
            pixel_size_mm=0.01,
            focal_plane_x_mm=x,
            focal_plane_y_mm=y,
            rotation_deg=rotation,
        )
        for number, (x, y, rotation) in enumerate(places)
    ]
    return Camera(name="test", detectors=tuple(detectors))


def test_detectors_lie_where_the_camera_says() -> None:
    plane = focal_plane(camera((-2.0, 0.0, 0.0), (2.0, 1.0, 0.0)))
    assert [(place.x_mm, place.y_mm, place.width_mm, place.height_mm) for place in plane.places] == [
        (-2.0, 0.0, 1.0, 0.5),
        (2.0, 1.0, 1.0, 0.5),
    ]
    assert plane.bounds == pytest.approx((-2.5, -0.25, 5.0, 1.5))


def test_a_detector_turned_by_a_right_angle_swaps_its_sides() -> None:
    plane = focal_plane(camera((0.0, 0.0, 90.0)))
    assert plane.bounds == pytest.approx((-0.25, -0.5, 0.5, 1.0))


def test_detectors_without_places_are_laid_in_a_grid_without_overlap() -> None:
    plane = focal_plane(camera((0, 0, 0), (0, 0, 0), (0, 0, 0)))
    boxes = [(place.x_mm, place.y_mm) for place in plane.places]
    assert len(set(boxes)) == 3
    for i, (ax, ay) in enumerate(boxes):
        assert all(abs(ax - bx) >= 1.0 or abs(ay - by) >= 0.5 for bx, by in boxes[i + 1 :])
