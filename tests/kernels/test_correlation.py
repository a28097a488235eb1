"""Correlation between amplifiers."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.kernels.correlation import correlate


def test_coefficients_are_those_of_numpy() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 1, (300, 301))
    samples = [(500 + common + rng.normal(0, k, common.shape)).astype(np.float32) for k in (1, 2, 3)]
    expected = np.corrcoef([each.ravel() for each in samples])
    np.testing.assert_allclose(correlate(samples), expected, rtol=1e-12)


def test_what_is_missing_or_constant_has_no_correlation() -> None:
    some = np.array([1.0, 2.0, 4.0])
    found = correlate([some, None, np.ones(3), -some])
    assert found[0].tolist() == pytest.approx([1.0, np.nan, np.nan, -1.0], nan_ok=True)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[2]).all()
    assert np.isnan(correlate([some, np.array([1.0, np.inf, 2.0])])[0, 1])
    assert correlate([None]).shape == (1, 1)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        correlate([np.ones(3), np.ones(4)])
