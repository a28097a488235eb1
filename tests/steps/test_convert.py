"""Conversion of pixels as read, and making exposures of bare images."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.errors import GeometryError, NotAnExposureError
from isrflow.frame.camera import Camera
from isrflow.frame.exposure import Exposure
from isrflow.steps.convert import ConvertConfig, convert_to_float, ensure_exposure
from tests.steps.tinyraw import tiny_detector

CAMERA = Camera(name="c", detectors=(tiny_detector(),))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_integers_become_float32_with_empty_planes(dtype) -> None:
    exposure = Exposure(image=np.array([[1, 65535]], dtype))
    convert_to_float(exposure, ConvertConfig())
    image, mask, variance = exposure.planes()
    assert [plane.dtype for plane in (image, mask, variance)] == [np.float32, np.int32, np.float32]
    assert (image.tolist(), mask.any(), variance.any()) == ([[1.0, 65535.0]], False, False)


def test_float_pixels_keep_memory_mask_and_variance() -> None:
    image, mask, variance = np.ones((2, 2), np.float32), np.full((2, 2), 4, np.int32), np.full((2, 2), 9, np.float32)
    exposure = Exposure(image=image, mask=mask, variance=variance)
    convert_to_float(exposure, ConvertConfig())
    assert (exposure.image is image, exposure.mask is mask, exposure.variance is variance) == (True, True, True)


def test_integers_lose_a_mask_that_came_with_them() -> None:
    exposure = Exposure(image=np.ones((1, 1), np.int32), mask=np.full((1, 1), 4, np.int32))
    convert_to_float(exposure, ConvertConfig())
    assert exposure.mask.tolist() == [[0]]


def test_double_precision_is_rounded() -> None:
    exposure = Exposure(image=np.full((1, 1), 0.1))
    convert_to_float(exposure, ConvertConfig())
    assert exposure.image.dtype == np.float32


def test_an_image_becomes_an_exposure_that_shares_its_pixels() -> None:
    image = np.zeros((4, 6), np.float32)
    exposure = ensure_exposure(image, CAMERA, 3)
    assert exposure.image is image
    assert exposure.detector is CAMERA.detectors[0]


def test_an_exposure_is_returned_as_it_is_and_nothing_as_nothing() -> None:
    exposure = Exposure(image=np.zeros((4, 6)), detector=tiny_detector())
    assert ensure_exposure(exposure) is exposure
    assert ensure_exposure(None) is None


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(NotAnExposureError, match="not a str"):
        ensure_exposure("raw.fits")
    with pytest.raises(TypeError, match="array of 3 dimensions"):
        ensure_exposure(np.zeros((2, 2, 2)))


def test_an_exposure_without_detector_needs_camera_and_name() -> None:
    with pytest.raises(GeometryError, match="has no detector"):
        ensure_exposure(np.zeros((4, 6)), CAMERA)
    with pytest.raises(GeometryError, match="no detector 9"):
        ensure_exposure(np.zeros((4, 6)), CAMERA, 9)
