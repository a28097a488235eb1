"""Good pixels picked out, counted and filled."""

import math

import numpy as np

from isrflow.kernels.gather import count_signs, count_where, fill_where, good_median


def test_the_median_is_that_of_the_good_pixels_of_a_view() -> None:
    image, mask = np.arange(100, dtype=np.float32).reshape(10, 10), np.zeros((10, 10), np.int32)
    mask[2, 3], image[2, 4] = 1, np.nan
    box = np.s_[2:4, 3:7]
    assert good_median(image[box], mask[box], 1) == 33.5  # of 25, 26, 33, 34, 35, 36
    assert math.isnan(good_median(image[box], np.ones((2, 4), np.int32), 1))


def test_pixels_are_counted_and_filled_by_their_bits() -> None:
    image, mask = np.zeros((1, 5), np.float32), np.array([[0, 1, 3, 4, 5]], np.int32)
    assert count_where(mask, has=1, lacks=4) == 2
    fill_where(image, mask, has=1, lacks=4, value=9.0)
    assert image.tolist() == [[0, 9, 9, 0, 0]]


def test_signs_are_counted_of_what_is_not_masked():
    image = np.array([[1.0, -2.0, 0.0, np.nan], [np.inf, -np.inf, 5.0, -1.0]], np.float32)
    mask = np.array([[0, 0, 0, 0], [0, 4, 8, 4]], np.int32)
    assert count_signs(image, mask, 4) == (2, 1, 3)  # infinity is positive as well as not finite
    assert count_signs(image[:, 1:], mask[:, 1:], 0) == (2, 3, 1)
