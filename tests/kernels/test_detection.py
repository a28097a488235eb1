"""Detection: smoothing against scipy, noise, growth, what does not count."""

import numba
import numpy as np
import pytest
from scipy import ndimage, signal

from isrflow.kernels.detection import detect_positive, gaussian_weights


def noise_image(seed: int = 1, shape: tuple[int, int] = (80, 90)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def no_marks(image: np.ndarray) -> np.ndarray:
    return np.zeros(image.shape, np.int32)


def expected(image: np.ndarray, threshold: float = 5.0, unreliable: np.ndarray | None = None) -> np.ndarray:
    """The same with scipy: convolution, three rounds of clipping, a disc."""
    weights = gaussian_weights(2.0)
    smooth = signal.convolve2d(image.astype(float), np.outer(weights, weights), "valid").astype(np.float32)
    sample = smooth.astype(float)
    if unreliable is not None:
        bad = ndimage.maximum_filter(unreliable.astype(int), 15)[7:-7, 7:-7]
        sample = sample[bad == 0]
    q25, median, q75 = np.percentile(sample, [25, 50, 75])
    centre, width = median, 3 * 0.741301109252802 * (q75 - q25)
    for _ in range(3):
        kept = sample[np.abs(sample - centre) <= width]
        centre, width = kept.mean(), 3 * kept.std(ddof=1)
    peaks = np.zeros(image.shape, bool)
    peaks[7:-7, 7:-7] = smooth >= threshold * kept.std(ddof=1)
    y, x = np.mgrid[-5:6, -5:6]
    return ndimage.binary_dilation(peaks, x**2 + y**2 <= 25)


def test_the_gaussian_is_seven_sigmas_wide_and_of_sum_one() -> None:
    weights = gaussian_weights(2.0)
    assert weights.size == 15
    assert weights.sum() == pytest.approx(1)
    assert weights[7] / weights[9] == pytest.approx(np.exp(0.5))
    assert gaussian_weights(1.0).size == 7


def test_sources_are_found_and_grown_as_by_scipy() -> None:
    image = noise_image()
    image[30, 40] += 300
    image[9, 80] += 200  # its disc reaches the border
    image[50:53, 20:22] += 60
    image[60, 60] -= 500  # only what is brighter counts
    found, border = detect_positive(image, no_marks(image), 1)
    assert border == 7
    assert found.any()
    np.testing.assert_array_equal(found, expected(image))
    assert not found[60, 60]


def test_what_saturated_pixels_touch_does_not_count_for_the_noise_but_is_searched() -> None:
    image, mask = noise_image(2), np.zeros((80, 90), np.int32)
    image[20:40, 30:32] += 30
    mask[20:40, 30:32] = 2
    image[70, 10] += 300
    found, _ = detect_positive(image, mask, 2 | 1)
    np.testing.assert_array_equal(found, expected(image, unreliable=mask == 2))
    assert found[30, 31]
    all_marked, _ = detect_positive(image, np.full(image.shape, 2, np.int32), 2)
    assert not all_marked.any()


def test_pixels_that_are_no_numbers_are_not_found_and_hide_only_what_they_touch() -> None:
    image = noise_image(3)
    image[40, 40] = np.nan
    image[60, 70] += 400
    found, _ = detect_positive(image, no_marks(image), 1)
    assert found[60, 70]
    assert not found[40, 40]


@pytest.mark.parametrize("image", [np.zeros((40, 40), np.float32), noise_image(shape=(14, 60))], ids=["flat", "small"])
def test_nothing_is_found_without_noise_or_room(image) -> None:
    found, border = detect_positive(image, no_marks(image), 1)
    assert not found.any()
    assert border == 7


def test_the_number_of_threads_does_not_matter() -> None:
    image = noise_image(4)
    image[30, 40] += 100
    together, _ = detect_positive(image, no_marks(image), 1)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone, _ = detect_positive(image, no_marks(image), 1)
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(together, alone)
