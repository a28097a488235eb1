"""Non-linearity corrections; the spline numbers come from an independent implementation."""

import numpy as np
import pytest

from isrflow.kernels.linearity import (
    akima_pieces,
    correct_by_table,
    correct_double_spline,
    correct_polynomial,
    correct_spline,
    correct_squared,
)

NODES, VALUES = np.array([0, 1000, 3000, 6000, 10000.0]), np.array([0, 5, -8, 20, 60.0])


def test_squared_and_polynomial_of_second_order_are_the_same() -> None:
    squared, polynomial = (np.array([[0, 100, 1000, 50000]], np.float32) for _ in range(2))
    assert correct_squared(squared, 2e-7)
    assert correct_polynomial(polynomial, [2e-7])
    np.testing.assert_allclose(squared, [[0, 100.002, 1000.2, 50500]], rtol=1e-6)
    np.testing.assert_allclose(squared, polynomial, rtol=1e-6)


def test_a_cubic_term_starts_with_the_third_power() -> None:
    image = np.array([[100.0]], np.float32)
    correct_polynomial(image, [0.0, 1e-5])
    assert image[0, 0] == pytest.approx(110, rel=1e-6)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (1.0, [-5, 496.17644817, 2508.3345945, 8950.1925505, 19940.001033]),
        (1.5, [-5, 495.68462060, 2499.3650184, 8970.0, 19910.001033]),
    ],
)
def test_a_spline_is_subtracted_and_held_beyond_its_last_node(scale, expected) -> None:
    image = np.array([[-5, 500, 2500, 9000, 20000]], np.float32)
    assert correct_spline(image, NODES, VALUES, scale=scale)
    np.testing.assert_allclose(image[0], expected, rtol=2e-7)


def test_a_spline_that_does_not_begin_with_zero_is_shifted_and_anchored() -> None:
    plain, shifted = (np.linspace(0, 9000, 50, dtype=np.float32)[None].copy() for _ in range(2))
    correct_spline(plain, NODES, VALUES)
    correct_spline(shifted, NODES, VALUES + 7)
    assert np.array_equal(plain, shifted)
    late = np.array([[0.0]], np.float32)
    correct_spline(late, NODES + 100, VALUES)
    assert late[0, 0] == 0


def test_nan_pixels_stay_nan_and_do_not_disturb_others() -> None:
    image = np.array([[np.nan, 500.0, np.nan, 2500.0]], np.float32)
    correct_spline(image, NODES, VALUES)
    np.testing.assert_allclose(image, [[np.nan, 496.17644817, np.nan, 2508.3345945]], rtol=2e-7)


def test_a_double_spline_evaluates_its_second_on_what_the_first_left() -> None:
    image = np.array([[500.0]], np.float32)
    both = np.array([[500.0]], np.float32)
    correct_spline(image, NODES, VALUES)
    correct_spline(image, NODES, VALUES)
    assert correct_double_spline(both, [5, 5, *NODES, *VALUES, *NODES, *VALUES, 0, 0])
    assert both[0, 0] == image[0, 0]


def test_tables_are_indexed_by_truncation_and_count_what_lies_outside() -> None:
    table = np.array([10, 20, 30], np.float32)
    image = np.array([[-3, -0.5, 0, 1.9, 2.9, 3, np.nan]], np.float32)
    assert correct_by_table(image, table, 0.0) == 3
    np.testing.assert_array_equal(image, np.array([[7, 9.5, 10, 21.9, 32.9, 33, np.nan]], np.float32))


@pytest.mark.parametrize("coefficients", [[0.0, 0.0], [np.nan, np.nan]])
def test_corrections_without_coefficients_say_that_they_did_nothing(coefficients) -> None:
    image = np.ones((2, 2), np.float32)
    assert not correct_polynomial(image, coefficients)
    assert not correct_squared(image, coefficients[0])
    assert np.all(image == 1)


def test_a_spline_that_is_not_finite_blanks_the_image() -> None:
    image = np.ones((2, 2), np.float32)
    assert not correct_spline(image, NODES, np.full(5, np.nan))
    assert np.isnan(image).all()


def test_akima_splines_are_those_of_scipy() -> None:
    from scipy.interpolate import Akima1DInterpolator

    rng = np.random.default_rng(2)
    for n in range(2, 30):
        x, y = np.cumsum(rng.uniform(0.1, 1000, n)), np.round(rng.normal(0, 2, n))  # rounding makes equal slopes
        np.testing.assert_array_equal(akima_pieces(x, y), Akima1DInterpolator(x, y).c[::-1].T)


def test_spline_nodes_must_increase() -> None:
    with pytest.raises(ValueError, match=r"nodes must increase, got \[0.0, 2.0, 2.0\]"):
        akima_pieces(np.array([0.0, 2.0, 2.0]), np.zeros(3))
