"""The lit part of a detector."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.errors import GeometryError
from isrflow.frame.camera import Amplifier, Detector
from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.frame.polygon import Polygon
from isrflow.steps.vignette import VignetteConfig, find_valid_polygon, mask_outside

NO_DATA = mask_bits("NO_DATA")


def exposure(x_mm: float = 0.0, y_mm: float = 0.0, degrees: float = 0.0) -> Exposure:
    """41 x 31 pixels of 1 mm; the centre is pixel (20, 15)."""
    amp = Amplifier(name="A", box=(0, 0, 41, 31), raw=(0, 0, 41, 31), raw_data=(0, 0, 41, 31))
    place = {"focal_plane_x_mm": x_mm, "focal_plane_y_mm": y_mm, "rotation_deg": degrees, "pixel_size_mm": 1.0}
    detector = Detector(id=1, name="D", box=(0, 0, 41, 31), amplifiers=(amp,), **place)
    image = np.full((31, 41), 7, np.float32)
    return Exposure(image, np.zeros(image.shape, np.int32), np.ones(image.shape, np.float32), detector=detector)


def test_a_square_lights_what_is_strictly_inside() -> None:
    picture = exposure()
    find_valid_polygon(picture, VignetteConfig(n_vertices=4, radius_mm=10.0))  # |x| + |y| < 10 around the centre
    y, x = np.mgrid[0:31, 0:41]
    assert np.array_equal(picture.mask == 0, np.abs(x - 20) + np.abs(y - 15) < 10)
    assert set(np.unique(picture.mask)) == {0, NO_DATA}
    assert picture.valid_polygon.area == pytest.approx(200.0, rel=1e-12)
    assert (picture.image == 7).all()


def test_the_circle_stays_in_the_focal_plane_when_detectors_move_and_turn() -> None:
    config = VignetteConfig(x_mm=3.0, y_mm=-2.0, radius_mm=13.3, n_vertices=360)
    y, x = np.mgrid[0:31, 0:41]
    for place, far in (((0, 0, 0), np.hypot(x - 20 - 3, y - 15 + 2)), ((5, 1, 90), np.hypot(15 - y + 2, x - 20 + 3))):
        picture = exposure(*place)
        find_valid_polygon(picture, config)
        expected, sure = far < 13.3, np.abs(far - 13.3) > 0.01  # 360 corners: 0.0005 mm short of the circle
        assert np.array_equal((picture.mask == 0)[sure], expected[sure])


def test_a_detector_wholly_lit_keeps_its_outline() -> None:
    picture = exposure()
    find_valid_polygon(picture, VignetteConfig())
    assert picture.valid_polygon.vertices == pytest.approx(Polygon.of_box(picture.detector.box).vertices, abs=1e-12)
    assert not picture.mask.any()


def test_a_detector_wholly_outside_is_masked_wholly_and_said(caplog) -> None:
    picture = exposure(x_mm=500.0)
    with caplog.at_level(logging.WARNING):
        find_valid_polygon(picture, VignetteConfig(fill_value=0.0))
    assert (picture.mask == NO_DATA).all()
    assert (picture.image == 0).all()
    assert picture.valid_polygon.is_empty
    assert "detector D lies wholly outside the circle of radius 100 mm around (0, 0) mm: all of it becomes NO_DATA" in (
        caplog.text
    )


def test_a_value_and_a_plane_may_be_chosen_or_nothing_masked() -> None:
    picture = exposure()
    find_valid_polygon(picture, VignetteConfig(radius_mm=10.0, fill_value=-1.0, plane="VIGNETTED"))
    assert picture.mask[0, 0] == mask_bits("VIGNETTED")
    assert picture.image[0, 0] == -1.0
    assert picture.image[15, 20] == 7.0
    untouched = exposure()
    find_valid_polygon(untouched, VignetteConfig(radius_mm=10.0, mask=False, fill_value=-1.0))
    assert untouched.valid_polygon == picture.valid_polygon
    assert not untouched.mask.any()
    assert (untouched.image == 7).all()


def test_polygons_speak_the_coordinates_of_the_exposure_also_in_views() -> None:
    picture = exposure()
    part = picture.view(type(picture.box)(10, 5, 20, 20))
    mask_outside(part, Polygon(np.array([[9.5, 4.5], [19.5, 4.5], [19.5, 14.5], [9.5, 14.5]])))
    assert (picture.mask[5:15, 10:20] == 0).all()
    assert np.count_nonzero(picture.mask) == 300


def test_polygons_that_are_not_convex_mask_too() -> None:
    picture = exposure()
    mask_outside(picture, Polygon(np.array([[-1, -1], [41, -1], [41, 31], [20, 10], [-1, 31]])))
    assert picture.mask[30, 20] == NO_DATA
    assert picture.mask[0, 20] == 0


def test_impossible_circles_and_places_are_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        VignetteConfig(radius_mm=-1.0)
    with pytest.raises(ValidationError, match="greater than or equal to 3"):
        VignetteConfig(n_vertices=2)
    bare = exposure()
    bare.detector = None
    with pytest.raises(GeometryError, match="has no detector"):
        find_valid_polygon(bare, VignetteConfig())
