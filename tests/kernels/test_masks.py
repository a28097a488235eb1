"""Setting bits in masks."""

from __future__ import annotations

import numpy as np
import pytest

from isrflow.kernels import masks


def empty(ny: int = 4, nx: int = 5) -> np.ndarray:
    return np.zeros((ny, nx), np.int32)


def test_a_threshold_includes_its_level_and_never_nan() -> None:
    image = np.array([[9, 10, 11, np.nan, np.inf]], np.float32)
    mask = np.array([[4, 0, 4, 0, 0]], np.int32)
    masks.mask_at_least(image, 10.0, mask, 2)
    assert mask.tolist() == [[4, 2, 6, 0, 2]]


def test_a_threshold_of_nan_marks_nothing() -> None:
    mask = empty()
    masks.mask_at_least(np.full(mask.shape, 1e9, np.float32), np.nan, mask, 2)
    assert not mask.any()


def test_a_view_confines_what_is_marked() -> None:
    image, mask = np.full((4, 6), 5, np.float32), empty(4, 6)
    masks.mask_at_least(image[1:3, 2:4], 1.0, mask[1:3, 2:4], 1)
    assert mask.sum() == 4
    assert masks.count_masked(mask[:, 2:4], 1) == 4
    assert masks.count_masked(mask, 2) == 0


def test_nonfinite_pixels_of_image_or_variance_are_marked_and_counted() -> None:
    image, variance, mask = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), empty(2, 3)
    image[0, 0], image[0, 1], variance[1, 2] = np.nan, -np.inf, np.inf
    mask[0, 1] = 2
    assert masks.mask_nonfinite(image, variance, mask, 8) == 3
    assert mask.tolist() == [[8, 10, 0], [0, 0, 8]]
    assert masks.mask_nonfinite(image, variance, empty(2, 3), 8, except_bits=2) == 3
    assert masks.mask_nonfinite(image, variance, mask & 2, 8, except_bits=2) == 2


def test_a_variance_of_zero_counts_as_no_variance_and_nan_does_not() -> None:
    mask = empty(1, 4)
    masks.mask_nonpositive(np.array([[-1, 0, 1e-30, np.nan]], np.float32), mask, 1)
    assert mask.tolist() == [[1, 1, 0, 0]]


@pytest.mark.parametrize(("width", "free"), [(0, 20), (1, 6), (2, 0), (9, 0)])
def test_edges_are_marked_on_all_sides_and_meet_in_the_middle(width, free) -> None:
    mask = empty()
    masks.mask_edges(mask, width, 16)
    assert (mask == 0).sum() == free


def test_growth_writes_into_another_plane() -> None:
    mask = empty(5, 5)
    mask[2, 2], mask[0, 0] = 2, 1
    masks.grow_mask(mask, 1, 3, 4)
    assert ((mask & 4) != 0).sum() == 5 + 3
    assert (mask[2, 2], mask[2, 3]) == (6, 4)


@pytest.mark.parametrize(("length", "extra"), [(5, 0), (6, 1), (7, 1), (8, 3), (9, 3), (10, 4), (12, 4)])
def test_trails_are_widened_by_their_length(length, extra) -> None:
    mask = empty(2, 40)
    mask[1, 10 : 10 + length] = 3
    masks.widen_trails(mask, 2)
    assert np.nonzero(mask[1] & 2)[0].tolist() == list(range(10 - extra, 10 + length + extra))
    assert ((mask & 1) != 0).sum() == length


def test_trails_are_widened_as_they_were_found_and_within_the_image() -> None:
    mask = empty(1, 16)
    mask[0, [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]] = 2  # two runs of six; each gains one, at the edge none
    masks.widen_trails(mask, 2)
    assert np.nonzero(mask[0])[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_a_short_run_inside_the_widening_of_another_stays_short() -> None:
    mask = empty(1, 40)
    mask[0, 5:15] = 2  # widened to 1..18
    mask[0, [16, 18, 20, 21, 22, 23]] = 2
    masks.widen_trails(mask, 2)
    assert np.nonzero(mask[0])[0].tolist() == [*range(1, 19), 20, 21, 22, 23]
