"""Medians of boxes: numpy's, for every pattern of values and marks."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.kernels.box_medians import contrast_of_boxes

VALUES = st.sampled_from([-np.inf, -1e30, -2.0, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 1.5, 2.0, 1e30, np.inf, np.nan])


def median_of(image: np.ndarray, mask: np.ndarray, x: int, y: int, half: int) -> float:
    box = np.s_[y - half : y + half, x - half : x + half]
    values = image[box][(mask[box] & 2 == 0) & np.isfinite(image[box])].astype(np.float64)
    return float(np.median(values)) if values.size else np.nan


def expected(image: np.ndarray, mask: np.ndarray, places: np.ndarray, halves: tuple[int, int]) -> np.ndarray:
    small, large = ([median_of(image, mask, x, y, half) for x, y in places] for half in halves)
    return np.array(small) - np.array(large)


@given(
    arrays(np.float32, (6, 7), elements=VALUES | st.floats(-100, 100, width=32)),
    arrays(np.int32, (6, 7), elements=st.sampled_from([0, 0, 0, 1, 2, 3])),
)
def test_any_values_and_marks_give_the_medians_of_numpy(image, mask) -> None:
    places = np.array([[3, 3], [4, 3], [3, 3]])
    found = contrast_of_boxes(image, mask, 2, places, (1, 3))
    np.testing.assert_array_equal(found, expected(image, mask, places, (1, 3)))


@pytest.mark.parametrize("level", [0.0, 1e4, -1e4])
def test_large_boxes_of_noise_and_stars_give_the_medians_of_numpy(level) -> None:
    rng = np.random.default_rng(8)
    image = rng.normal(level, 10, (130, 150)).astype(np.float32)
    image[rng.random(image.shape) < 0.02] *= 30
    image[40:60, 40:60] = level  # all equal
    mask = np.where(rng.random(image.shape) < 0.1, 2, 1).astype(np.int32)
    places = rng.integers(30, 101, (80, 2))
    found = contrast_of_boxes(image, mask, 2, places, (3, 30))
    np.testing.assert_array_equal(found, expected(image, mask, places, (3, 30)))


def test_places_may_come_in_any_order_and_views_of_larger_pictures_do() -> None:
    rng = np.random.default_rng(9)
    image, mask = rng.normal(size=(300, 60)).astype(np.float32), np.zeros((300, 60), np.int32)
    places = rng.integers(5, 35, (40, 2))
    inner = image[10:], mask[10:]
    forward = contrast_of_boxes(image[10:, 5:50], mask[10:, 5:50], 0, places, (2, 5))
    backward = contrast_of_boxes(image[10:, 5:50], mask[10:, 5:50], 0, places[::-1], (2, 5))
    assert forward.tolist() == backward[::-1].tolist()
    assert forward.tolist() == contrast_of_boxes(*inner, 0, places + np.array([5, 0]), (2, 5)).tolist()


def test_the_number_of_threads_does_not_matter() -> None:
    image = np.random.default_rng(1).normal(size=(100, 100)).astype(np.float32)
    places = np.random.default_rng(2).integers(10, 91, (500, 2))
    found = contrast_of_boxes(image, np.zeros(image.shape, np.int32), 0, places, (2, 10))
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone = contrast_of_boxes(image, np.zeros(image.shape, np.int32), 0, places, (2, 10))
    finally:
        numba.set_num_threads(before)
    assert found.tobytes() == alone.tobytes()


def test_boxes_that_reach_outside_are_refused() -> None:
    image, mask = np.zeros((20, 20), np.float32), np.zeros((20, 20), np.int32)
    for place in ([4, 10], [10, 16], [16, 10]):
        with pytest.raises(ValueError, match=r"half size 5 .* reach outside a picture of 20 x 20"):
            contrast_of_boxes(image, mask, 0, np.array([place]), (2, 5))
    assert contrast_of_boxes(image, mask, 0, np.empty((0, 2), np.int64), (2, 5)).size == 0
