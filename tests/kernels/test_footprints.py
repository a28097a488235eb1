"""Footprints: labels in order, growth by a diamond, boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isrflow.kernels.footprints import boxes, grow, label, spans

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def picture(text: str) -> np.ndarray:
    """Draw a mask; the last line is row 0."""
    rows = [[char == "#" for char in line.strip()] for line in text.strip().splitlines()]
    return np.array(rows[::-1])


@given(MASKS)
def test_footprints_are_the_eight_connected_components(mask) -> None:
    ours, n = label(mask)
    theirs, expected = ndimage.label(mask, np.ones((3, 3)))
    assert n == expected
    pairs = set(zip(ours[mask].tolist(), theirs[mask].tolist(), strict=True))
    assert len(pairs) == n  # one to one
    assert not ours[~mask].any()


def test_footprints_are_numbered_as_rows_are_scanned() -> None:
    labels, n = label(picture("#..#\n....\n..#."))
    assert n == 3
    assert (labels[0, 2], labels[2, 0], labels[2, 3]) == (1, 2, 3)


def test_a_merged_footprint_takes_the_number_of_its_left_part() -> None:
    # the right arm of the V is met first, but joins the left one; so the V comes after the dot between in number
    labels, n = label(picture(".#.#...\n#...#.#\n....#.#\n....#.."))
    assert n == 3
    right_arm = labels[0, 4]
    assert labels[2, 0] == labels[3, 1]
    assert right_arm == labels[3, 3]


def test_the_right_part_joins_the_left_part_even_when_it_is_older() -> None:
    # dealt out upward: 1 and 2 in the lowest row, 3 for the left arm; then 1 joins 3, so the dot, 2, comes first
    labels, n = label(picture(".###...\n#...#..\n....#.#"))
    assert n == 2
    assert (labels[0, 6], labels[0, 4], labels[1, 0]) == (1, 2, 2)


@given(MASKS, st.integers(0, 4))
def test_growth_is_by_a_diamond_clipped_to_the_array(mask, radius) -> None:
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    expected = np.zeros_like(mask)
    for y0, x0 in np.argwhere(mask):
        expected |= np.abs(y - y0) + np.abs(x - x0) <= radius
    assert np.array_equal(grow(mask, radius), expected)


def test_growth_leaves_its_input_alone() -> None:
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    assert grow(mask, 0) is not mask
    assert grow(mask, 1).sum() == 5
    assert mask.sum() == 1


@given(MASKS)
def test_boxes_cover_each_pixel_of_the_mask_once(mask) -> None:
    count = np.zeros(mask.shape, int)
    for x0, y0, width, height in boxes(mask):
        count[y0 : y0 + height, x0 : x0 + width] += 1
    assert np.array_equal(count, mask.astype(int))


def test_boxes_are_cut_from_the_lowest_leftmost_run_upward() -> None:
    assert boxes(picture("###.\n.##.\n.#..")) == [(1, 0, 1, 3), (2, 1, 1, 2), (0, 2, 1, 1)]


@given(MASKS)
def test_spans_are_the_runs_of_each_row(mask) -> None:
    again = np.zeros_like(mask)
    found = spans(mask)
    for row, first, after in found:
        again[row, first:after] = True
        assert after == mask.shape[1] or not mask[row, after]
    assert np.array_equal(again, mask)
    assert np.array_equal(found, found[np.lexsort((found[:, 1], found[:, 0]))])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_an_empty_mask_has_no_footprints(shape) -> None:
    mask = np.zeros(shape, bool)
    assert label(mask)[1] == 0
    assert boxes(mask) == []
