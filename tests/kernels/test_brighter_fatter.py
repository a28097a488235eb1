"""The brighter-fatter correction against its formula, done slowly with other tools."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import laplace
from scipy.signal import convolve2d

from isrflow.kernels.brighter_fatter import correct_brighter_fatter
from isrflow.kernels.charge_currents import correct_conserving_charge, transfer_charge

BOTH = pytest.mark.parametrize("correct", [correct_brighter_fatter, correct_conserving_charge])
SIZES = pytest.mark.parametrize("size", [3, 5, 7])


def bell(size: int, skew: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return -2.5e-7 / (1.0 + x**2 + y**2 + skew * y)


def sky(seed: int = 1) -> np.ndarray:
    image = np.random.default_rng(seed).normal(1000, 30, (40, 1100)).astype(np.float32)  # more than two tiles
    y, x = np.mgrid[-20:20, -513:587]
    image += (50000 * np.exp(-(x**2 + y**2) / 18)).astype(np.float32)
    return image


@SIZES
@pytest.mark.parametrize("skew", [0.0, 0.1])
def test_one_pass_is_half_the_divergence_of_charge_times_field(size, skew) -> None:
    image, kernel = sky(), bell(size, skew)
    exact = image.astype(np.float64)
    potential = convolve2d(exact, kernel, mode="same")
    (slope_y, slope_x), (field_y, field_x) = np.gradient(exact), np.gradient(potential)
    expected = exact + 0.5 * (slope_y * field_y + slope_x * field_x + exact * laplace(potential))
    correct_brighter_fatter(image, kernel, max_iterations=1)
    first, last = size // 2 + 1, -(size // 2) - 2
    inner = np.s_[first:last, first:last]
    np.testing.assert_allclose(image[inner], expected[inner], rtol=1e-7)  # the last place of float32
    outside = np.ones(image.shape, bool)
    outside[inner] = False
    assert np.array_equal(image[outside], sky()[outside])


@BOTH
def test_a_constant_image_stays(correct) -> None:
    image = np.full((30, 30), 40000, np.float32)
    correct(image, bell(5))
    # where zeros follow the image, the variant that conserves charge sees an edge of the light; away from it none
    np.testing.assert_allclose(image[:20, :20], 40000, rtol=1e-7)


@BOTH
def test_a_kernel_of_zeros_changes_nothing(correct) -> None:
    image = sky()
    found = correct(image, np.zeros((5, 5)))
    assert np.array_equal(image, sky())
    assert found == (0.0, 2)


@BOTH
def test_charge_moves_to_the_brightest_pixels_and_hardly_any_is_lost(correct) -> None:
    image, before = sky(), sky().astype(np.float64)
    correct(image, bell(5))
    assert image[18:22, 510:516].mean() > before[18:22, 510:516].mean() + 20
    moved = image - before
    patch = moved[4:-4, 490:536]
    # noise carries charge over the border of the patch, and central differences are exact only for smooth pictures
    assert abs(patch.sum()) < 0.05 * np.abs(patch).sum()


@BOTH
def test_what_is_not_a_number_stays_so_and_spoils_nothing(correct) -> None:
    image = sky()
    image[10, 30] = np.nan
    correct(image, bell(5))
    assert np.argwhere(np.isnan(image)).tolist() == [[10, 30]]


def test_the_iteration_ends_below_the_threshold_or_at_the_limit() -> None:
    loose, tight = (correct_brighter_fatter(sky(), bell(5), threshold=threshold) for threshold in (1e4, 1e-3))
    assert loose.last_iteration == 2  # the change from the start is never judged
    assert tight.last_iteration > 2
    assert tight.difference < 1e-3
    assert correct_brighter_fatter(sky(), bell(5), max_iterations=2, threshold=0.0).last_iteration == 1
    assert np.isnan(correct_brighter_fatter(sky(), bell(5), max_iterations=1).difference)


@BOTH
def test_a_tight_threshold_is_reached_in_double_precision(correct) -> None:
    """Single precision could not tell changes as small as that, and would go on to the limit."""
    found = correct(sky(), bell(5), threshold=1e-9, max_iterations=20)
    assert found.difference < 1e-9
    assert found.last_iteration < 12
    single, double = sky(), sky()
    correct(single, bell(5), threshold=10.0)
    correct(double, bell(5), threshold=1e-9)
    np.testing.assert_allclose(single, double, atol=0.01)  # what the last iterations change


@BOTH
def test_the_number_of_threads_does_not_matter(correct) -> None:
    found = []
    for n_threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(n_threads)
        image = sky()
        found.append((correct(image, bell(5, 0.1), threshold=1.0), image))
    assert found[0][0] == found[1][0]
    assert np.array_equal(found[0][1], found[1][1])


@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(st.integers(5, 30), st.integers(5, 30)), seed=st.integers(0, 1000))
def test_currents_lose_no_charge(shape, seed) -> None:
    image = np.random.default_rng(seed).uniform(0, 1e4, shape).astype(np.float32)
    before = image.sum(dtype=np.float64)
    correct_conserving_charge(image, bell(5))
    assert image.sum(dtype=np.float64) == pytest.approx(before, abs=image.size * 1e-3)  # last places of 1e4


def test_simulated_and_corrected_charge_is_back_where_it_was() -> None:
    image = sky()
    correct_conserving_charge(image, bell(5), simulate=True)
    moved = np.abs(image - sky()).max()
    correct_conserving_charge(image, bell(5))
    assert np.abs(image - sky())[3:-5, 3:-5].max() < 0.02 * moved  # the potential is that of the wider star


def test_one_transfer_takes_from_the_pixel_that_gives() -> None:
    potential = np.array([[0.0, 0.1, 0.1, np.nan, 0.3, 0.1]])
    signal = np.array([[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]])
    # up a step charge flows from the left one, down a step from the right one; each half of step times charge
    flows = np.array([-0.5 * 10 * 0.1, 0, 0, 0, -0.5 * 60 * -0.2])
    expected = np.zeros((1, 6))
    expected[0, :-1] -= flows
    expected[0, 1:] += flows
    np.testing.assert_allclose(transfer_charge(potential, signal), expected, rtol=1e-12)
    np.testing.assert_allclose(transfer_charge(potential, signal, simulate=True), -expected, rtol=1e-12)


@BOTH
def test_an_image_that_is_all_border_is_left(correct) -> None:
    image = np.full((2, 2), 7, np.float32)
    correct_brighter_fatter(image, bell(5))
    assert np.all(image == 7)


@BOTH
@pytest.mark.parametrize(("kernel", "limit", "match"), [(np.zeros((3, 5)), 10, "square"), (bell(3), 0, "at least one")])
def test_impossible_kernels_and_limits_are_refused(correct, kernel, limit, match) -> None:
    with pytest.raises(ValueError, match=match):
        correct(sky(), kernel, max_iterations=limit)
