"""Levels for bad pixels."""

import math

import numpy as np
import pytest

from isrflow.frame.exposure import Exposure
from isrflow.frame.mask import mask_bits
from isrflow.steps.bad_regions import BadRegionsConfig, fill_bad_regions

BAD, INTRP = mask_bits("BAD"), mask_bits("INTRP")


def exposure_of(values, masks) -> Exposure:
    image = np.array([values], np.float32)
    return Exposure(image, np.array([masks], np.int32), np.ones_like(image))


def test_bad_pixels_get_the_median_of_the_others_unless_interpolated() -> None:
    exposure = exposure_of([1, 2, 30, 900, 900], [0, 0, 0, BAD, BAD | INTRP])
    found = fill_bad_regions(exposure, BadRegionsConfig())
    assert exposure.image[0].tolist() == [1, 2, 30, 2, 900]
    assert (found.n_pixels, found.level) == (1, 2)
    assert np.all(exposure.variance == 1)


def test_the_clipped_mean_may_serve_instead() -> None:
    exposure = exposure_of([*range(90, 111), 5000, 7], [0] * 22 + [BAD])
    found = fill_bad_regions(exposure, BadRegionsConfig(statistic="MEANCLIP"))
    assert found.level == pytest.approx(100)
    assert exposure.image[0, -1] == 100


def test_nothing_bad_is_nothing_done() -> None:
    exposure = exposure_of([1, 2], [0, 2])
    found = fill_bad_regions(exposure, BadRegionsConfig())
    assert found.n_pixels == 0
    assert math.isnan(found.level)
    assert exposure.image[0].tolist() == [1, 2]


def test_a_picture_that_is_all_bad_becomes_nan() -> None:
    exposure = exposure_of([1, 2], [BAD, BAD])
    fill_bad_regions(exposure, BadRegionsConfig())
    assert np.isnan(exposure.image).all()
