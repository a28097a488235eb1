"""Polygons of pixels, and the focal plane."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.focal_plane import pixels_to_focal_plane, to_focal_plane, to_pixels
from isrflow.frame.polygon import Polygon


def turned_detector(degrees: float = 90.0) -> Detector:
    amp = Amplifier(name="A", box=(0, 0, 11, 7), raw=(0, 0, 11, 7), raw_data=(0, 0, 11, 7))
    return Detector(
        id=1,
        name="D",
        box=(0, 0, 11, 7),
        amplifiers=(amp,),
        focal_plane_x_mm=10.0,
        focal_plane_y_mm=-2.0,
        pixel_size_mm=0.1,
        rotation_deg=degrees,
    )


def test_the_outline_of_a_box_reaches_half_a_pixel_beyond_the_centres() -> None:
    outline = Polygon.of_box(Box(2, 3, 4, 5))
    assert outline.vertices.tolist() == [[1.5, 2.5], [1.5, 7.5], [5.5, 7.5], [5.5, 2.5]]
    assert outline.area == 20.0


def test_a_circle_of_corners_has_the_area_geometry_says() -> None:
    for n in (3, 4, 100):
        circle = Polygon.circle(1.0, -2.0, 3.0, n)
        assert circle.area == pytest.approx(n / 2 * 9.0 * np.sin(2 * np.pi / n), rel=1e-13)
    assert circle.vertices[-1].tolist() == [4.0, -2.0]


def test_a_closed_list_of_vertices_is_opened() -> None:
    closed = [[0, 0], [1, 0], [1, 1], [0, 0]]
    assert len(Polygon(np.array(closed)).vertices) == 3
    assert Polygon(np.array(closed)) == Polygon(np.array(closed[:3]))


@pytest.mark.parametrize("wrong", [[[0, 0]], [[0, 0], [1, 1]], [[0, 0, 0]] * 3, [[0, 0], [1, np.nan], [2, 2]]])
def test_what_is_no_polygon_is_refused(wrong) -> None:
    with pytest.raises(GeometryError, match="three or more vertices"):
        Polygon(np.array(wrong, float))


def test_vertices_cannot_be_changed_behind_its_back() -> None:
    given = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    polygon = Polygon(given)
    given[0] = 9.0
    assert polygon.vertices[0].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        polygon.vertices[0] = 1.0


def test_only_convex_polygons_are_cut() -> None:
    arrow = Polygon(np.array([[0, 0], [8, 0], [4, 3], [8, 8], [0, 8]]))
    with pytest.raises(GeometryError, match="is not convex"):
        arrow.intersect(Polygon.of_box(Box(0, 0, 4, 4)))


def test_an_empty_polygon_has_nothing() -> None:
    nothing = Polygon.of_box(Box(0, 0, 2, 2)).intersect(Polygon.of_box(Box(5, 5, 2, 2)))
    assert nothing == Polygon.empty()
    assert nothing.is_empty
    assert nothing.area == 0.0
    assert not nothing.contains([[0, 0], [5, 5]]).any()


def test_points_on_the_boundary_are_outside() -> None:
    polygon = Polygon(np.array([[0, 0], [4, 0], [4, 4], [0, 4]]))
    assert polygon.contains([[0, 2], [2, 0], [4, 4], [2, 2], [5, 2]]).tolist() == [False, False, False, True, False]
    assert polygon.contains([2, 2]).shape == ()


def test_a_detector_turned_by_a_right_angle_lies_where_it_should() -> None:
    detector = turned_detector()  # centre pixel (5, 3)
    assert to_focal_plane(detector, [5, 3]) == pytest.approx([10.0, -2.0], abs=1e-14)
    assert to_focal_plane(detector, [6, 3]) == pytest.approx([10.0, -1.9], abs=1e-14)  # x goes up
    assert to_focal_plane(detector, [5, 4]) == pytest.approx([9.9, -2.0], abs=1e-14)  # y goes left


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, -135.0])
def test_there_and_back_again(degrees) -> None:
    points = np.random.default_rng(1).uniform(-5, 15, (6, 2))
    detector = turned_detector(degrees)
    assert to_pixels(detector, to_focal_plane(detector, points)) == pytest.approx(points, rel=1e-12, abs=1e-12)
    assert np.linalg.det(pixels_to_focal_plane(detector)[:, :2]) == pytest.approx(0.01, rel=1e-12)


def test_scaling_and_shifting_move_every_vertex() -> None:
    moved = Polygon.of_box(Box(0, 0, 4, 4)).moved(scale=0.5, shift=(1.0, -1.0))
    assert moved.vertices[0].tolist() == [0.75, -1.25]
    assert moved.area == 4.0
