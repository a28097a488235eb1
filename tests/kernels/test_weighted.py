"""Weighted moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.statistics import describe
from isrflow.kernels.weighted import describe_weighted


def test_moments_by_hand() -> None:
    found = describe_weighted([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
    # mean 9/4; scatter (1.5625 + 2 * 0.0625 + 3.0625) / 4 = 1.1875; times 16 / (16 - 6)
    assert (found.n, found.sum, found.whole.mean) == (3, 9.0, 2.25)
    assert found.whole.variance == pytest.approx(1.9)
    assert found.whole.mean_error == pytest.approx(math.sqrt(1.9 * 6) / 4)
    assert (found.minimum, found.median, found.maximum) == (1.0, 2.0, 4.0)
    assert found.median_error == pytest.approx(math.sqrt(math.pi / 2 * 1.9 / 3))


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=40), st.floats(0.01, 100))
def test_equal_weights_are_none(values, weight) -> None:
    sample = np.array(values, np.float32)
    ours, plain = describe_weighted(sample, np.full(sample.shape, weight)), describe(sample)
    near = {"rel": 1e-9, "abs": 1e-6, "nan_ok": True}
    assert ours.whole.mean == pytest.approx(plain.mean, **near)
    assert ours.whole.variance == pytest.approx(plain.variance, **near)
    assert (ours.q25, ours.median, ours.q75) == (plain.q25, plain.median, plain.q75)
    assert ours.mean_square == pytest.approx(plain.mean_square, **near)


def test_clipping_uses_the_weighted_moments() -> None:
    sample = np.append(np.random.default_rng(4).normal(10, 1, 400), 500.0)
    found = describe_weighted(sample, np.append(np.ones(400), 50.0))
    assert found.clipped.n <= 400
    assert found.clipped.mean == pytest.approx(10, abs=0.2)
    assert found.whole.mean > 50


def test_what_has_no_weight_takes_no_part() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0, 7.0, 9.0])
    weights = np.array([1.0, 1.0, 0.0, -1.0, np.nan, 1.0])
    found = describe_weighted(values, weights, exclude=[False] * 5 + [True])
    assert (found.n, found.n_rejected, found.whole.mean) == (1, 5, 1.0)
    assert math.isnan(found.whole.variance)
    assert found.clipped.mean == 1.0
    nothing = describe_weighted(values, np.zeros(6))
    assert (nothing.n, nothing.n_rejected) == (0, 6)
    assert math.isnan(nothing.median_error)
    assert math.isnan(nothing.mean_square)


def test_errors_may_come_from_variances() -> None:
    found = describe_weighted([1.0, 2.0, 4.0], [1.0, 2.0, 1.0], variance=[4.0, 9.0, 1.0])
    assert found.whole.mean_error == pytest.approx(math.sqrt(4 + 4 * 9 + 1) / 4)
    assert found.whole.variance == pytest.approx(1.9)
    sample = np.append(np.random.default_rng(4).normal(10, 1, 400), 500.0)
    found = describe_weighted(sample, np.ones(401), variance=np.full(401, 2.0))
    assert found.clipped.mean_error == pytest.approx(math.sqrt(2.0 / found.clipped.n))
    assert describe_weighted([3.0], [2.0], variance=[9.0]).whole.mean_error == pytest.approx(3.0)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"values \(2,\), weights \(3,\)"):
        describe_weighted([1.0, 2.0], [1.0, 2.0, 3.0])
