"""Interpolation through knots, against scipy where it means the same, and by hand where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from isrflow.kernels.interp1d import FEWEST_KNOTS, interpolate

X = np.array([0.0, 1.0, 2.5, 3.0, 5.0, 6.0, 8.0])
Y = np.array([1.0, 3.0, -2.0, 0.5, 4.0, 4.5, 2.0])
INSIDE = np.linspace(0, 8, 33)


def test_constant_steps_at_the_middles_to_the_average_of_both_knots() -> None:
    found = interpolate([0, 2, 4], [1, 3, 7], [-1, 0.9, 1.0, 2.9, 3.0, 9], "CONSTANT")
    assert found.tolist() == [1, 1, 2, 2, 5, 5]


def test_linear_prolongs_its_end_segments() -> None:
    assert interpolate([0, 1, 3], [0, 2, 3], [-1, 0.5, 2, 5], "LINEAR").tolist() == [-2, 1, 2.5, 4]


@pytest.mark.parametrize("kind", ["NATURAL_SPLINE", "CUBIC_SPLINE"])
def test_cubic_splines_are_natural_and_go_on_straight(kind) -> None:
    expected = CubicSpline(X, Y, bc_type="natural")
    np.testing.assert_allclose(interpolate(X, Y, INSIDE, kind), expected(INSIDE), rtol=1e-13, atol=1e-13)
    beyond = interpolate(X, Y, [9, 10, 11], kind)
    np.testing.assert_allclose(beyond, Y[-1] + expected(X[-1], 1) * np.array([1, 2, 3]), rtol=1e-12)


def test_akima_is_that_of_scipy_inside() -> None:
    expected = Akima1DInterpolator(X, Y)(INSIDE)
    np.testing.assert_allclose(interpolate(X, Y, INSIDE, "AKIMA_SPLINE"), expected, rtol=1e-13, atol=1e-13)


def test_akima_goes_on_as_the_parabola_of_its_end() -> None:
    x = np.arange(6.0)
    y = 2 - x + 0.5 * x**2  # Akima's slopes are exact for a parabola, and so is its continuation
    at = np.array([-2.0, -0.5, 5.5, 8.0])
    np.testing.assert_allclose(interpolate(x, y, at, "AKIMA_SPLINE"), 2 - at + 0.5 * at**2, rtol=1e-12)


def test_akima_is_straight_where_the_weights_vanish_at_the_left_knot() -> None:
    x = np.arange(8.0)
    y = np.array([0, 0, 0, 0, 1, 2, 3, 4.0])  # both sides of knot 3 are straight
    found = interpolate(x, y, [2.5, 3.25, 3.5], "AKIMA_SPLINE")
    np.testing.assert_allclose(found, [0.0, 0.25, 0.5], atol=1e-15)


@given(st.sampled_from(sorted(FEWEST_KNOTS)))
def test_every_kind_but_constant_passes_through_its_knots(kind) -> None:
    if kind != "CONSTANT":
        np.testing.assert_allclose(interpolate(X, Y, X, kind), Y, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(FEWEST_KNOTS))
def test_too_few_knots_are_refused(kind) -> None:
    n = FEWEST_KNOTS[kind] - 1
    with pytest.raises(ValueError, match=f"{kind} needs at least {n + 1} knots, got {n}"):
        interpolate(X[:n], Y[:n], [0], kind)


def test_unknown_kinds_and_unordered_knots_are_refused() -> None:
    with pytest.raises(ValueError, match="no interpolation named 'QUINTIC'"):
        interpolate(X, Y, [0], "QUINTIC")
    with pytest.raises(ValueError, match="knots must increase"):
        interpolate([0, 0, 1], [1, 2, 3], [0], "LINEAR")
