"""Exposures and their views."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError
from isrflow.frame.box import Box
from isrflow.frame.camera import camera_from_yaml
from isrflow.frame.exposure import Exposure

DETECTOR = camera_from_yaml("""
name: one
detectors:
  - {id: 3, name: D, box: [0, 0, 4, 3], amplifiers: [
      {name: A, box: [0, 0, 4, 3], raw: [0, 0, 7, 3], raw_data: [1, 0, 4, 3], raw_serial_overscan: [5, 0, 2, 3]}]}
""").detectors[0]
AMP = DETECTOR.amplifiers[0]


def raw() -> Exposure:
    return Exposure(np.arange(21, dtype=np.uint16).reshape(3, 7), detector=DETECTOR)


def test_views_share_memory_and_know_their_origin():
    exposure = raw()
    overscan = exposure.amp(AMP, "serial_overscan")
    assert overscan.image.tolist() == [[5, 6], [12, 13], [19, 20]]
    assert overscan.xy0 == (5, 0)
    overscan.image[:] = 0
    assert exposure.image[0, 5] == 0
    assert overscan.view(Box(6, 1, 1, 1)).image.base is not None


def test_data_means_raw_data_until_the_image_is_trimmed():
    assert raw().amp(AMP).image.shape == (3, 4)
    assert raw().amp_box(AMP) == AMP.raw_data
    trimmed = Exposure(np.zeros((3, 4), np.float32), detector=DETECTOR)
    assert trimmed.is_trimmed
    assert trimmed.amp_box(AMP) == AMP.box
    with pytest.raises(GeometryError, match="detector D amplifier A: a trimmed image has no serial overscan"):
        trimmed.amp(AMP, "serial_overscan")


def test_a_view_outside_the_image_is_refused():
    with pytest.raises(GeometryError, match=r"box \[1:9,1:1\] reaches outside the image \[1:7,1:3\]"):
        raw().view(Box(0, 0, 9, 1))


def test_planes_of_an_unconverted_exposure_are_refused():
    with pytest.raises(GeometryError, match="still as read"):
        raw().planes()


def test_planes_must_have_one_shape():
    with pytest.raises(GeometryError, match=r"mask plane .* differ in shape"):
        Exposure(np.zeros((2, 2), np.float32), mask=np.zeros((2, 3), np.int32))


def test_a_copy_owns_its_pixels_and_its_header():
    exposure = Exposure(np.zeros((2, 2), np.float32), header={"A": 1})
    other = exposure.copy()
    other.image[0, 0] = 1
    other.header["A"] = 2
    assert exposure.image[0, 0] == 0
    assert exposure.header == {"A": 1}


def test_an_exposure_shows_itself_in_one_line() -> None:
    assert repr(Exposure(np.zeros((2, 3), np.uint16))) == "<Exposure exposure: 3 x 2 px uint16, adu>"
