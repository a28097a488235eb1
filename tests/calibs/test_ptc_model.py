"""What fitted photon transfer curves predict, against numbers computed elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.calibs.ptc import PhotonTransferCurve
from isrflow.errors import CalibrationError
from isrflow.kernels.ptc_model import covariances, variance_exponential

A = np.array([[-3e-6, 2e-7, 1e-7, 5e-8], [4e-7, 2e-7, 8e-8, 4e-8], [1e-7, 7e-8, 4e-8, 2e-8], [5e-8, 3e-8, 2e-8, 1e-8]])
NOISE = np.zeros((4, 4))
NOISE[0, 0] = 36.0


def test_the_exponential_approximation_gives_the_reference_s_numbers() -> None:
    found = variance_exponential([0, 1000, 20000, 60000], -2e-6, 1.5, 25.0)
    np.testing.assert_allclose(found, [11.1111111111, 675.78177178, 12575.507031, 33602.630437], rtol=1e-10)


def test_without_brighter_fatter_it_is_shot_noise_and_read_noise() -> None:
    np.testing.assert_allclose(variance_exponential([1500.0], 0.0, 1.5, 9.0), [1004.0])


def test_full_covariances_are_the_reference_s_numbers() -> None:
    found = covariances([1000.0, 30000.0], A, np.full((4, 4), 2e-6), NOISE, 1.5)
    assert found.shape == (2, 4, 4)
    expected = [
        [[679.67035432, 0.19969739487], [0.39877339735, 0.19959667377]],
        [[17425.314244, 171.04264308], [326.09665390, 168.54155046]],
    ]
    np.testing.assert_allclose(found[:, :2, :2], expected, rtol=1e-9)


def test_to_first_order_covariances_are_those_of_astier() -> None:
    # for small signals C_ij = a_ij mu^2 and C_00 = mu / g + a_00 mu^2 + n / g^2
    mu = 10.0
    found = covariances([mu], A, None, NOISE, 1.5)[0]
    expected = A * mu**2 + NOISE / 1.5**2
    expected[0, 0] += mu / 1.5
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-12)


def a_curve(fit_type: str, **more) -> PhotonTransferCurve:
    return PhotonTransferCurve(gain={"L": 1.5, "R": 1.6}, noise={"L": 5.0, "R": 6.0}, fit_type=fit_type, **more)


def test_a_curve_predicts_by_the_type_of_its_fit() -> None:
    parameters = {"L": np.array([1.0, 2.0, 3.0]), "R": np.array([4.0, 5.0, 6.0])}
    found = a_curve("POLYNOMIAL", fit_parameters=parameters).model([0.0, 2.0])
    np.testing.assert_allclose(found["L"], [1.0, 17.0])
    np.testing.assert_allclose(found["R"], [4.0, 38.0])


def test_what_was_not_fitted_cannot_be_predicted() -> None:
    with pytest.raises(CalibrationError, match="fit_type NOMINAL_PTC has no model; POLYNOMIAL"):
        a_curve("NOMINAL_PTC").model([1.0])
    with pytest.raises(CalibrationError, match="fit_parameters of amplifier L are 0, EXPAPPROXIMATION reads 3"):
        a_curve("EXPAPPROXIMATION").model([1.0])


def test_unusable_values_are_replaced_for_the_amplifiers_named() -> None:
    curve = PhotonTransferCurve(
        gain={"L": 0.0, "R": math.nan}, noise={"L": -1.0, "R": math.nan}, turnoff={"L": math.nan, "R": 5e4}
    )
    both = curve.with_usable_values()
    assert (both.gain, both.noise, both.turnoff) == (
        {"L": 1.0, "R": 1.0},
        {"L": 1.0, "R": 1.0},
        {"L": 2e19, "R": 5e4},
    )
    one = curve.with_usable_values("L")
    assert math.isnan(one.gain["R"])
    assert one.gain["L"] == 1.0
