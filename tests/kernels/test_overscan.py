"""Overscan models and rejection, on overscans made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.kernels.overscan import OverscanRules, correct_overscan
from isrflow.kernels.overscan_fit import exclude_outliers, fill_empty_lines, fit_lines, line_means, line_medians

VECTOR_KINDS = [
    "MEAN_PER_ROW",
    "MEDIAN_PER_ROW",
    "POLY",
    "CHEB",
    "LEG",
    "NATURAL_SPLINE",
    "CUBIC_SPLINE",
    "AKIMA_SPLINE",
]


def correct(overscan, image=None, mask=None, used=slice(None), **rules):
    overscan = np.asarray(overscan, np.float32)
    image = np.zeros((len(overscan), 3), np.float32) if image is None else image
    mask = np.zeros(overscan.shape, np.int32) if mask is None else mask
    fit = correct_overscan(image, overscan, mask, OverscanRules(**rules), used)
    return fit, image, overscan, mask


def ramp(n_lines: int = 12, width: int = 6) -> np.ndarray:
    return (100 + np.arange(n_lines)[:, np.newaxis] + np.tile([-1, 1], width // 2)).astype(np.float32)


@pytest.mark.parametrize(("kind", "level"), [("MEAN", 15.0), ("MEDIAN", 12.5), ("MEANCLIP", 15.0)])
def test_constants_are_subtracted_from_image_and_overscan(kind, level) -> None:
    image = np.full((2, 3), 100, np.float32)
    fit, image, overscan, _ = correct([[10, 11], [14, 25]], image, kind=kind)
    assert (fit.model, fit.mean, fit.median, fit.sigma) == (level, level, level, 0.0)
    assert (image == 100 - level).all()
    assert overscan.tolist() == [[10 - level, 11 - level], [14 - level, 25 - level]]
    assert fit.residual_mean == pytest.approx(15.0 - level)


@pytest.mark.parametrize("kind", VECTOR_KINDS)
def test_every_model_follows_a_straight_ramp(kind) -> None:
    image = ramp()[:, :3].copy()
    fit, image, _, _ = correct(ramp(), image, kind=kind, order=6 if "SPLINE" in kind else 1, as_integers=False)
    np.testing.assert_allclose(fit.model, 100 + np.arange(12), rtol=1e-12)
    np.testing.assert_allclose(image, np.tile([-1, 1, -1], (12, 1)), atol=1e-4)
    assert fit.residual_mean == pytest.approx(0, abs=1e-5)
    assert fit.sigma == pytest.approx(np.arange(12).std(ddof=1), rel=1e-6)


@pytest.mark.parametrize("kind", VECTOR_KINDS)
def test_a_constant_added_to_the_overscan_is_added_to_the_model(kind) -> None:
    rng = np.random.default_rng(1)
    overscan = rng.integers(90, 110, (20, 8)).astype(np.float32)
    options = {"kind": kind, "order": 5, "as_integers": True}
    one, *_ = correct(overscan.copy(), **options)
    two, *_ = correct(overscan + 64, **options)
    # sums of float32 round; the numbers here are small integers, so hardly
    np.testing.assert_allclose(two.model, np.asarray(one.model) + 64, rtol=1e-6)


def test_the_polynomial_lives_on_points_that_stop_short_of_one() -> None:
    at = np.array([-1, -0.5, 0, 0.5])
    profile = 3 + 2 * at - 4 * at**2
    overscan = np.repeat(profile[:, np.newaxis], 2, axis=1).astype(np.float32)
    for kind in ("POLY", "CHEB", "LEG"):
        model = fit_lines(overscan, np.zeros(overscan.shape, bool), kind, order=2, as_integers=False)
        np.testing.assert_allclose(model, profile, atol=1e-12)


def test_a_spline_of_few_bins_is_a_constant() -> None:
    fit, *_ = correct(ramp(), kind="AKIMA_SPLINE", order=4)
    assert np.unique(fit.model).tolist() == [101.0]  # the mean of the first bin: lines 0, 1 and 2


def test_the_median_of_truncated_pixels_spreads_ties() -> None:
    fit, *_ = correct([[1.2, 1.9, 2.0, 2.1, 2.9]], kind="MEDIAN_PER_ROW", n_sigma=99.0)
    assert fit.model == pytest.approx(2 - 0.5 + (2.5 - 2) / 3)
    fit, *_ = correct([[1.2, 1.9, 2.0, 2.1, 2.9]], kind="MEDIAN_PER_ROW", as_integers=False)
    assert fit.model == pytest.approx(2.0)


def test_pixels_not_used_are_corrected_but_not_fitted() -> None:
    fit, _, overscan, _ = correct([[500, 10, 10, 90], [500, 20, 20, 90]], used=slice(1, 3), kind="MEAN_PER_ROW")
    assert fit.model.tolist() == [10, 20]
    assert overscan.tolist() == [[490, 0, 0, 80], [480, 0, 0, 70]]
    assert fit.residual_mean == pytest.approx((490 + 80 + 480 + 70) / 8)


def test_pixels_far_from_the_median_become_bad_and_are_left_out() -> None:
    fit, _, _, mask = correct([[10, 11, 5000], [12, 13, -5000]], kind="MEAN")
    assert fit.model == 11.5
    assert mask.tolist() == [[0, 0, 1], [0, 0, 1]]
    fit, _, _, mask = correct([[10, 11, 5000], [12, 13, -988]], kind="MEAN", two_sided=False)
    assert mask.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert fit.model == (10 + 11 + 12 + 13 - 988) / 5


def test_a_line_rejected_as_a_whole_is_widened_and_named() -> None:
    overscan = np.full((7, 4), 100.0)
    overscan[3] = 9000
    fit, _, _, mask = correct(overscan, used=slice(1, 4), kind="MEAN", grow_bad_lines=1)
    assert fit.bad_lines.tolist() == [3]
    assert (mask[2:5] == 1).all()  # all of the line, also the pixel that is not used
    assert not mask[[0, 1, 5, 6]].any()
    assert fit.model == 100.0


def test_lines_above_their_neighbours_are_rejected_when_smoothing() -> None:
    overscan = np.full((15, 4), 100.0)
    overscan[[1, 7]] += 6  # one near the end, where lines are not judged
    overscan[10] -= 6
    fit, *_ = correct(overscan, kind="MEDIAN", smoothing_kernel=3, smoothing_threshold=5.0)
    assert fit.bad_lines.tolist() == [7]


def test_masked_pixels_take_no_part() -> None:
    mask = np.array([[2, 0], [0, 0]], np.int32)
    fit, _, _, after = correct([[900, 10], [20, 30]], mask=mask, kind="MEAN")
    assert fit.model == 20.0
    assert after.tolist() == [[2, 0], [0, 0]]
    fit, *_ = correct([[900, 10], [20, 30]], mask=mask, kind="MEAN", reject_bits=1)
    assert fit.model == 240.0


def test_pixels_that_are_not_finite_change_nothing_else() -> None:
    clean, *_ = correct([[10, 10, 12, 12, 9000], [20, 20, 22, 22, 22]], kind="MEAN_PER_ROW")
    holed, *_ = correct([[10, 10, 12, 12, 9000, np.nan], [20, 20, 22, 22, 22, np.inf]], kind="MEAN_PER_ROW")
    assert holed.model.tolist() == clean.model.tolist()


def test_nothing_is_subtracted_when_all_is_masked() -> None:
    image = np.full((2, 3), 5, np.float32)
    fit, image, _, _ = correct([[1, 2], [3, 4]], image, mask=np.ones((2, 2), np.int32))
    assert (fit.model, fit.mean, fit.sigma) == (0.0, 0.0, 0.0)
    assert fit.skipped == "all overscan pixels are masked"
    assert (image == 5).all()
    assert np.isnan(fit.residual_mean)


@pytest.mark.parametrize(("level", "skipped"), [(20000, True), (9000, False)])
def test_nothing_is_subtracted_from_a_bright_image_with_a_flooded_overscan(level, skipped) -> None:
    image = np.full((2, 3), level, np.float32)
    fit, *_ = correct(np.full((2, 2), 0.6 * level), image, flood_fraction=0.5, flood_level=10000)
    assert bool(fit.skipped) is skipped
    assert fit.model == pytest.approx(0.0 if skipped else 0.6 * level)


def test_noisy_lines_are_clipped_by_the_noise_of_the_others() -> None:
    pixels = np.tile([-1.0, 0.0, 0.0, 1.0], (5, 2)).astype(np.float32)
    pixels[2] = [-9, -9, 0, 0, 0, 0, 9, 9]
    found = exclude_outliers(pixels, np.zeros(pixels.shape, bool), 3.0)
    assert found[2].tolist() == [True, True, False, False, False, False, True, True]
    assert not found[[0, 1, 3, 4]].any()


def test_empty_lines_are_filled_from_five_neighbours_on_either_side() -> None:
    values = np.arange(20.0)
    values[[3, 4, 18, 19]] = np.nan
    filled = fill_empty_lines(values)
    assert filled[3] == filled[4] == np.median([5, 6, 7, 8, 9])  # starts too early for values before
    assert filled[18] == filled[19] == np.median([13, 14, 15, 16, 17])  # ends too late for values after
    values = np.arange(20.0)
    values[10] = np.nan
    assert fill_empty_lines(values)[10] == np.median([5, 6, 7, 8, 9, 11, 12, 13, 14, 15])


def test_empty_lines_are_not_filled_from_later_empty_lines() -> None:
    values = np.full(20, 7.0)
    values[[0, 1, 3, 5, 6]] = np.nan
    assert (fill_empty_lines(values) == 7.0).all()
    few = np.array([np.nan, 3.0, np.nan])
    assert fill_empty_lines(few).tolist() == [3.0, 3.0, 3.0]


@given(arrays(np.float32, (6, 7), elements=st.floats(-100, 100, width=32)), arrays(np.bool_, (6, 7)))
def test_statistics_of_lines_are_those_of_numpy(pixels, excluded) -> None:
    medians, means = line_medians(pixels, excluded), line_means(pixels, excluded)
    for line in range(6):
        used = pixels[line][~excluded[line]].astype(np.float64)
        expected = (np.median(used), used.mean()) if used.size else (np.nan, np.nan)
        np.testing.assert_allclose((medians[line], means[line]), expected, rtol=1e-12, atol=1e-12)


def test_image_and_overscan_must_have_the_same_lines() -> None:
    with pytest.raises(ValueError, match="image has 3 lines, overscan 2"):
        correct(np.zeros((2, 2)), np.zeros((3, 3), np.float32))
