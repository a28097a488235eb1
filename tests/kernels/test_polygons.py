"""Polygons: areas by formula, clipping by properties, pixels by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isrflow.kernels.polygons import clip_convex, contains, is_convex, runs_outside, signed_area

SQUARE = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
TRIANGLE = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
ARROW = np.array([[0.0, 0.0], [8.0, 0.0], [4.0, 3.0], [8.0, 8.0], [0.0, 8.0]])


def area(vertices) -> float:
    return abs(signed_area(vertices))


@st.composite
def convex_polygons(draw):
    """Points on an ellipse, in order: convex."""
    n = draw(st.integers(3, 9))
    angles = sorted(draw(st.lists(st.integers(0, 359), min_size=n, max_size=n, unique=True)))
    turns = np.deg2rad(angles)
    numbers = st.floats(-5, 5, allow_nan=False)
    a, b = draw(st.floats(0.5, 5)), draw(st.floats(0.5, 5))
    polygon = np.stack([draw(numbers) + a * np.cos(turns), draw(numbers) + b * np.sin(turns)], axis=1)
    return polygon if draw(st.booleans()) else polygon[::-1]


def test_areas_are_those_of_school() -> None:
    assert signed_area(SQUARE) == 16.0
    assert signed_area(SQUARE[::-1]) == -16.0
    assert signed_area(TRIANGLE) == 18.0
    hexagon = np.stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)], axis=1)
    assert signed_area(hexagon) == pytest.approx(1.5 * np.sqrt(3), rel=1e-14)
    assert signed_area(SQUARE + 1e9) == 16.0
    assert signed_area(np.empty((0, 2))) == 0.0


def test_two_squares_have_a_square_in_common() -> None:
    common = clip_convex(SQUARE, SQUARE + np.array([1.0, 3.0]))
    assert area(common) == 3.0
    assert sorted(common.tolist()) == [[1, 3], [1, 4], [4, 3], [4, 4]]


def test_a_triangle_loses_its_corners() -> None:
    common = clip_convex(TRIANGLE, SQUARE)  # two corners of area 2 * 2 / 2 are cut off
    assert area(common) == 18.0 - 2 * 2.0


def test_what_lies_inside_stays_and_what_lies_outside_goes() -> None:
    small = SQUARE / 2 + 1.0
    assert np.array_equal(clip_convex(small, SQUARE), small)
    assert sorted(clip_convex(SQUARE, small).tolist()) == sorted(small.tolist())
    for apart in (SQUARE + 5.0, SQUARE + np.array([4.0, 0.0]), SQUARE + 4.0):  # away, along an edge, at a corner
        assert len(clip_convex(SQUARE, apart)) == 0
    assert len(clip_convex(SQUARE, np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))) == 0


@given(convex_polygons(), convex_polygons())
def test_clipping_is_symmetric_smaller_than_both_and_idempotent(a, b) -> None:
    common = clip_convex(a, b)
    slack = 1e-9 * (area(a) + area(b))
    assert area(common) <= min(area(a), area(b)) + slack
    assert area(clip_convex(b, a)) == pytest.approx(area(common), abs=slack)
    assert area(clip_convex(common, b)) == pytest.approx(area(common), abs=slack) if len(common) else True
    if len(common):
        assert is_convex(common)
        assert np.sign(signed_area(common)) == np.sign(signed_area(a))


@given(convex_polygons(), convex_polygons(), st.lists(st.tuples(*[st.floats(-8, 8)] * 2), min_size=1, max_size=20))
def test_a_point_is_in_the_common_part_if_it_is_in_both(a, b, points) -> None:
    points = np.array(points)
    common = clip_convex(a, b)
    in_common, in_both = contains(common, points), contains(a, points) & contains(b, points)
    for point, one, other in zip(points, in_common, in_both, strict=True):
        if one != other:  # rounding may move an edge by a billionth
            edges = np.concatenate([a, b])
            assert min(_distance(point, polygon) for polygon in (a, b)) < 1e-7, (point, edges)


def _distance(point, polygon) -> float:
    start, end = polygon, np.roll(polygon, -1, axis=0)
    step = end - start
    along = np.clip(np.sum((point - start) * step, axis=1) / np.maximum(np.sum(step**2, axis=1), 1e-300), 0, 1)
    return float(np.hypot(*(start + along[:, None] * step - point).T).min())


def test_convexity() -> None:
    star = np.stack([np.cos(np.arange(5) * 4 * np.pi / 5), np.sin(np.arange(5) * 4 * np.pi / 5)], axis=1)
    assert is_convex(SQUARE)
    assert is_convex(SQUARE[::-1])
    assert is_convex(np.insert(SQUARE, 1, [2.0, 0.0], axis=0))  # a vertex on an edge
    assert not is_convex(ARROW)
    assert not is_convex(star)  # always turns left, but goes round twice


def outside(vertices, shape) -> np.ndarray:
    picture = np.zeros(shape, int)
    for row, first, after in runs_outside(np.asarray(vertices, float), shape):
        assert first < after
        picture[row, first:after] += 1
    assert picture.max(initial=0) <= 1
    return picture == 1


def test_pixel_centres_on_an_edge_are_outside() -> None:
    inside = ~outside(SQUARE, (6, 7))
    assert np.argwhere(inside).min(axis=0).tolist() == [1, 1]
    assert np.argwhere(inside).max(axis=0).tolist() == [3, 3]
    assert inside.sum() == 9


def test_slanted_edges_through_pixel_centres_are_outside() -> None:
    inside = ~outside(TRIANGLE, (7, 7))  # x + y = 6 is the long edge: left are x, y >= 1 and x + y <= 5
    assert inside.sum() == 4 + 3 + 2 + 1


def test_no_polygon_and_polygons_elsewhere_leave_everything_outside() -> None:
    assert outside(np.empty((0, 2)), (3, 4)).all()
    assert outside(SQUARE + 20.0, (3, 4)).all()
    assert outside(SQUARE - 20.0, (3, 4)).all()
    assert not outside(SQUARE * 10 - 10.0, (3, 4)).any()


@pytest.mark.parametrize("vertices", [ARROW, ARROW[::-1], ARROW + 0.25, ARROW[:, ::-1], -ARROW + 8])
def test_rows_agree_with_single_points(vertices) -> None:
    y, x = np.mgrid[0:11, 0:12]
    expected = contains(vertices, np.stack([x.ravel(), y.ravel()], axis=1).astype(float)).reshape(x.shape)
    assert np.array_equal(~outside(vertices, (11, 12)), expected)


@given(convex_polygons())
def test_rows_agree_with_single_points_for_any_convex_polygon(vertices) -> None:
    y, x = np.mgrid[0:7, 0:8]
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    expected = contains(vertices, points).reshape(x.shape)
    found = ~outside(vertices, (7, 8))
    near = np.array([_distance(point, vertices) < 1e-6 for point in points]).reshape(x.shape)
    assert np.array_equal(found[~near], expected[~near])


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=3, max_size=6, unique=True))
def test_rows_agree_with_single_points_for_vertices_on_pixel_centres(corners) -> None:
    centre = np.mean(corners, axis=0)
    around = np.array(sorted(corners, key=lambda p: np.arctan2(*(p - centre)[::-1])), float)  # simple, star-shaped
    if abs(signed_area(around)) < 0.5:
        return
    y, x = np.mgrid[0:7, 0:7]
    expected = contains(around, np.stack([x.ravel(), y.ravel()], axis=1).astype(float)).reshape(x.shape)
    assert np.array_equal(~outside(around, (7, 7)), expected)
