"""Level and flatness of a background."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isrflow.kernels.flatness import Mesh, measure_flatness


@pytest.mark.parametrize(
    ("size", "step", "starts"),
    [
        (100, 32, [0, 32, 64]),  # 4 are left: too few for a cell
        (112, 32, [0, 32, 64, 96]),  # 16 are left: half a cell
        (111, 32, [0, 32, 64]),
        (100, 33, [0, 33, 66]),
        (10, 32, []),
        (16, 32, [0]),
    ],
)
def test_a_cell_begins_where_half_of_it_fits(size, step, starts) -> None:
    assert list(Mesh().starts(size, step)) == starts


def test_cells_end_with_the_image_and_odd_ones_are_a_pixel_smaller() -> None:
    cells = Mesh(5, 4).cells((6, 9))
    assert cells.shape == (2, 2)
    assert cells[0, 0] == (slice(0, 4), slice(0, 4))
    assert cells[1, 1] == (slice(4, 6), slice(5, 9))


def test_flatness_is_that_of_the_cells() -> None:
    image = np.repeat(np.repeat([[100.0, 110.0], [90.0, 104.0]], 8, axis=0), 8, axis=1).astype(np.float32)
    found = measure_flatness(image, np.zeros(image.shape, bool), Mesh(8, 8))
    assert found.cells.tolist() == [[100, 110], [90, 104]]
    assert found.level == 102.0
    departures = np.array([100, 110, 90, 104]) / 102 - 1
    assert found.rms == pytest.approx(departures.std())
    assert found.peak_to_peak == pytest.approx(20 / 102)


def test_clipping_takes_stars_out_of_a_cell() -> None:
    image = np.random.default_rng(1).normal(100, 1, (32, 32)).astype(np.float32)
    image[5, 5] = 1e5
    clean = measure_flatness(image, np.zeros(image.shape, bool), Mesh(32, 32))
    assert clean.cells[0, 0] == pytest.approx(100, abs=0.1)
    whole = measure_flatness(image, np.zeros(image.shape, bool), Mesh(32, 32), clipped=False)
    assert whole.cells[0, 0] == pytest.approx(image.mean(dtype=float))
    excluded = image > 1000
    assert measure_flatness(image, excluded, Mesh(32, 32), clipped=False).cells[0, 0] < 101


def test_without_usable_pixels_nothing_is_known() -> None:
    image = np.full((8, 8), 3.0, np.float32)
    found = measure_flatness(image, np.ones(image.shape, bool), Mesh(4, 4))
    assert all(math.isnan(each) for each in (found.level, found.sigma, found.rms, found.peak_to_peak))
    excluded = np.zeros(image.shape, bool)
    excluded[:4, :4] = True
    assert measure_flatness(image, excluded, Mesh(4, 4)).rms == 0.0  # the other cells tell
