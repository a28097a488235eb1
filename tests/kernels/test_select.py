"""Quantiles of many pixels in one pass, against sorting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isrflow.kernels import select
from isrflow.kernels.quantiles import quantile, quartiles
from isrflow.kernels.select import WORTHWHILE, select_quantiles
from isrflow.kernels.threads import map_in_threads

FRACTIONS = [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.fixture
def in_one_pass(monkeypatch):
    """Do small pictures like large ones."""
    monkeypatch.setattr(select, "ONE_PASS_FROM", 1)


def by_sorting(values: np.ndarray, fractions: list[float]) -> list[float]:
    return np.percentile(values.astype(np.float64), [100 * fraction for fraction in fractions]).tolist()


@settings(deadline=None)  # the first call compiles
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(64, 400)),
    spread=st.sampled_from([0.0, 1.0, 1e30]),
    digits=st.sampled_from([0, 6]),
    share_bad=st.sampled_from([0.0, 0.02, 0.7, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_quantiles_of_the_good_pixels_are_those_of_sorting(shape, spread, digits, share_bad, seed) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "ONE_PASS_FROM", 1)
        rng = np.random.default_rng(seed)
        parent = np.full((shape[0], shape[1] + 9), np.float32(7e7))
        image, mask = parent[:, 3:-6], np.zeros(parent.shape, np.int32)[:, 3:-6]
        image[...] = rng.normal(0, spread, shape).round(digits)
        image[rng.random(shape) < share_bad / 2] = rng.choice([np.nan, np.inf, -np.inf])
        mask[rng.random(shape) < share_bad] = 5
        before = parent.copy()
        found = select_quantiles(image, FRACTIONS, mask=mask, exclude_bits=1)
        good = image[np.isfinite(image) & ((mask & 1) == 0)]
        expected = by_sorting(good, FRACTIONS) if good.size else [math.nan] * 5
        # two formulas of the same interpolation
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15 * spread)
        np.testing.assert_array_equal(parent, before)


@pytest.mark.usefixtures("in_one_pass")
@pytest.mark.parametrize(
    "picture",
    [
        np.add.outer(np.arange(300.0), np.arange(500.0) * 1e-4),  # all pixels near the median in a few rows
        np.tile([1.0, 2.0], (300, 250)),
        np.concatenate([np.full((299, 500), 7.0), np.r_[-1e30, 1e30, np.zeros(498)][np.newaxis]]),
        np.where(
            np.arange(300 * 500).reshape(300, 500) % 11 == 0, 100.0, np.random.default_rng(1).normal(size=(300, 500))
        ),
    ],
    ids=["gradient", "two values", "ties and tails", "a pattern"],
)
def test_pictures_that_mislead_the_sample_are_right_too(picture) -> None:
    image = picture.astype(np.float32)
    np.testing.assert_allclose(select_quantiles(image, FRACTIONS), by_sorting(image, FRACTIONS), rtol=1e-14)


@pytest.mark.usefixtures("in_one_pass")
def test_one_core_and_all_find_the_same() -> None:
    image = np.random.default_rng(4).normal(50, 9, (200, 301)).astype(np.float32)
    on_all = select_quantiles(image, FRACTIONS)
    assert map_in_threads(lambda each: select_quantiles(each, FRACTIONS), [image, image]) == [on_all, on_all]


def test_medians_and_quartiles_of_large_samples_are_those_of_numpy() -> None:
    for size in (WORTHWHILE, WORTHWHILE + 1, WORTHWHILE + 2):
        values = np.random.default_rng(size).normal(50, 9, size).astype(np.float32)
        expected = by_sorting(values, [0.25, 0.5, 0.75])
        assert quartiles(values.copy()) == pytest.approx(expected, rel=1e-15)
        assert quantile(values.copy(), 0.5) == pytest.approx(expected[1], rel=1e-15)
