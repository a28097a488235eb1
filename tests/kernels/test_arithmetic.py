"""Picture arithmetic against numbers worked out by hand, and its rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.arithmetic import (
    add_scaled,
    build_photon_variance,
    divide_by,
    divide_scaled,
    multiply_by,
    multiply_scaled,
)

F = np.float32


def picture(image, variance, mask=0):
    return np.full((2, 3), image, F), np.full((2, 3), mask, np.int32), np.full((2, 3), variance, F)


def values(planes) -> tuple:
    assert all(np.all(plane == plane[0, 0]) for plane in planes)
    return tuple(plane[0, 0].item() for plane in planes)


def test_subtracting_a_scaled_dark_adds_its_scaled_variance_and_mask() -> None:
    target = picture(100, 5, mask=1)
    add_scaled(target, picture(20, 4, mask=2), -0.5)
    assert values(target) == (90, 3, 6)


def test_dividing_by_a_flat_propagates_the_variance_of_a_quotient() -> None:
    target = picture(10, 10)
    divide_scaled(target, picture(2, F(0.1)), 1.0)
    assert values(target) == (5, 0, pytest.approx(3.125, rel=1e-7))


def test_multiplying_back_restores_the_image_but_not_the_variance() -> None:
    target = picture(10, 10)
    divide_scaled(target, picture(2, F(0.1)), 0.5)
    multiply_scaled(target, picture(2, F(0.1)), 0.5)
    image, _, variance = values(target)
    assert image == 10
    # quotient: (10^2 0.1 + 2^2 10) / (0.25 16) = 12.5, then 0.25 (10^2 0.1 + 2^2 12.5) = 15
    assert variance == pytest.approx(15, rel=1e-6)


def test_dividing_by_zero_gives_infinity_without_a_warning() -> None:
    target = picture(10, 10)
    divide_scaled(target, picture(0, 0), 1.0)
    assert target[0][0, 0] == np.inf
    divide_by(target[1].astype(F), None, 0.0)


def test_division_by_a_number_is_a_product_with_its_float32_reciprocal() -> None:
    image, variance = np.array([[3, 7, 11]], F), np.array([[3, 7, 11]], F)
    expected = image * (F(1) / F(1.7)), variance * (F(1) / (F(1.7) * F(1.7)))
    divide_by(image, variance, 1.7)
    assert np.array_equal(image, expected[0])
    assert np.array_equal(variance, expected[1])
    assert image[0, 2] != F(11) / F(1.7)


def test_gains_multiply_the_variance_by_their_square() -> None:
    image, _, variance = picture(10, 3)
    multiply_by(image, variance, 2.0)
    assert (image[0, 0], variance[0, 0]) == (20, 12)


@pytest.mark.parametrize(("replace", "expected"), [(True, 54), (False, 58)])
def test_photon_variance_in_adu(replace, expected) -> None:
    image, _, variance = picture(100, 8)
    build_photon_variance(image, variance, gain=2.0, read_noise_electron=4.0, replace=replace)
    assert variance[0, 0] == expected


def test_planes_of_different_shape_are_refused() -> None:
    other = tuple(plane[:1] for plane in picture(1, 1))
    with pytest.raises(ValueError, match=r"one shape.*\(1, 3\), \(2, 3\)"):
        add_scaled(picture(1, 1), other, 1.0)


def test_a_box_of_a_picture_is_changed_and_the_rest_is_not() -> None:
    target = tuple(np.ones((5, 7), dtype) for dtype in (F, np.int32, F))
    box = np.s_[1:4, 2:6]
    add_scaled(tuple(plane[box] for plane in target), tuple(plane[box].copy() for plane in target), 1.0)
    changed = np.zeros((5, 7), bool)
    changed[box] = True
    assert np.array_equal(target[0] == 2, changed)
    assert np.array_equal(target[2] == 2, changed)


@given(st.floats(-10, 10), st.floats(0.5, 20))
def test_adding_back_what_was_subtracted_restores_the_image(factor, level) -> None:
    target = picture(1000, 1)
    add_scaled(target, picture(level, 1), -factor)
    add_scaled(target, picture(level, 1), factor)
    assert target[0][0, 0] == pytest.approx(1000, rel=3e-7)
