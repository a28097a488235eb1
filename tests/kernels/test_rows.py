"""Row interpolation: golden numbers by hand, the published weights, an independent prototype where it is at hand."""

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isrflow.kernels.kriging import WIDE, WIDE_CENTRE, weight_table
from isrflow.kernels.rows import interpolate_rows, needs_fallback

FALLBACK = 77.0


def interpolated(values, bad, variance=None) -> np.ndarray:
    image = np.array([values], np.float32)
    mask = np.zeros(image.shape, np.int32)
    mask[0, list(bad)] = 1
    interpolate_rows(image, variance, mask, bits=1, interpolated_bit=4, fallback=FALLBACK)
    assert np.array_equal(mask[0] & 4 != 0, np.isin(np.arange(image.size), list(bad)))
    return image[0]


def test_one_bad_pixel_takes_four_neighbours_with_the_published_weights() -> None:
    row = np.zeros(20, np.float32)
    row[[8, 9, 11, 12]] = [1, 10, 100, 1000]
    expected = -0.2737 * 1 + 0.7737 * 10 + 0.7737 * 100 - 0.2737 * 1000
    assert interpolated(row, [10])[10] == np.float32(expected)


@pytest.mark.parametrize(("distance", "near", "far"), [(1, 1.4288, -0.4288), (2, 1.0933, -0.0933), (3, 0.6968, 0.3032)])
def test_at_an_edge_two_points_are_weighed_by_distance(distance, near, far) -> None:
    row = np.zeros(20, np.float32)
    row[distance], row[distance + 1] = 3, 5
    assert interpolated(row, range(distance))[0] == np.float32(near * 3 + far * 5)


def test_the_middle_of_a_wide_run_is_the_mean_of_its_four_neighbours() -> None:
    row = np.zeros(40, np.float32)
    row[[8, 9, 25, 26]] = [1, 2, 4, 9]
    found = interpolated(row, range(10, 25))
    assert np.all(found[16:19] == 4.0)
    assert weight_table()[0b0111, WIDE, WIDE_CENTRE].tolist() == [0, 0.4707, 0.2646, 0.2646]


def test_a_run_of_more_than_six_at_an_edge_keeps_the_fallback_on_its_outside() -> None:
    row = np.full(30, 10, np.float32)
    found = interpolated(row, range(9))
    assert np.all(found[:3] == FALLBACK)
    assert np.all(found[3:9] != FALLBACK)
    mirrored = interpolated(row, range(21, 30))
    assert np.array_equal(found, mirrored[::-1])


def test_seven_bad_pixels_at_an_edge_take_the_fallback_for_the_neighbour_that_does_not_exist() -> None:
    found = interpolated(np.full(30, FALLBACK, np.float32), range(7))
    np.testing.assert_allclose(found, FALLBACK, rtol=1e-4)  # weights of four decimals


def test_a_row_without_good_pixels_is_the_fallback() -> None:
    assert np.all(interpolated(np.zeros(30), range(30)) == FALLBACK)
    assert np.all(interpolated(np.zeros(4), range(4)) == FALLBACK)


def test_a_good_pixel_that_is_not_a_number_gives_way_to_the_nearest_two() -> None:
    row = np.full(20, 6, np.float32)
    row[8], row[11] = np.nan, 8
    assert interpolated(row, [10])[10] == 7


def test_the_variance_is_weighed_like_the_image() -> None:
    variance = np.arange(20, dtype=np.float32)[None] ** 2
    expected = interpolated(variance[0].copy(), [5, 6, 12])
    interpolated(np.zeros(20), [5, 6, 12], variance)
    assert np.array_equal(variance[0], expected)


def test_views_are_worked_on_in_place_and_nothing_else_is() -> None:
    image = np.arange(100, dtype=np.float32).reshape(5, 20)
    before = image.copy()
    mask = np.zeros((5, 20), np.int32)
    mask[:, 7] = 1
    box = np.s_[1:4, 3:15]
    interpolate_rows(image[box], None, mask[box], bits=1, interpolated_bit=4, fallback=0)
    changed = np.argwhere(mask & 4)
    assert changed.tolist() == [[1, 7], [2, 7], [3, 7]]
    np.testing.assert_allclose(image, before, rtol=1e-4)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.floats(1, 1000))
def test_a_flat_image_stays_flat(bad, level) -> None:
    image = np.full((1, len(bad)), level, np.float32)
    mask = np.array([bad], np.int32)
    interpolate_rows(image, None, mask, bits=1, interpolated_bit=4, fallback=level)
    np.testing.assert_allclose(image, level, rtol=2.5e-4)  # four weights of four decimals


def _prototype():
    """The prototype of the published rules that lies beside the reference notes, if it does."""
    vectors = os.environ.get("ISRFLOW_VECTORS", Path(__file__).parents[3] / "shared" / "vectors")
    path = Path(vectors).parent / "reference" / "interp_row_oracle.py"
    if not path.is_file():
        pytest.skip(f"no {path.name} beside the reference vectors")
    spec = importlib.util.spec_from_file_location("interp_row_oracle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.interp_row


@settings(max_examples=300)
@given(st.integers(14, 60), st.randoms(use_true_random=False), st.booleans())
def test_random_rows_agree_with_the_prototype_of_the_rules(width, random, with_nan) -> None:
    interp_row = _prototype()
    bad = np.zeros(width, bool)
    for _ in range(random.randrange(6)):
        start = random.randrange(width)
        bad[start : start + random.randrange(1, 20)] = True
    row = np.random.default_rng(random.randrange(2**32)).normal(100, 60, width).astype(np.float32)
    if with_nan:
        row[random.randrange(width)] = np.nan
    image, mask = row[None].copy(), bad[None].astype(np.int32)
    interpolate_rows(image, None, mask, bits=1, interpolated_bit=4, fallback=FALLBACK)
    np.testing.assert_array_equal(image[0], interp_row(row, bad, FALLBACK, strict=False))


@given(st.integers(1, 20), st.integers(0, 2**32 - 1), st.floats(0.1, 1.0))
def test_the_fallback_matters_only_where_it_is_said_to_be_needed(width, seed, share) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((3, width)) < share).astype(np.int32)
    image = rng.normal(100, 10, mask.shape).astype(np.float32)
    results = []
    for fallback in (1.0, math.nan):
        picture, marks = image.copy(), mask.copy()
        interpolate_rows(picture, None, marks, bits=1, interpolated_bit=2, fallback=fallback)
        results.append(picture)
    assert needs_fallback(mask, 1) or np.array_equal(*results)
    assert not needs_fallback(mask, 1) or not np.array_equal(*results)
