"""The electrostatic correction against its formula, done with other tools, and what it conserves."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from isrflow.kernels.electrostatic import correct_electrostatic, shifts_of


def matrices(n: int, seed: int = 1) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(seed).normal(0, 1e-7, (4, n, n)))


def sky(shape=(150, 1100), seed: int = 2) -> np.ndarray:  # more than one tile along x and y
    image = np.random.default_rng(seed).normal(2000, 50, shape)
    image[20:26, 500:510] += 60000
    return image.astype(np.float32)


def laid_out(north, south, east, west) -> tuple[np.ndarray, np.ndarray]:
    """The kernels as the paper's formula wants them, element by element; the last axis is y."""
    n = len(north)
    upper, right = np.zeros((2 * n - 1, 2 * n - 1)), np.zeros((2 * n - 1, 2 * n - 1))
    for i in range(-n + 1, n):
        for j in range(-n + 1, n):
            upper[i, j] = north[abs(i), j] if j > 0 else south[abs(i), -j]
            right[i, j] = east[i, abs(j)] if i > 0 else west[-i, abs(j)]
    upper, right = np.roll(upper, n - 1, (0, 1)), np.roll(right, n - 1, (0, 1))
    upper[:, 0], right[0] = -upper[:, -1], -right[-1]
    return upper.T / 4, right.T / 4


def slowly(image, *four) -> np.ndarray:
    up, right = laid_out(*four)
    exact = image.astype(np.float64)
    crossing_up = (exact[1:] + exact[:-1]) * fftconvolve(exact, up, "same")[:-1]
    crossing_right = (exact[:, 1:] + exact[:, :-1]) * fftconvolve(exact, right, "same")[:, :-1]
    result = exact.copy()
    result[:-1] -= crossing_up
    result[1:] += crossing_up
    result[:, :-1] -= crossing_right
    result[:, 1:] += crossing_right
    return result


@pytest.mark.parametrize("n", [2, 3, 8])
def test_quadrants_are_laid_out_by_the_distance_of_the_sides(n) -> None:
    for ours, expected in zip(shifts_of(*matrices(n)), laid_out(*matrices(n)), strict=True):
        assert np.array_equal(ours, expected)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_charge_crosses_sides_as_the_formula_says(n) -> None:
    image = sky()
    correct_electrostatic(image, shifts_of(*matrices(n)))
    # the last place of 60000 in float32 is 0.004
    np.testing.assert_allclose(image, slowly(sky(), *matrices(n)), rtol=1e-7, atol=4e-3)


def test_the_number_of_threads_does_not_matter() -> None:
    found = []
    for n_threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(n_threads)
        image = sky()
        correct_electrostatic(image, shifts_of(*matrices(5)))
        found.append(image)
    assert np.array_equal(*found)


def test_matrices_of_zeros_change_nothing() -> None:
    image = sky()
    correct_electrostatic(image, shifts_of(*np.zeros((4, 3, 3))))
    assert np.array_equal(image, sky())


def test_what_is_not_a_number_stays_so_and_counts_as_no_charge() -> None:
    image, dark = sky((40, 40)), sky((40, 40))
    image[10, 30], dark[10, 30] = np.nan, 0
    for each in (image, dark):
        correct_electrostatic(each, shifts_of(*matrices(3)))
    assert np.argwhere(np.isnan(image)).tolist() == [[10, 30]]
    image[10, 30] = dark[10, 30]
    assert np.array_equal(image, dark)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(5, 20), st.integers(5, 20)),
    n=st.integers(2, 3),
    seed=st.integers(0, 1000),
)
def test_no_charge_is_lost(shape, n, seed) -> None:
    image = np.random.default_rng(seed).uniform(0, 1e4, shape).astype(np.float32)
    before = image.sum(dtype=np.float64)
    correct_electrostatic(image, shifts_of(*matrices(n, seed)))
    assert image.sum(dtype=np.float64) == pytest.approx(before, abs=image.size * 1e-3)  # last places of 1e4


@settings(deadline=None, max_examples=25)
@given(n=st.integers(4, 6), seed=st.integers(0, 1000))
def test_a_mirrored_detector_is_corrected_as_its_mirror_image(n, seed) -> None:
    shifts, image, found = shifts_of(*even_handed(n, seed)), sky((30, 33), seed), []
    for axis in (0, 1):
        turned = np.flip(image, axis).copy()
        correct_electrostatic(turned, shifts)
        found.append(np.flip(turned, axis))
    correct_electrostatic(image, shifts)
    assert not np.array_equal(image, sky((30, 33), seed))
    for each in found:
        np.testing.assert_allclose(each, image, rtol=3e-7)  # sums in another order


def even_handed(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Matrices of a detector in which charge above a side moves it as charge below does, the other way."""
    south = np.random.default_rng(seed).normal(0, 1e-7, (n, n))
    south[:, 0] = -south[:, 1]  # the pixels on either side of it
    south[:, -1] = 0  # nothing reaches as far as the outermost sides, which the layout joins
    north = np.zeros((n, n))
    north[:, 1:-1] = -south[:, 2:]
    return north, south, north.T, south.T
