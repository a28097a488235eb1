"""Bad pixels as a Gaussian process."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve

from isrflow.kernels.gaussian_process import FieldRules, average_cells, estimate_regions

pytest.importorskip("sklearn", reason="the extra gp is not installed")

RULES = FieldRules(correlation_px=3.0, cell_px=4)


def field(shape: tuple[int, int] = (40, 40)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (1000 + 40 * np.sin(x / 15) + 30 * np.cos(y / 12)).astype(np.float32)


def test_the_estimate_is_that_of_the_textbook() -> None:
    rng = np.random.default_rng(8)
    image = (field((12, 12)) + rng.normal(0, 3, (12, 12))).astype(np.float32)
    bad = np.zeros(image.shape, bool)
    bad[5:7, 6] = True
    good = ~bad
    places, values = average_cells(image, good, 4)
    level, amplitude = np.median(image[good]), image[good].max()  # its square root, squared

    def covariance(a, b):
        return amplitude * np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / 2 / 3.0**2)

    target = np.argwhere(bad).astype(float)
    weights = solve(covariance(places, places) + 9.0 * np.eye(len(places)), values - level)
    expected = covariance(target, places) @ weights + level
    estimate_regions(image, np.full(image.shape, 9.0, np.float32), bad, RULES)
    np.testing.assert_allclose(image[bad], expected, rtol=1e-6)


def test_a_smooth_field_is_found_again() -> None:
    image = field((120, 120))
    truth = image.copy()
    bad = np.zeros(image.shape, bool)
    bad[50:60, 40:55], bad[:, 90], bad[0, 0] = True, True, True
    image[bad] = 6e4
    estimate_regions(image, np.full(image.shape, 4.0, np.float32), bad, FieldRules(15.0, 5))
    assert np.array_equal(image[~bad], truth[~bad])
    assert np.abs(image - truth)[bad].max() < 5  # of a field that varies by 140; cells average 5 pixels of it


def test_pixels_that_are_not_finite_do_not_count() -> None:
    image = np.full((20, 20), 50.0, np.float32)
    bad = np.zeros(image.shape, bool)
    bad[10, 10], image[10, 12] = True, np.nan
    estimate_regions(image, np.full(image.shape, np.nan, np.float32), bad, RULES)
    assert image[10, 10] == pytest.approx(50)


def test_without_good_pixels_in_reach_the_clipped_mean_is_taken() -> None:
    image = np.full((10, 10), 7.0, np.float32)
    estimate_regions(image, np.ones_like(image), np.ones(image.shape, bool), RULES)
    assert (image == 7).all()


def test_cells_grow_until_there_are_at_most_2000() -> None:
    image = np.zeros((200, 300), np.float32)
    places, values = average_cells(image, np.ones(image.shape, bool), 1)
    assert len(values) <= 2000
    assert len(values) > 1500
    places, values = average_cells(np.arange(8, dtype=np.float32).reshape(2, 4), np.ones((2, 4), bool), 2)
    assert places.tolist() == [[0.5, 0.5], [0.5, 2.5]]
    assert values.tolist() == [2.5, 4.5]
