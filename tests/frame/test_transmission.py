"""Transmission curves, with numbers interpolated by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from isrflow.errors import CalibrationError
from isrflow.frame.transmission import Factor, TransmissionCurve

GLASS = TransmissionCurve.constant([4000.0, 5000.0, 7000.0], [0.2, 0.6, 0.4], below=0.1)
LENS = TransmissionCurve.radial([4000.0, 6000.0], [0.0, 10.0, 20.0], [[1.0, 0.8, 0.4], [0.5, 0.5, 0.1]])


def test_throughput_is_linear_between_wavelengths_and_ends_where_it_is_told() -> None:
    at = [3999.0, 4000.0, 4250.0, 5000.0, 6500.0, 7000.0, 7000.5]
    np.testing.assert_allclose(
        GLASS.sample_at([1.0, 2.0], at), [0.1, 0.2, 0.3, 0.6, 0.45, 0.4, 0.0], rtol=1e-15, atol=1e-16
    )


def test_throughput_is_linear_between_radii_and_stays_beyond_them() -> None:
    at = [4000.0, 5000.0, 6000.0]
    points = [[0, 0], [3, 4], [0, -10], [9, 12], [300, 400]]
    expected = [[1.0, 0.75, 0.5], [0.9, 0.7, 0.5], [0.8, 0.65, 0.5], [0.6, 0.45, 0.3], [0.4, 0.25, 0.1]]
    np.testing.assert_allclose(LENS.sample_at(points, at), expected, rtol=1e-15)


@given(st.lists(st.tuples(*[st.floats(-14, 14)] * 2), min_size=1, max_size=5), st.floats(4000, 6000))
def test_radial_curves_agree_with_scipy(points, wavelength) -> None:
    (factor,) = LENS.factors
    scipy = RegularGridInterpolator((factor.wavelengths, factor.radii), factor.throughput)
    radii = np.minimum(np.hypot(*np.transpose(points)), 20.0)
    expected = scipy(np.stack([np.full(len(points), wavelength), radii], axis=1))
    np.testing.assert_allclose(LENS.sample_at(points, wavelength), expected, rtol=1e-12)


def test_a_single_radius_is_a_constant_curve() -> None:
    one = TransmissionCurve.radial([4000.0, 6000.0], [5.0], [[0.2], [0.4]])
    assert one.sample_at([[0, 0], [50, 0]], 5000.0).tolist() == pytest.approx([0.3, 0.3], rel=1e-15)


def test_shapes_of_samples_follow_those_of_places_and_wavelengths() -> None:
    assert GLASS.sample_at([0, 0], 5000.0).shape == ()
    assert GLASS.sample_at([0, 0], [5000.0, 6000.0]).shape == (2,)
    assert GLASS.sample_at(np.zeros((3, 4, 2)), [5000.0, 6000.0]).shape == (3, 4, 2)
    assert TransmissionCurve().sample_at([[0, 0]] * 3, [1.0, 2.0]).tolist() == [[1.0, 1.0]] * 3


def test_products_multiply_samples() -> None:
    product = GLASS * LENS * TransmissionCurve()
    at = [3500.0, 4500.0, 6500.0]
    expected = GLASS.sample_at([3, 4], at) * LENS.sample_at([3, 4], at)
    assert product.sample_at([3, 4], at).tolist() == expected.tolist()
    assert (GLASS * (LENS * GLASS)).sample_at([3, 4], at).tolist() == ((GLASS * LENS) * GLASS).sample_at(
        [3, 4], at
    ).tolist()


def test_bounds_of_a_product_are_where_nothing_changes_any_more() -> None:
    assert GLASS.wavelength_bounds == (4000.0, 7000.0)
    assert GLASS.throughput_at_bounds == (0.1, 0.0)
    narrow = TransmissionCurve.constant([4500.0, 5500.0], [0.5, 0.5])
    assert (GLASS * narrow).wavelength_bounds == (4500.0, 5500.0)  # dark beyond the narrow one
    grey = TransmissionCurve.constant([4500.0, 5500.0], [0.5, 0.5], below=0.5, above=0.5)
    assert (GLASS * grey).wavelength_bounds == (4000.0, 7000.0)
    assert (GLASS * grey).throughput_at_bounds == (0.05, 0.0)
    assert TransmissionCurve().wavelength_bounds == (-np.inf, np.inf)
    assert TransmissionCurve().throughput_at_bounds == (1.0, 1.0)


def test_a_curve_seen_from_pixels_is_asked_in_pixels() -> None:
    shift_and_scale = np.array([[0.1, 0.0, -5.0], [0.0, 0.1, 2.0]])  # pixel (50, -20) is on the axis
    seen = LENS.seen_from(shift_and_scale)
    assert seen.sample_at([50, -20], 4000.0) == 1.0
    assert seen.sample_at([150, -20], 4000.0) == pytest.approx(0.8, rel=1e-15)  # 10 mm away
    twice = seen.seen_from(np.array([[2.0, 0, 0], [0, 2.0, 0]]))
    assert twice.sample_at([75, -10], 4000.0) == pytest.approx(0.8, rel=1e-15)
    assert GLASS.seen_from(shift_and_scale) == GLASS


def test_curves_are_compared_and_shown_by_what_they_hold() -> None:
    same = TransmissionCurve.constant([4000.0, 5000.0, 7000.0], [0.2, 0.6, 0.4], below=0.1)
    assert same == GLASS
    assert TransmissionCurve.constant([4000.0, 5000.0, 7000.0], [0.2, 0.6, 0.4]) != GLASS
    assert GLASS != GLASS * LENS
    assert repr(GLASS * LENS) == "<TransmissionCurve 4000 to 6000 Angstrom: constant, radial>"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (([4000.0, 4000.0], [0.1, 0.2]), "wavelengths do not grow"),
        (([4000.0, 5000.0], [0.1]), r"throughput has shape \(1,\), not \(2,\)"),
        (([4000.0, np.nan], [0.1, 0.2]), "wavelengths has values that are not finite"),
        (([4000.0, 5000.0], [0.1, np.inf]), "throughput has values that are not finite"),
        (([], []), "throughput has shape"),
        (([4000.0, 5000.0], [[0.1, 0.2]] * 2, [1.0, 0.0]), "radii do not grow"),
        (([4000.0, 5000.0], [[0.1, 0.2]], [0.0, 1.0]), r"throughput has shape \(1, 2\), not \(2, 2\)"),
    ],
)
def test_what_is_no_curve_is_refused_with_reasons(arguments, why) -> None:
    with pytest.raises(CalibrationError, match=why):
        Factor(*(np.array(argument) for argument in arguments))
