"""Statistics against numpy, hand-made numbers and the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isrflow.kernels import statistics
from isrflow.kernels.quantiles import quantile
from isrflow.kernels.select import WORTHWHILE
from isrflow.kernels.statistics import IQR_TO_SIGMA, clip, describe, mean, median, usable
from isrflow.kernels.threads import map_in_threads

SAMPLES = arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e4, 1e4, width=32))


@given(SAMPLES)
def test_unclipped_statistics_are_those_of_numpy(values) -> None:
    wide = values.astype(np.float64)
    found = describe(values)
    # double precision about a centre: a few last places of the largest value
    np.testing.assert_allclose(found.mean, wide.mean(), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(
        (found.q25, found.median, found.q75), np.percentile(wide, (25, 50, 75)), rtol=1e-12, atol=1e-11
    )
    if values.size > 1:
        np.testing.assert_allclose(found.variance, wide.var(ddof=1), rtol=1e-9, atol=1e-9)


@given(SAMPLES)
def test_the_order_of_values_does_not_matter(values) -> None:
    forward, backward = describe(values), describe(values[::-1])
    np.testing.assert_allclose(backward.clipped.mean, forward.clipped.mean, rtol=1e-12, atol=1e-9, equal_nan=True)
    assert backward.median == forward.median
    assert backward.clipped.n == forward.clipped.n


def test_one_pass_keeps_what_lies_within_the_quartile_width() -> None:
    # quartiles of 1..8 are 2.75, 4.5, 6.25: the width is 1.0 * 0.7413 * 3.5 = 2.59, so 2..7 stay
    found = clip(np.arange(1.0, 9.0), n_sigma=1.0, n_iterations=1)
    assert found.n == 6
    assert found.mean == pytest.approx(4.5, rel=1e-15)
    assert found.variance == pytest.approx(np.arange(2.0, 8.0).var(ddof=1), rel=1e-14)


def test_later_passes_clip_about_the_mean_of_the_pass_before() -> None:
    values = np.concatenate([np.arange(1.0, 9.0), [12.0]])
    low, middle, high = np.percentile(values, (25, 50, 75))
    kept = values[np.abs(values - middle) <= 1.5 * IQR_TO_SIGMA * (high - low)]
    kept = values[np.abs(values - kept.mean()) <= 1.5 * kept.std(ddof=1)]
    found = clip(values, n_sigma=1.5, n_iterations=2)
    assert (found.n, found.mean) == (kept.size, pytest.approx(kept.mean(), rel=1e-14))
    assert found.stdev == pytest.approx(kept.std(ddof=1), rel=1e-13)


def test_excluded_and_nonfinite_values_take_no_part() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.inf, 100.0, 5.0]], np.float32)
    exclude = values == 100
    found = describe(values, exclude=exclude)
    assert (found.n, found.n_rejected, found.mean, found.median) == (3, 3, 3.0, 3.0)
    assert (mean(values, exclude=exclude), median(values, exclude=exclude)) == (3.0, 3.0)
    assert usable(values, exclude).tolist() == [1.0, 3.0, 5.0]


def test_infinities_of_both_signs_are_left_out_quietly() -> None:
    assert mean(np.array([np.inf, -np.inf, 2.0], np.float32)) == 2.0


@pytest.mark.parametrize("values", [np.array([np.nan]), np.array([np.inf, np.nan], np.float32)])
def test_nothing_usable_gives_nan(values) -> None:
    found = describe(values)
    assert found.n == 0
    numbers = (found.mean, found.variance, found.median, found.clipped.mean, found.stdev, found.mean_square)
    assert all(math.isnan(number) for number in (*numbers, mean(values), median(values), clip(values).stdev))


def test_one_value_has_a_mean_but_no_variance() -> None:
    found = describe(np.array([7.0]))
    assert (found.mean, found.median, found.iqr, found.clipped.mean) == (7.0, 7.0, 0.0, 7.0)
    assert math.isnan(found.variance)
    assert math.isnan(found.clipped.stdev)


def test_a_pass_that_keeps_one_of_several_values_ends_in_nan() -> None:
    found = clip(np.array([0.0, 1.0, 5.0]), n_sigma=0.1)  # only the median lies within a tenth of a deviation
    assert math.isnan(found.mean)
    assert math.isnan(found.variance)


def test_equal_values_have_no_deviation() -> None:
    found = describe(np.full(1000, 0.1, np.float32))
    assert found.clipped.stdev == 0.0
    assert found.variance == 0.0


def test_the_median_of_integers_spreads_ties() -> None:
    assert median(np.array([1, 1, 2, 2, 2])) == pytest.approx(2 - 0.5 + (2.5 - 2) / 3, rel=1e-15)
    assert median(np.array([1.0, 1.0, 2.0, 2.0, 2.0])) == 2.0
    assert median(np.array([4], np.uint16)) == 4.0


@given(arrays(np.int32, st.integers(1, 50), elements=st.integers(-5, 5)))
def test_the_median_of_integers_is_within_half_a_unit_of_the_middle_value(values) -> None:
    middle = np.sort(values)[(values.size - 1) // 2]
    assert middle - 0.5 <= median(values) <= middle + 0.5


def test_errors_follow_their_formulas() -> None:
    found = describe(np.arange(10.0))
    variance = np.arange(10.0).var(ddof=1)
    assert found.mean_error == pytest.approx(math.sqrt(variance / 10), rel=1e-14)
    assert found.median_error == pytest.approx(math.sqrt(math.pi / 2 * variance / 10), rel=1e-14)
    m, vc = found.clipped.n, found.clipped.variance
    assert found.clipped.stdev_error == pytest.approx(0.5 * math.sqrt(2 * (m - 1) * vc**2 / m**2) / math.sqrt(vc))


def test_large_samples_agree_with_numpy() -> None:
    values = np.random.default_rng(3).normal(1000, 30, (70, 511)).astype(np.float32)
    found = describe(values[:, 3:])  # a view
    wide = values[:, 3:].astype(np.float64)
    assert found.mean == pytest.approx(wide.mean(), rel=1e-13)
    assert found.variance == pytest.approx(wide.var(ddof=1), rel=1e-12)
    assert found.median == np.median(wide)


def test_inputs_are_left_alone() -> None:
    values = np.array([3.0, 1.0, 2.0], np.float32)
    describe(values)
    median(values)
    median(integers := np.array([3, 1, 2]))
    assert values.tolist() == [3.0, 1.0, 2.0]
    assert integers.tolist() == [3, 1, 2]


def test_an_array_without_elements_is_refused() -> None:
    with pytest.raises(ValueError, match="without elements"):
        mean(np.zeros((0, 5)))


def test_an_exclusion_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"exclude has shape \(2,\), values have \(3,\)"):
        mean(np.zeros(3), exclude=np.zeros(2, bool))


@given(SAMPLES, st.floats(0, 1))
def test_any_quantile_is_that_of_numpy(values, fraction) -> None:
    expected = np.quantile(values.astype(np.float64), fraction)
    np.testing.assert_allclose(quantile(values.copy(), fraction), expected, rtol=1e-12, atol=1e-9)


def test_a_large_sample_measured_among_other_threads_gives_the_same_to_the_last_bit(monkeypatch) -> None:
    values = np.random.default_rng(5).normal(100, 7, WORTHWHILE + 5).astype(np.float32)
    alone = describe(values)
    both = map_in_threads(lambda _: describe(values), [0, 1])
    monkeypatch.setattr(statistics, "has_all_cores", lambda: False)
    assert [describe(values), *both] == [alone] * 3
