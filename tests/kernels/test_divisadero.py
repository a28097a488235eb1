"""Torn amplifier borders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.stats import sigma_clipped_stats

from isrflow.kernels.divisadero import clipped_column_means, column_response, edge_excess, measure_borders


def test_column_means_are_those_of_astropy() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(1000, 30, (200, 20)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.02] += 3000
    rows[4, 2] = np.nan
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="contains invalid values"):
        expected = sigma_clipped_stats(rows, axis=0)[0]
    np.testing.assert_allclose(clipped_column_means(rows), expected, rtol=2e-7)


def test_a_column_without_a_value_has_no_mean() -> None:
    rows = np.ones((5, 3), np.float32)
    rows[:, 1] = np.nan
    assert np.isnan(clipped_column_means(rows)).tolist() == [False, True, False]


def test_the_response_is_relative_to_a_line_through_the_middle() -> None:
    columns = np.arange(20)
    rows = np.tile((1000.0 + 5.0 * columns).astype(np.float64), (50, 1))
    rows[:, 0] *= 1.03
    rows[:, -1] *= 0.98
    response = column_response(rows, edge=3)
    assert response[0] == pytest.approx(1.03)
    assert response[-1] == pytest.approx(0.98)
    np.testing.assert_allclose(response[1:-1], 1.0, rtol=1e-12)
    assert edge_excess(response, 2) == pytest.approx((0.03, 0.02))


def test_an_amplifier_without_values_has_no_response() -> None:
    assert np.isnan(column_response(np.full((5, 10), np.nan, np.float32), edge=2)).all()
    rows = np.ones((5, 10), np.float32)
    rows[:, 4] = np.nan
    assert np.flatnonzero(np.isnan(column_response(rows, edge=2))).tolist() == [4]
    dead = np.full(10, np.nan)
    found = measure_borders({"A": np.ones(10), "B": dead}, 2, [("A", "B")])
    assert found["A"].at_borders == 0.0  # what is known of the border
    assert math.isnan(found["B"].left)
    found = measure_borders({"A": dead, "B": np.ones(10)}, 2, [("A", "B")])
    assert found["A"].at_borders == 0.0


def test_borders_compare_both_sides_of_them() -> None:
    flat = np.ones(10)
    torn = {name: flat.copy() for name in "ABC"}
    torn["A"][0], torn["A"][-1], torn["B"][0] = 1.5, 1.01, 0.96
    found = measure_borders(torn, 2, [("A", "B")])
    assert found["A"].at_borders == pytest.approx(0.04)  # the outer edge of A is no border
    assert found["B"].at_borders == pytest.approx(0.04)
    assert (found["A"].left, found["A"].right) == pytest.approx((0.5, 0.01))
    assert math.isnan(found["C"].at_borders)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        column_response(np.ones((5, 10)), edge=5)
    with pytest.raises(ValueError, match="0 rows"):
        column_response(np.ones((0, 10)), edge=1)
    with pytest.raises(ValueError, match="11 columns are not the edge of 10"):
        edge_excess(np.ones(10), 11)
