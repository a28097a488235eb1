"""Overscans, gains and linearizers as nobody means them, but somebody has them."""

import numpy as np
import pytest
from pydantic import ValidationError

from isrflow.calibs.linearizer import Linearizer
from isrflow.errors import CalibrationMismatch
from isrflow.frame.camera import load_camera
from isrflow.frame.exposure import Exposure
from isrflow.frame.matching import match_size
from isrflow.kernels.linearity import correct_by_table, correct_double_spline
from isrflow.kernels.masks import widen_trails
from isrflow.kernels.overscan import OverscanRules, correct_overscan
from isrflow.kernels.overscan_fit import fit_lines
from isrflow.steps.gains import multiply_amplifiers
from isrflow.steps.linearity import LinearityConfig, linearize
from isrflow.steps.overscan import OverscanConfig

TINY = load_camera("tiny").detector("A")
LEFT, RIGHT = (amp.box.slices() for amp in TINY.amplifiers)
KINDS = ("MEAN_PER_ROW", "MEDIAN_PER_ROW", "POLY", "CHEB", "LEG", "NATURAL_SPLINE", "CUBIC_SPLINE", "AKIMA_SPLINE")


def corrected(overscan: np.ndarray, **rules) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((overscan.shape[0], 3), 1100, np.float32)
    pixels = overscan.astype(np.float32)
    fit = correct_overscan(image, pixels, np.zeros(pixels.shape, np.int32), OverscanRules(as_integers=False, **rules))
    return image, np.broadcast_to(fit.model, overscan.shape[:1])


@pytest.mark.parametrize("kind", ["POLY", "CHEB", "LEG"])
def test_an_order_larger_than_the_number_of_lines_passes_through_every_line(kind) -> None:
    levels = np.array([1000, 1003, 998, 1001, 1000.0])
    _, model = corrected(np.tile(levels[:, None], (1, 4)), kind=kind, order=30)
    assert model == pytest.approx(levels, rel=1e-12)


@pytest.mark.parametrize("kind", ["NATURAL_SPLINE", "CUBIC_SPLINE", "AKIMA_SPLINE"])
def test_a_spline_of_more_bins_than_lines_passes_through_every_line(kind) -> None:
    levels = np.array([1000, 1003, 998, 1001, 1000, 1002.0])
    _, model = corrected(np.tile(levels[:, None], (1, 4)), kind=kind, order=50)
    assert model == pytest.approx(levels, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [1, 3, 9])
def test_a_single_line_or_a_single_pixel_is_its_own_level(kind, order) -> None:
    image, model = corrected(np.array([[1000.0, 1000.0, 1000.0]]), kind=kind, order=order)
    assert image == pytest.approx(np.full((1, 3), 100.0))
    assert model == pytest.approx([1000.0])
    image, _ = corrected(np.array([[1000.0]]), kind=kind, order=order)
    assert image == pytest.approx(np.full((1, 3), 100.0))


def test_a_spline_without_bins_is_refused_where_it_is_set() -> None:
    with pytest.raises(ValidationError, match="order is the number of bins of a AKIMA_SPLINE: 0 is not one"):
        OverscanConfig(fit_type="AKIMA_SPLINE", order=0)
    assert OverscanConfig(fit_type="POLY", order=0).order == 0
    with pytest.raises(ValueError, match="order is the number of bins"):
        fit_lines(np.ones((4, 4)), np.zeros((4, 4), bool), "CUBIC_SPLINE", order=0, as_integers=False)


def test_a_table_is_entered_from_its_ends_by_what_lies_outside() -> None:
    table = np.array([10, 20, 30], np.float32)
    image = np.array([[-5.0, -0.5, 0.0, 2.9, 3.0, 1e6, np.inf, -np.inf, np.nan]], np.float32)
    assert correct_by_table(image, table, 0.0) == 6
    np.testing.assert_array_equal(
        image, np.array([[5, 9.5, 10, 32.9, 33, 1e6 + 30, np.inf, -np.inf, np.nan]], np.float32)
    )


def test_a_double_spline_whose_counts_are_not_known_gives_no_numbers() -> None:
    image = np.ones((2, 2), np.float32)
    assert not correct_double_spline(image, np.full(6, np.nan))
    assert np.isnan(image).all()


def test_an_amplifier_beyond_its_table_is_told_and_not_counted(caplog) -> None:
    planes = np.full(TINY.box.shape, 1e5, np.float32), np.zeros(TINY.box.shape, np.int32), np.ones(TINY.box.shape)
    exposure = Exposure(*planes, detector=TINY)
    calib = Linearizer(
        linearity_type=dict.fromkeys("LR", "LookupTable"),
        coefficients=dict.fromkeys("LR", np.array([0.0, 0.0])),
        table=np.zeros((1, 100), np.float32),
    )
    found = linearize(exposure, LinearityConfig(), linearizer=calib)
    assert (found.n_corrected, found.n_outside_table) == (0, exposure.image.size)
    assert "amplifier L was not linearized (LookupTable)" in caplog.text


def test_normalizing_by_hand_three_amplifiers_of_different_levels() -> None:
    exposure = _two_amplifiers(10.0, 40.0)
    multiply_amplifiers(exposure, {"L": 2.0, "R": 1.0}, normalize=True)
    # medians 20 and 40, their median 30: factors 1.5 and 0.75, squared in the variance
    assert np.all(exposure.image == 30)
    assert np.all(exposure.variance[LEFT] == 4 * 1.5**2)
    assert np.all(exposure.variance[RIGHT] == 0.75**2)


def test_normalizing_uses_the_pixels_that_are_numbers_masked_or_not() -> None:
    exposure = _two_amplifiers(10.0, 40.0)
    exposure.image[3, 3] = np.nan
    exposure.image[4, :20] = 1e9
    exposure.mask[LEFT] = 1
    multiply_amplifiers(exposure, {"L": 2.0, "R": 1.0}, normalize=True)
    assert np.all(exposure.image[5:] == 30)
    assert np.isnan(exposure.image[3, 3])


def test_an_amplifier_of_median_zero_or_without_numbers_is_not_normalized() -> None:
    dark = _two_amplifiers(0.0, 40.0)
    dark.image[0, 0] = 7
    multiply_amplifiers(dark, {"L": 2.0, "R": 1.0}, normalize=True)
    assert dark.image[0, 0] == 14
    assert np.all(dark.image[RIGHT] == 20)  # half of 0 and 40
    blank = _two_amplifiers(np.nan, 40.0)
    multiply_amplifiers(blank, {"L": 2.0, "R": 1.0}, normalize=True)
    assert np.all(blank.image[RIGHT] == 40)
    assert np.isnan(blank.image[LEFT]).all()


def _two_amplifiers(left: float, right: float) -> Exposure:
    image = np.full(TINY.box.shape, right, np.float32)
    image[LEFT] = left
    return Exposure(image, np.zeros(image.shape, np.int32), np.ones(image.shape, np.float32), detector=TINY)


def test_a_calibration_is_laid_over_only_if_its_margins_are_even() -> None:
    exposure = _two_amplifiers(1.0, 1.0)
    ny, nx = exposure.image.shape
    inner = match_size(exposure, Exposure(np.ones((ny - 4, nx - 4))), "flat", trim_to_fit=True)
    assert inner.box.shape == (ny - 4, nx - 4)
    assert np.count_nonzero(exposure.mask) == ny * nx - (ny - 4) * (nx - 4)
    for shape, why in (
        ((ny - 4, nx - 2), "different margins"),
        ((ny - 3, nx - 3), "the margin is uneven"),
        ((ny + 2, nx + 2), "the flat is larger"),
    ):
        with pytest.raises(CalibrationMismatch, match=why):
            match_size(_two_amplifiers(1.0, 1.0), Exposure(np.ones(shape)), "flat", trim_to_fit=True)


@pytest.mark.parametrize(("length", "more"), [(5, 0), (6, 1), (7, 1), (8, 3), (9, 3), (10, 4), (25, 4)])
def test_trails_widen_by_their_length_up_to_the_edges(length, more) -> None:
    mask = np.zeros((2, 40), np.int32)
    mask[0, 10 : 10 + length] = 2
    mask[1, :length] = 2
    widen_trails(mask, 2)
    assert np.flatnonzero(mask[0]).tolist() == list(range(10 - more, 10 + length + more))
    assert np.flatnonzero(mask[1]).tolist() == list(range(length + more))
