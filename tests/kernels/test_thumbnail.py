"""Grey thumbnails."""

import numpy as np

from isrflow.kernels.thumbnail import Stretch, make_thumbnail

SAT, BAD = 2, 1


def thumbnail(image, mask=None, **stretch) -> np.ndarray:
    mask = np.zeros(image.shape, np.int32) if mask is None else mask
    planes = image.astype(np.float32), mask, np.ones(image.shape, np.float32)
    return make_thumbnail(planes, Stretch(binning=1, **stretch), saturated_bit=SAT, exclude_bits=SAT | BAD)


def test_the_stretch_starts_at_black_and_ends_at_white() -> None:
    image = np.zeros((3, 3))
    image[0, 0], image[2, 2], image[1, 1] = -50, 1e9, 0.5
    found = thumbnail(image, low_sigma=0.0)
    assert found.shape == (3, 3, 3)
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[2, 2].tolist() == [255, 255, 255]
    # 0.5 * 20 / 5 = 2: asinh(2) / asinh(2) * 25.5
    assert found[1, 1, 0] == 25


def test_saturated_regions_are_as_bright_as_the_brightest_good_pixel() -> None:
    image = np.random.default_rng(0).normal(100, 1, (20, 20))
    image[10, 10], image[5, 5] = np.nan, 180
    mask = np.zeros((20, 20), np.int32)
    mask[10, 10] = SAT
    found = thumbnail(image, mask)
    assert found[10, 10, 0] == found[5, 5, 0]


def test_an_image_without_good_pixels_is_black() -> None:
    assert not thumbnail(np.full((4, 4), np.nan)).any()
