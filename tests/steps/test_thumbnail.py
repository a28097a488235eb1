"""Thumbnails as by-products."""

import numpy as np

from isrflow.frame.exposure import Exposure
from isrflow.steps.thumbnail import ThumbnailConfig, make_flattened_thumbnail, make_overscan_thumbnail


def test_both_thumbnails_are_of_the_exposure_at_hand_and_leave_it_alone() -> None:
    image = np.random.default_rng(3).normal(100, 5, (16, 24)).astype(np.float32)
    exposure = Exposure(image, np.zeros(image.shape, np.int32), np.ones_like(image))
    before = image.copy()
    first = make_overscan_thumbnail(exposure, ThumbnailConfig(binning=4))
    second = make_flattened_thumbnail(exposure, ThumbnailConfig(binning=8))
    assert first.rgb.shape == (4, 6, 3)
    assert second.rgb.shape == (2, 3, 3)
    assert np.ptp(first.rgb) > 0
    assert np.array_equal(exposure.image, before)
