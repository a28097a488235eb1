"""The background surface: cells by hand, curves against scipy, holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from isrflow.kernels.surface import cell_edges, measure_cells, subtract_surface


def surface_of(image: np.ndarray, n_cells: tuple[int, int], mask: np.ndarray | None = None) -> np.ndarray:
    work = image.astype(np.float32)
    marks = np.zeros(image.shape, np.int32) if mask is None else mask
    assert subtract_surface(work, marks, 1, n_cells)
    return image.astype(np.float64) - work


@given(st.integers(1, 300), st.integers(1, 20))
def test_cells_cover_all_pixels_and_differ_by_at_most_one(size, n) -> None:
    edges = cell_edges(size, n)
    assert (edges[0], edges[-1], edges.size) == (0, size, n + 1)
    widths = np.diff(edges)
    assert widths.max() - widths.min() <= 1


def test_the_remainder_is_spread_over_the_cells() -> None:
    assert cell_edges(10, 3).tolist() == [0, 3, 7, 10]
    assert cell_edges(240, 5).tolist() == [0, 48, 96, 144, 192, 240]


def test_a_cell_is_the_clipped_mean_of_its_good_pixels_in_single_precision() -> None:
    image = np.full((4, 20), 0.1, np.float32)
    image[:, 10:] = np.where(np.arange(40).reshape(4, 10) % 2 == 0, 49, 51.5)
    image[2, 12] = 1e5  # clipped
    image[3, 15] = np.nan
    mask = np.zeros(image.shape, np.int32)
    mask[0, 11], image[0, 11] = 1, -300
    levels = measure_cells(image, mask, 1, cell_edges(20, 2), cell_edges(4, 1))
    good = np.delete(image[:, 10:].ravel(), [22, 35, 1])
    assert levels.tolist() == [[float(np.float32(0.1)), float(np.float32(good.astype(float).mean()))]]


@pytest.mark.parametrize(("n", "degree"), [(1, 0), (2, 1)])
def test_one_cell_gives_a_constant_two_a_plane(n, degree) -> None:
    y, x = np.mgrid[:12, :16].astype(float)
    plane = 5 + degree * (0.5 * x - 0.25 * y)
    assert surface_of(plane, (n, n)) == pytest.approx(plane, abs=1e-5)


def test_three_and_four_cells_give_the_natural_spline_of_scipy() -> None:
    rng = np.random.default_rng(3)
    for n in (3, 4):
        levels = rng.normal(100, 5, (n, n)).astype(np.float32)
        image = np.kron(levels, np.ones((6, 8), np.float32))
        found = surface_of(image, (n, n))
        x, y = 8 * np.arange(n) + 3.5, 6 * np.arange(n) + 2.5
        inside_y, inside_x = np.arange(3, 6 * n - 3), np.arange(4, 8 * n - 4)
        along_y = CubicSpline(y, levels.astype(float), bc_type="natural")(inside_y)
        expected = CubicSpline(x, along_y, axis=1, bc_type="natural")(inside_x)
        assert found[3:-3, 4:-4] == pytest.approx(expected, rel=1e-6)
        # beyond the outer nodes it goes on straight
        assert np.diff(found[10, :4], 2) == pytest.approx([0, 0], abs=5e-5)


def test_five_cells_give_the_akima_spline_of_scipy() -> None:
    levels = np.random.default_rng(4).normal(100, 5, (6, 5)).astype(np.float32)
    found = surface_of(np.kron(levels, np.ones((4, 4), np.float32)), (5, 6))
    x, y = 4 * np.arange(5) + 1.5, 4 * np.arange(6) + 1.5
    along_y = Akima1DInterpolator(y, levels.astype(float))(np.arange(2, 22))
    expected = Akima1DInterpolator(x, along_y, axis=1)(np.arange(2, 18))
    assert found[2:-2, 2:-2] == pytest.approx(expected, rel=1e-6)


def test_the_smaller_number_of_cells_decides_for_both_axes() -> None:
    levels = np.random.default_rng(4).normal(100, 5, 6).astype(np.float32)
    found = surface_of(np.tile(np.repeat(levels, 4), (8, 1)), (6, 2))
    straight = np.interp(np.arange(2, 22), 4 * np.arange(6) + 1.5, levels)
    assert found[:, 2:22] == pytest.approx(np.tile(straight, (8, 1)), rel=1e-6)


def test_cells_without_pixels_are_bridged() -> None:
    y, x = np.mgrid[:24, :24].astype(float)
    plane = 10 + 0.5 * x + 0.25 * y
    mask = np.zeros(plane.shape, np.int32)
    mask[:, 8:12] = 1  # a whole column of cells
    mask[12:16, 16:20] = 1  # and one cell
    spoiled = np.where(mask == 1, 1e6, plane)
    found = surface_of(spoiled, (6, 6), mask)
    assert np.where(mask == 1, plane, found) == pytest.approx(plane, rel=1e-5)


def test_columns_with_few_cells_use_what_their_number_allows() -> None:
    levels = np.full((6, 6), 10.0)
    image = np.kron(levels, np.ones((4, 4)))
    mask = np.zeros(image.shape, np.int32)
    mask[4:, :4] = 1  # one cell is left in the first column: a constant
    mask[8:, 4:8] = 1  # two in the second
    mask[16:, 8:12] = 1
    assert surface_of(image, (6, 6), mask) == pytest.approx(image, rel=1e-6)


def test_a_picture_without_good_pixels_is_left_alone() -> None:
    image = np.ones((8, 8), np.float32)
    assert not subtract_surface(image, np.ones((8, 8), np.int32), 1, (2, 2))
    assert np.all(image == 1)


def test_views_of_larger_pictures_are_served_too() -> None:
    image = np.random.default_rng(5).normal(100, 3, (40, 60)).astype(np.float32)
    mask = np.zeros(image.shape, np.int32)
    alone = image[5:35, 10:50].copy()
    subtract_surface(alone, mask[5:35, 10:50], 1, (5, 5))
    subtract_surface(image[5:35, 10:50], mask[5:35, 10:50], 1, (5, 5))
    assert image[5:35, 10:50].tolist() == alone.tolist()
